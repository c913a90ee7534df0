//! The one answer to a caller whose certificate is good and whose name is not.
//!
//! An alert would reach people as "connection closed", if at all: with TLS 1.3 the caller's side of
//! the handshake is over before the server has seen the certificate.

use super::door::Port;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use std::convert::Infallible;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::time::timeout;
use tonic::Status;

/// So long after the first request the others are answered, too.
const MORE: Duration = Duration::from_millis(500);

/// Answers the first requests so, and ends the connection.
pub(super) async fn answer<S>(stream: S, port: Port, why: String)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = Notify::new();
    let respond = service_fn(|_| {
        asked.notify_one();
        std::future::ready(Ok::<_, Infallible>(refusal(port, &why)))
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), respond);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = asked.notified() => {}
    }
    // Calls that follow at once would else meet a connection that closes, which tells them nothing.
    if timeout(MORE, connection.as_mut()).await.is_ok() {
        return;
    }
    connection.as_mut().graceful_shutdown();
    // It ends either way.
    let _ = connection.await;
}

fn refusal(port: Port, why: &str) -> Response<Full<Bytes>> {
    match port {
        Port::Grpc => Status::permission_denied(why).into_http(),
        Port::Http => {
            let mut response = Response::new(Full::from(format!("{why}\n")));
            *response.status_mut() = StatusCode::FORBIDDEN;
            let text = header::HeaderValue::from_static("text/plain; charset=utf-8");
            response.headers_mut().insert(header::CONTENT_TYPE, text);
            response
        }
    }
}
