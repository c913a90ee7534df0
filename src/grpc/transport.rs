//! HTTP/2 on one connection: what a client may have open and send ahead, and a turn for each call.
//!
//! Calls are begun here and not by a ready-made server, since a call can be dropped: that
//! resets its stream and nothing beside it, which is how a client that asks and does not read loses
//! what it asked and keeps its connection.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use metrics::counter;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use super::answer::Answer;
use super::front::Front;
use super::line::Line;
use super::outgoing::Watch;
use super::patience::Patient;
use super::turns::Turns;
use crate::telemetry::metrics::REQUESTS_SHED;

/// What a client may send ahead on one stream, and on all streams of a connection.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// What is kept of an answer that the client's window has room for and the wire has not.
const SEND_BUFFER: usize = 64 << 10;
/// After so long without a frame a peer is asked whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// And after so long without an answer it does not.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// Calls of one serving thread that are not over, be it that their answers are not read. Beyond it
/// connections that have more than a few of them are closed.
const CALLS: usize = 32_768;
const A_FEW: usize = 64;

/// What one connection may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Calls at one time.
    pub calls: u32,
    /// Bytes of a list of headers.
    pub header_bytes: u32,
    /// How long an answer may wait for its client.
    pub stalled: Duration,
    /// How long a call may take to be answered.
    pub request: Duration,
}

/// How the connections of one serving thread are served.
#[derive(Clone)]
pub(super) struct Transport {
    pub front: Arc<Front>,
    pub bounds: Bounds,
    pub drain: CancellationToken,
    /// The calls of this thread that are not over.
    pub calls: Arc<AtomicUsize>,
    /// And those of them that nobody has looked at.
    pub turns: Arc<Turns>,
}

impl Transport {
    /// Serves one connection to its end.
    pub(super) async fn serve(self, connection: Patient, line: Arc<Line>) {
        let Bounds { calls, header_bytes, .. } = self.bounds;
        let tasks =
            Tasks { line: Arc::clone(&line), bounds: self.bounds, calls: self.calls, turns: self.turns };
        let mut http = http2::Builder::new(tasks);
        http.timer(TokioTimer::new())
            .max_concurrent_streams(calls)
            // Calls that are cancelled in a burst must not end the connection for all others.
            .max_pending_accept_reset_streams(calls as usize)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(header_bytes)
            // Nobody reads a date in an answer of gRPC.
            .auto_date_header(false)
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let serving = http.serve_connection(TokioIo::new(connection), Calls { front: self.front, line });
        let mut serving = pin!(serving);
        let ended = tokio::select! {
            ended = serving.as_mut() => ended,
            () = self.drain.cancelled() => {
                serving.as_mut().graceful_shutdown();
                serving.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection failed");
        }
    }
}

/// Takes the calls of one connection.
struct Calls {
    front: Arc<Front>,
    line: Arc<Line>,
}

impl hyper::service::Service<Request<Incoming>> for Calls {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Answer {
        Answer::new(&self.front, &self.line, request)
    }
}

/// Gives each call of one connection its turn.
#[derive(Clone)]
struct Tasks {
    line: Arc<Line>,
    bounds: Bounds,
    calls: Arc<AtomicUsize>,
    turns: Arc<Turns>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, call: F) {
        let open = Open(Arc::clone(&self.calls), Arc::clone(&self.line));
        let of_connection = self.line.open();
        if self.calls.fetch_add(1, Ordering::Relaxed) >= CALLS && of_connection > A_FEW && self.line.cut() {
            counter!(REQUESTS_SHED, "reason" => "memory").increment(1);
        }
        let Bounds { stalled, request, .. } = self.bounds;
        // The call was made just before this, on the same thread.
        let watch = self.line.take_watch().map(|writing| Watch::new(writing, stalled));
        self.turns.push(Box::pin(async move {
            let (mut call, mut watch, _open) = (pin!(call), watch, open);
            let (mut late, mut is_new) = (None, true);
            std::future::poll_fn(|cx: &mut Context<'_>| {
                // A new call says first that it has its turn; one that was reset is over then.
                let is_over = std::mem::take(&mut is_new) && call.as_mut().poll(cx).is_ready();
                if is_over || call.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                let stalled = match &mut watch {
                    Some(watch) => watch.poll_stalled(cx),
                    // A short answer is written at once, or its client does not take it.
                    None => late.get_or_insert_with(|| Box::pin(sleep(request + stalled))).as_mut().poll(cx),
                };
                stalled.map(|()| counter!(REQUESTS_SHED, "reason" => "stalled").increment(1))
            })
            .await;
        }));
    }
}

/// A call that is not over.
struct Open(Arc<AtomicUsize>, Arc<Line>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.close();
    }
}
