//! Calls of a server without a connection: the bytes that a client sends, and those that it gets.

use std::convert::Infallible;
use std::sync::LazyLock;

use axum::body::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::runtime::{Builder, Runtime};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// The answer to one message of gRPC.
pub(crate) fn grpc<S>(mut server: S, method: &str, message: &[u8]) -> Result<Bytes, Status>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let length = u32::try_from(message.len()).expect("an input is small").to_be_bytes();
    let sent: Vec<u8> = [0].into_iter().chain(length).chain(message.iter().copied()).collect();
    let request = Request::post(method)
        .header("content-type", "application/grpc")
        .body(Body::new(Full::new(Bytes::from(sent))))
        .expect("a request");
    let (head, body) = RUNTIME.block_on(async {
        let (head, body) = server.call(request).await.unwrap_or_else(|never| match never {}).into_parts();
        (head, body.collect().await.expect("an answer ends"))
    });
    let status = |headers: &HeaderMap| Status::from_header_map(headers);
    let ended = body.trailers().and_then(status).or_else(|| status(&head.headers)).expect("a status");
    let mut answer = body.to_bytes();
    match ended.code() {
        Code::Ok => Ok(answer.split_off(5)),
        _ => Err(ended),
    }
}

/// What is refused is refused for a reason, within what a header takes, and for one of these.
pub(crate) fn refused(status: &Status, codes: &[Code]) {
    let said = status.details().len() + status.message().len();
    assert!(codes.contains(&status.code()) && said < 8 << 10 && !status.message().is_empty(), "{status:?}");
}

/// The answer to a body of JSON.
pub(crate) fn json(mut router: axum::Router, path: &str, body: &[u8]) -> (StatusCode, Bytes) {
    let request = Request::post(path)
        .header("content-type", "application/json")
        .body(axum::body::Body::from(body.to_vec()))
        .expect("a request");
    RUNTIME.block_on(async {
        let answer = router.call(request).await.unwrap_or_else(|never| match never {});
        let status = answer.status();
        (status, answer.into_body().collect().await.expect("an answer ends").to_bytes())
    })
}
