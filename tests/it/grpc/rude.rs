//! Clients that no library would be: they harm nobody else, and do not last.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use prost::Message as _;
use serde_json::json;
use tollgate::grpc::Overload;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tonic::Code;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;

use super::hostile::still_serves;
use super::wire::{DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, Wire, frame, head, message};
use crate::binary::Serving;
use crate::served::{BUNDLE, Served, request};

const SOON: Duration = Duration::from_secs(30);

/// How long a machine with other work lets requests wait is none of these tests' matter.
fn patient() -> Overload {
    Overload { wait: Duration::ZERO, ..Overload::default() }
}

fn impatient() -> Overload {
    let soon = Duration::from_secs(1);
    Overload { handshake: soon, stalled: soon, request: soon, ..patient() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_nothing_is_let_go() {
    let served = Served::bounded(BUNDLE, impatient());
    let begin = Instant::now();
    let mut silent = Vec::new();
    for said in [&b""[..], b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0"] {
        let mut stream = TcpStream::connect(served.addr).unwrap();
        stream.write_all(said).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        silent.push(stream);
    }
    for mut stream in silent {
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    }
    assert!(begin.elapsed() < SOON, "{:?}", begin.elapsed());
    still_serves(&served).await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_given_up() {
    let served = Served::bounded(BUNDLE, impatient());
    let mut client = tonic::client::Grpc::new(served.channel().await);
    client.ready().await.unwrap();
    let path = "/tollgate.v1.PolicyDecisionService/Authorize".parse().unwrap();
    let never = tokio_stream::pending::<bytes::Bytes>();
    let asked = client.client_streaming(tonic::Request::new(never), path, super::hostile::Raw);
    let status = tokio::time::timeout(SOON, asked).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    still_serves(&served).await;
}

#[tokio::test]
async fn headers_without_measure_are_refused() {
    let overload = Overload { header_bytes: 4 << 10, ..patient() };
    let served = Served::bounded(BUNDLE, overload);
    let mut client = served.client().await;
    for (bytes, fits) in [(2 << 10, true), (8 << 10, false), (200 << 10, false)] {
        let mut sent = tonic::Request::new(request("send", json!({"amount": 1})));
        let value = MetadataValue::try_from("x".repeat(bytes)).unwrap();
        sent.metadata_mut().insert("x-large", value);
        assert_eq!(client.authorize(sent).await.is_ok(), fits, "{bytes} bytes");
    }
    still_serves(&served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_begins_and_gives_up_without_end_loses_the_connection() {
    let served = Served::bounded(BUNDLE, Overload::default());
    let mut wire = Wire::connect(served.addr);
    let cut = tokio::task::spawn_blocking(move || {
        (0..1_000).any(|_| {
            let mut burst = Vec::new();
            for _ in 0..200 {
                let stream = wire.stream();
                burst.extend(frame(HEADERS, END_HEADERS, stream, &head("Authorize")));
                burst.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            }
            !wire.send(&burst)
        })
    });
    assert!(cut.await.unwrap(), "200,000 calls were given up, and it goes on");
    let mut client = served.client().await;
    let again = async { while client.authorize(request("send", json!({"amount": 1}))).await.is_err() {} };
    tokio::time::timeout(SOON, again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_and_never_reads_loses_the_connection() {
    let served = Served::bounded(BUNDLE, impatient());
    let mut wire = Wire::connect(served.addr);
    let asked = message(&request("send", json!({"amount": 1})).encode_to_vec());
    let cut = tokio::task::spawn_blocking(move || {
        let begin = Instant::now();
        while begin.elapsed() < SOON {
            let mut burst = Vec::new();
            for _ in 0..100 {
                let stream = wire.stream();
                burst.extend(frame(HEADERS, END_HEADERS, stream, &head("Authorize")));
                burst.extend(frame(DATA, END_STREAM, stream, &asked));
            }
            if !wire.send(&burst) {
                return true;
            }
        }
        false
    });
    still_serves(&served).await;
    assert!(cut.await.unwrap(), "it could go on for ever");
    still_serves(&served).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_none_end_their_connection_alone() {
    let served = Served::bounded(BUNDLE, patient());
    let huge = frame(DATA, 0, 1, &[0; 20 << 10]);
    for (name, bytes) in [
        ("data of no stream", frame(DATA, 0, 1, b"x")),
        ("a frame that is too large", [frame(HEADERS, END_HEADERS, 1, &head("Authorize")), huge].concat()),
        ("headers that are no HPACK", frame(HEADERS, END_HEADERS, 1, &[0xff; 40])),
        ("a window that flows over", frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes()).repeat(2)),
        ("settings of half a setting", frame(4, 0, 0, &[0, 4, 0])),
        ("noise", vec![0x5a; 4 << 10]),
    ] {
        let mut wire = Wire::connect(served.addr);
        let closed = tokio::task::spawn_blocking(move || !wire.send(&bytes) || wire.is_closed());
        assert!(closed.await.unwrap(), "{name}");
        still_serves(&served).await;
    }
}

/// The real process, under all of them at once.
#[test]
fn the_process_stays_small_under_all_of_them() {
    const MOST: u64 = 400 << 20;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    let options = ["b.yaml", "--threads", "1", "--stalled-seconds", "1", "--request-seconds", "2"];
    let serving = Serving::start(folder.path(), &options);
    let addr = serving.grpc;
    let end = Instant::now() + Duration::from_secs(6);
    let item = request("send", json!({ "a": "x".repeat(50 << 10) }));
    let single = message(&item.encode_to_vec());
    let large = message(&vec![0; 1 << 20])[..900 << 10].to_vec();
    let many = message(
        &tollgate::pb::AuthorizeStreamRequest { request: Some(item), ..Default::default() }.encode_to_vec(),
    );
    let attack = |rpc: &'static str, bytes: Vec<u8>, ends: bool| {
        std::thread::spawn(move || {
            while Instant::now() < end {
                let mut wire = Wire::connect(addr);
                let _ = wire.stream.set_write_timeout(Some(Duration::from_millis(300)));
                let mut goes_on = true;
                while goes_on && Instant::now() < end {
                    let stream = wire.stream();
                    goes_on = wire.send(&frame(HEADERS, END_HEADERS, stream, &head(rpc)));
                    for part in bytes.chunks(16 << 10) {
                        goes_on &= wire.send(&frame(DATA, 0, stream, part));
                    }
                    if ends {
                        goes_on &= wire.send(&frame(DATA, END_STREAM, stream, &[]));
                    }
                }
            }
        })
    };
    let attackers = [
        attack("Authorize", single.clone(), true),
        attack("Authorize", large.clone(), false),
        attack("AuthorizeBatch", large, false),
        attack("Explain", single, true),
        attack("AuthorizeStream", many.repeat(16), false),
        attack("AuthorizeStream", many, false),
    ];
    attackers.into_iter().for_each(|attacker| attacker.join().unwrap());
    let most = serving.peak_bytes();
    assert!(most < MOST, "it took {most} bytes");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
        let mut client = PolicyDecisionServiceClient::new(endpoint.connect().await.unwrap());
        client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
    });
}
