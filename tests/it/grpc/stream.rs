//! Many questions on one stream.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use serde_json::json;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use tollgate::grpc::Overload;
use tollgate::pb::{self, Effect, ReasonCode};
use tonic::Code;
use tonic::codec::CompressionEncoding;

use super::hostile::{field, still_serves, stream};
use crate::served::{BUNDLE, Served, request};

fn item(id: &str, action: &str, context: serde_json::Value) -> pb::AuthorizeStreamRequest {
    let request = pb::AuthorizeRequest { request_id: id.into(), ..request(action, context) };
    pb::AuthorizeStreamRequest { request: Some(request), ..Default::default() }
}

/// How long a machine with other work lets requests wait is none of these tests' matter.
fn patient() -> Overload {
    Overload { wait: Duration::ZERO, ..Overload::default() }
}

fn small(id: usize) -> pb::AuthorizeStreamRequest {
    item(&id.to_string(), if id.is_multiple_of(2) { "send" } else { "delete" }, json!({"amount": 1}))
}

fn told(answer: pb::AuthorizeStreamResponse) -> (String, Effect, ReasonCode) {
    let answer = answer.response.unwrap();
    (answer.request_id.clone(), answer.effect(), answer.reason_code())
}

#[tokio::test]
async fn thousands_in_flight_are_all_answered_by_their_ids() {
    const MANY: usize = 20_000;
    let served = Served::with_bundle();
    let sent = tokio_stream::iter((0..MANY).map(small));
    let mut answers = served.client().await.authorize_stream(sent).await.unwrap().into_inner();
    let mut seen = HashSet::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let (id, effect, code) = told(answer);
        let number: usize = id.parse().unwrap();
        let want = if number.is_multiple_of(2) { Effect::Allow } else { Effect::Deny };
        assert_eq!((effect, code), (want, ReasonCode::Rule), "{id}");
        assert!(seen.insert(number), "{id} came twice");
    }
    assert_eq!(seen.len(), MANY);
    assert_eq!(served.plane.status().decisions, MANY as u64);
}

#[tokio::test]
async fn an_item_is_answered_before_the_next_is_sent() {
    let served = Served::with_bundle();
    let (send, sent) = tokio::sync::mpsc::channel(1);
    let asked = served.client().await.authorize_stream(ReceiverStream::new(sent)).await;
    let mut answers = asked.unwrap().into_inner();
    for id in 0..20 {
        send.send(small(id)).await.unwrap();
        let answer = answers.next().await.unwrap().unwrap();
        assert_eq!(told(answer).0, id.to_string());
    }
    drop(send);
    assert!(answers.next().await.is_none());
}

#[tokio::test]
async fn an_item_that_is_wrong_is_denied_and_the_stream_lives_on() {
    let served = Served::with_bundle();
    let good = |id: &str| Bytes::from(item(id, "send", json!({"amount": 1})).encode_to_vec());
    let mut bad_phase = item("phase", "send", json!({}));
    bad_phase.request.as_mut().unwrap().phase = 9;
    let long = item("long", "send", json!({ "a": "x".repeat(1 << 20) }));
    let items = vec![
        good("first"),
        Bytes::from(vec![0xff; 64]),
        Bytes::from(field(1, &field(10, b"half")).split_last().unwrap().1.to_vec()),
        Bytes::new(),
        good(""),
        Bytes::from(bad_phase.encode_to_vec()),
        Bytes::from(long.encode_to_vec()),
        good("twice"),
        good("twice"),
        Bytes::from(item(&"n".repeat(300), "send", json!({})).encode_to_vec()),
        good("last"),
    ];
    let got = stream(served.channel().await, items).await;
    let told: Vec<_> = got.iter().map(|one| (one.request_id.as_str(), one.effect())).collect();
    let denied = |id| (id, Effect::Deny);
    let allowed = |id| (id, Effect::Allow);
    let want = [
        allowed("first"),
        denied(""),
        denied(""),
        denied(""),
        denied(""),
        denied("phase"),
        denied(""),
        allowed("twice"),
        denied("twice"),
        denied(""),
        allowed("last"),
    ];
    assert_eq!(told, want, "{got:#?}");
    let wrong: Vec<_> = got.iter().filter(|one| one.effect() == Effect::Deny).collect();
    assert!(
        wrong.iter().all(|one| one.reason_code() == ReasonCode::InvalidRequest && !one.reason.is_empty())
    );
    assert!(wrong[6].reason.contains("that of another request in flight"), "{}", wrong[6].reason);
    assert!(wrong[5].reason.contains("at most 1048576 are taken"), "{}", wrong[5].reason);
    assert_eq!(wrong[4].reason, "`phase` is 9, which is no phase; send 0 to 2");
}

