//! Whatever comes in gets an answer in bounded time and memory, and harms nobody else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use bytes::{Buf as _, BufMut as _, Bytes};
use prost::Message as _;
use serde_json::json;
use tollgate::pb::{self, Effect};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::served::{Served, request};

/// Sends bytes as they are.
#[derive(Clone, Copy)]
pub struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        *self
    }
    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, sent: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(sent.copy_to_bytes(sent.remaining())))
    }
}

async fn send(channel: Channel, rpc: &str, bytes: impl Into<Bytes>) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = format!("/tollgate.v1.PolicyDecisionService/{rpc}").parse().unwrap();
    let answer = client.unary(tonic::Request::new(bytes.into()), path, Raw).await?;
    Ok(answer.into_inner())
}

/// Sends these items on one stream, and gives the answers.
pub async fn stream(channel: Channel, items: Vec<Bytes>) -> Vec<pb::AuthorizeResponse> {
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = "/tollgate.v1.PolicyDecisionService/AuthorizeStream".parse().unwrap();
    let asked = client.streaming(tonic::Request::new(tokio_stream::iter(items)), path, Raw).await;
    let mut answers = asked.unwrap().into_inner();
    let mut got = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        got.push(pb::AuthorizeStreamResponse::decode(answer).unwrap().response.unwrap());
    }
    got
}

pub async fn still_serves(served: &Served) {
    let sent = request("send", json!({"amount": 1}));
    let got = served.client().await.authorize(sent).await.unwrap().into_inner();
    assert_eq!(got.effect(), Effect::Allow);
}

pub fn field(number: u8, inner: &[u8]) -> Vec<u8> {
    let mut bytes = vec![number << 3 | 2];
    prost::encoding::encode_varint(inner.len() as u64, &mut bytes);
    bytes.extend_from_slice(inner);
    bytes
}

/// A context of lists in lists.
fn nested(levels: usize) -> Vec<u8> {
    let value = (0..levels).fold(Vec::new(), |inner, _| field(6, &field(1, &inner)));
    let entry = [field(1, b"a"), field(2, &value)].concat();
    let action = field(2, &field(1, b"send"));
    [action, field(3, &field(1, &entry))].concat()
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_mistake() {
    let served = Served::with_bundle();
    let channel = served.channel().await;
    let bad_utf8 = field(2, &field(1, &[0xff, 0xfe]));
    let half = request("send", json!({"amount": 1})).encode_to_vec();
    for (name, bytes) in [
        ("noise", vec![0xff; 64]),
        ("bad UTF-8", bad_utf8),
        ("a group", vec![0x0b, 0x0c]),
        ("cut off", half[..half.len() - 3].to_vec()),
        ("8 levels more than are taken", nested(9)),
        ("more levels than any parser takes", nested(5_000)),
        ("a map's entry without a value", field(3, &field(1, &field(1, b"a")))),
    ] {
        let status = send(channel.clone(), "Authorize", bytes).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{name}: {status}");
        assert!(!status.message().is_empty(), "{name}");
    }
    still_serves(&served).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_unread() {
    let served = Served::with_bundle();
    let channel = served.channel().await;
    let of = |bytes: usize| request("send", json!({ "a": "x".repeat(bytes) })).encode_to_vec();
    for (rpc, most) in [("Authorize", 1 << 20), ("Explain", 1 << 20), ("AuthorizeBatch", 16 << 20)] {
        let status = send(channel.clone(), rpc, of(most)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let want = format!("the message has more than {most} bytes; send less, or several messages");
        assert_eq!(status.message(), want, "{rpc}");
    }
    let item = field(1, &of(1 << 20));
    let batch = send(channel, "AuthorizeBatch", item).await.unwrap();
    let batch = pb::AuthorizeBatchResponse::decode(batch).unwrap();
    let want = "`context.a` is a text of 1048576 bytes; at most 65536 are taken (and 1 more field)";
    assert_eq!(batch.responses[0].reason, want);
    still_serves(&served).await;
}

#[tokio::test]
async fn millions_of_empty_elements_take_no_memory() {
    let served = Served::with_bundle();
    let channel = served.channel().await;
    let before = resident_bytes();
    let many = |number: u8| [number << 3 | 2, 0].repeat(8 << 20);
    let list = field(6, &[0x0a, 0].repeat(7 << 20));
    let context = field(3, &field(1, &[field(1, b"a"), field(2, &list)].concat()));
    let in_batch = |item: Vec<u8>| field(1, &item);
    for (rpc, bytes, code) in [
        ("AuthorizeBatch", many(1)[..15 << 20].to_vec(), Code::InvalidArgument),
        ("AuthorizeBatch", in_batch(many(12)[..15 << 20].to_vec()), Code::InvalidArgument),
        ("AuthorizeBatch", in_batch(field(3, &[0x0a, 0].repeat(7 << 20))), Code::InvalidArgument),
        ("AuthorizeBatch", in_batch(context), Code::InvalidArgument),
        ("Authorize", many(12)[..1 << 20].to_vec(), Code::InvalidArgument),
        ("ReportBatch", many(1)[..15 << 20].to_vec(), Code::InvalidArgument),
        ("RetryDecision", many(12)[..1 << 20].to_vec(), Code::InvalidArgument),
        ("Budget", field(3, &[0x0a, 0].repeat(500 << 10)), Code::InvalidArgument),
        ("WaitApproval", [0x0a, 0].repeat(500 << 10), Code::InvalidArgument),
    ] {
        let status = send(channel.clone(), rpc, bytes).await.unwrap_err();
        assert_eq!(status.code(), code, "{rpc}: {status}");
    }
    let mut empty = [field(1, &[0x0a, 0].repeat(500 << 10)), request("send", json!({})).encode_to_vec()];
    empty[1] = field(1, &empty[1]);
    let got = stream(channel, empty.map(Bytes::from).to_vec()).await;
    assert_eq!(got.len(), 2);
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 256 << 20, "grew by {grown} bytes");
    still_serves(&served).await;
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

#[tokio::test]
async fn strange_values_get_an_answer() {
    let served = Served::with_bundle();
    let mut client = served.client().await;
    for context in [
        json!({"amount": "\0"}),
        json!({"amount": null, "\0": "\u{202e}"}),
        json!({"": {"": [[], {}]}}),
        json!({"amount": 9_007_199_254_740_993_i64}),
    ] {
        client.authorize(request("send", context)).await.unwrap();
    }
    for number in [f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, -0.0] {
        let mut sent = request("transfer", json!({}));
        let kind = Some(pb::Kind::Number(number));
        let value = Some(pb::Value { kind });
        sent.context.as_mut().unwrap().fields.push(pb::Entry { key: "amount".into(), value });
        let got = client.authorize(sent).await.unwrap().into_inner();
        assert_eq!(got.effect(), Effect::RequireApproval, "{number}");
    }
}

#[tokio::test]
async fn a_client_that_hangs_up_half_way_harms_nobody() {
    let served = Served::with_bundle();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    for cut in [0, 5, preface.len()] {
        let mut stream = TcpStream::connect(served.addr).unwrap();
        stream.write_all(&preface[..cut]).unwrap();
        drop(stream);
    }
    let mut noise = TcpStream::connect(served.addr).unwrap();
    noise.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    // The server hangs up on it, whatever it says first.
    let _ = noise.read_to_end(&mut Vec::new());
    still_serves(&served).await;
}
