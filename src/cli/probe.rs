//! One GET to the probes and the status of a running process.

use anyhow::{Context as _, anyhow};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use std::time::Duration;
use tokio::net::TcpStream;

/// What a process answered.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

/// The most that a status may hold; beyond it something else answers.
const MOST_BYTES: usize = 4 << 20;

/// Asks `address` (host:port, with or without `http://`) for `path`.
///
/// # Errors
/// Nobody answers within `patience`, or not in HTTP.
pub fn get(address: &str, path: &str, patience: Duration) -> anyhow::Result<Reply> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { tokio::time::timeout(patience, ask(address, path)).await });
    answer
        .unwrap_or_else(|_| Err(anyhow!("no answer within {} seconds", patience.as_secs_f64())))
        .with_context(|| {
            format!("{address}: `{path}` cannot be asked for; is `tollgate serve` running there?")
        })
}

async fn ask(address: &str, path: &str) -> anyhow::Result<Reply> {
    anyhow::ensure!(!address.starts_with("https://"), "the metrics port speaks no TLS; write `http://`");
    let host = address.trim_start_matches("http://").trim_end_matches('/');
    let stream = TcpStream::connect(host).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get(path)
        .header(hyper::header::HOST, host)
        .header(hyper::header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let body =
        Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| anyhow!(error))?;
    connection.abort();
    Ok(Reply { status, body: String::from_utf8_lossy(&body.to_bytes()).into_owned() })
}