#[tokio::test]
async fn what_is_compressed_is_refused_before_it_is_inflated() {
    let served = Served::with_bundle();
    let bomb = json!({ "a": "\0".repeat(60 << 10), "b": "\0".repeat(60 << 10) });
    let mut client = served.client().await.send_compressed(CompressionEncoding::Gzip);
    let status = client.authorize(request("send", bomb.clone())).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    let status = client.authorize_stream(tokio_stream::iter([item("a", "send", bomb)])).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented, "{status}");
    assert_eq!(status.metadata().get("grpc-accept-encoding").unwrap(), "identity");
    still_serves(&served).await;
}

#[tokio::test]
async fn a_drain_answers_what_is_in_flight_and_ends_the_stream() {
    let served = Served::with_bundle();
    let (send, sent) = tokio::sync::mpsc::channel(1_000);
    let asked = served.client().await.authorize_stream(ReceiverStream::new(sent)).await;
    let mut answers = asked.unwrap().into_inner();
    for id in 0..500 {
        send.send(small(id)).await.unwrap();
    }
    // The server has the stream before it is told to end.
    assert_eq!(told(answers.next().await.unwrap().unwrap()).0, "0");
    let begin = Instant::now();
    served.shutdown.cancel();
    let mut got = 1;
    let ended = loop {
        match answers.next().await {
            Some(Ok(_)) => got += 1,
            Some(Err(status)) => break Some(status.code()),
            None => break None,
        }
    };
    assert_eq!((got, ended), (500, Some(Code::Unavailable)));
    tokio::task::spawn_blocking(|| served.stop()).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
}

/// A stream on which requests are sent for as long as the server takes them, and no answer is read.
#[tokio::test]
async fn who_never_reads_harms_nobody_and_loses_the_stream_alone() {
    let served = Served::bounded(BUNDLE, Overload { stalled: Duration::from_secs(2), ..patient() });
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&taken);
    let endless = tokio_stream::iter((0..).map(small)).map(move |item| {
        counted.fetch_add(1, Ordering::Relaxed);
        item
    });
    let mut client = served.client().await;
    let mut answers = client.authorize_stream(endless).await.unwrap().into_inner();
    let mut before = usize::MAX;
    while taken.load(Ordering::Relaxed) != before {
        before = taken.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(200)).await;
        // On the same thread, by another connection and by this one.
        still_serves(&served).await;
        client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
    }
    assert!(before < 50_000, "the server took {before} requests of a client that reads nothing");
    // Only those that the client's own window had room for come; then the stream is reset.
    let deadline = Instant::now() + Duration::from_secs(30);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let ended = loop {
        match answers.next().await {
            Some(Ok(_)) => assert!(Instant::now() < deadline, "it is never shed"),
            Some(Err(status)) => break status,
            None => panic!("it ended well"),
        }
    };
    assert_eq!(ended.code(), Code::Cancelled, "{ended}");
    client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
}

#[tokio::test]
async fn a_hot_stream_leaves_others_their_turn() {
    let served = Served::bounded(BUNDLE, patient());
    let endless = tokio_stream::iter((0..).map(small));
    let mut answers = served.client().await.authorize_stream(endless).await.unwrap().into_inner();
    let hot = tokio::spawn(async move {
        let mut got = 0_u64;
        while answers.message().await.is_ok_and(|answer| answer.is_some()) {
            got += 1;
            if got.is_multiple_of(1_000) {
                tokio::task::yield_now().await;
            }
        }
    });
    let mut other = served.client().await;
    let begin = Instant::now();
    for _ in 0..50 {
        other.authorize(request("send", json!({"amount": 1}))).await.unwrap();
    }
    assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    hot.abort();
}

#[tokio::test]
async fn only_so_many_streams_are_open() {
    let served = Served::bounded(BUNDLE, Overload { streams: 2, ..patient() });
    let mut client = served.client().await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let (send, sent) = tokio::sync::mpsc::channel(1);
        let answers = client.authorize_stream(ReceiverStream::new(sent)).await.unwrap();
        open.push((send, answers));
    }
    let status = client.authorize_stream(tokio_stream::iter([small(1)])).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "100");
    open.pop();
    let again = async {
        while client.authorize_stream(tokio_stream::iter([small(1)])).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
}
