//! Connections that are old enough: they take no more calls, and lose none.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;
use tollgate::grpc::{Options, Overload};
use tollgate::pb;
use tonic::Code;

use crate::served::{self, BUNDLE, Served, request};

const AGE: Duration = Duration::from_secs(1);
/// An age is spread by a tenth, and clocks are read twice.
const LEAST: Duration = Duration::from_millis(850);
/// Longer than anything takes, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(60);

fn aging() -> Served {
    let plane = served::plane();
    served::install(&plane, BUNDLE);
    let overload = Overload { wait: Duration::ZERO, age: AGE, ..Overload::default() };
    Served::start_as(plane, Options { threads: 1, overload, ..Options::default() }, DEADLINE)
}

#[tokio::test]
async fn what_is_in_flight_on_an_old_connection_is_answered() {
    let served = aging();
    let stream = tokio::net::TcpStream::connect(served.addr).await.unwrap();
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let message = request("send", json!({"amount": 1})).encode_to_vec();
    let head = [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat();
    let (send, sent) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(2);
    send.send(Ok(Frame::data(head.into()))).await.unwrap();
    let asked =
        http::Request::post(format!("http://{}/tollgate.v1.PolicyDecisionService/Authorize", served.addr))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(StreamBody::new(ReceiverStream::new(sent)))
            .unwrap();
    let answer = client.send_request(asked);
    let answer = tokio::spawn(answer);
    tokio::time::sleep(2 * AGE).await;
    assert!(!answer.is_finished() && !connection.is_finished());
    send.send(Ok(Frame::data(message.into()))).await.unwrap();
    drop(send);
    let body = answer.await.unwrap().unwrap().into_body().collect().await.unwrap();
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    let answer = pb::AuthorizeResponse::decode(body.to_bytes().slice(5..)).unwrap();
    assert_eq!(answer.effect(), pb::Effect::Allow);
    // The client keeps it; it ends all the same.
    tokio::time::timeout(DEADLINE, connection).await.expect("it gets older and older").unwrap().unwrap();
    assert!(client.ready().await.is_err());
}

#[tokio::test]
async fn a_client_notices_nothing_between_its_calls() {
    let served = aging();
    let (mut client, began) = (served.client().await, Instant::now());
    while began.elapsed() < 4 * AGE {
        client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_connection_when_all_is_answered() {
    let served = aging();
    let (send, sent) = tokio::sync::mpsc::channel(1);
    let (mut client, began) = (served.client().await, Instant::now());
    let mut answers = client.authorize_stream(ReceiverStream::new(sent)).await.unwrap().into_inner();
    let ended = loop {
        assert!(began.elapsed() < DEADLINE, "it goes on and on");
        let request = Some(request("send", json!({"amount": 1})));
        let item = pb::AuthorizeStreamRequest { request, ..Default::default() };
        // Once it has ended nobody takes what is sent.
        let _ = send.try_send(item);
        match tokio::time::timeout(Duration::from_secs(1), answers.message()).await {
            Ok(Ok(answer)) => assert!(answer.is_some(), "it ended well"),
            Ok(Err(status)) => break status,
            Err(_) => {}
        }
    };
    assert!(began.elapsed() > LEAST);
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
    assert_eq!(ended.message(), "the connection ends; ask on another one what has no answer");
    client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
}

#[tokio::test]
async fn who_follows_for_ever_is_cut_after_the_grace() {
    let plane = served::plane();
    served::install(&plane, BUNDLE);
    let overload = Overload { age: AGE, ..Overload::default() };
    let served = Served::start_as(plane, Options { threads: 1, overload, ..Options::default() }, AGE);
    let (mut client, began) = (served.client().await, Instant::now());
    let followed = client.watch_events(pb::WatchEventsRequest::default()).await;
    let mut events = followed.unwrap().into_inner();
    let ended = tokio::time::timeout(DEADLINE, async { while let Ok(Some(_)) = events.message().await {} });
    ended.await.expect("it follows for ever");
    assert!(began.elapsed() > LEAST + AGE);
}
