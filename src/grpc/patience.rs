//! A connection that does not wait for ever: who connects must say something, and when the server
//! drains, who has nothing in flight is let go.

use std::future::Future as _;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

use super::listen::Connection;

/// The preface of HTTP/2 and the head of the SETTINGS behind it.
const HANDSHAKE_BYTES: usize = 24 + 9;
/// How long these may take.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// When draining: how long a connection must be quiet, with nothing in flight, to be closed.
const QUIET: Duration = Duration::from_millis(500);

/// The requests of one connection that have no answer yet.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

/// One of them.
#[derive(Debug)]
pub(super) struct Flight(InFlight);

impl InFlight {
    /// Counts one more until the result is dropped.
    pub(super) fn start(&self) -> Flight {
        self.0.fetch_add(1, Ordering::Relaxed);
        Flight(self.clone())
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection with its patience.
#[derive(Debug)]
pub(super) struct Patient {
    connection: Connection,
    in_flight: InFlight,
    drain: Pin<Box<WaitForCancellationFutureOwned>>,
    draining: bool,
    timer: Pin<Box<Sleep>>,
    received: usize,
    /// Whether bytes went either way since the timer was set.
    moved: bool,
    _place: OwnedSemaphorePermit,
}

impl Patient {
    /// Must be called on the thread that serves it.
    pub(super) fn new(connection: Connection, drain: CancellationToken, place: OwnedSemaphorePermit) -> Self {
        Self {
            connection,
            in_flight: InFlight::default(),
            drain: Box::pin(drain.cancelled_owned()),
            draining: false,
            timer: Box::pin(sleep(HANDSHAKE_TIME)),
            received: 0,
            moved: false,
            _place: place,
        }
    }

    /// Asked whenever the connection would wait; wakes it when the answer may have changed.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.draining && self.drain.as_mut().poll(cx).is_ready() {
            self.draining = true;
            self.wait();
        }
        match (self.received >= HANDSHAKE_BYTES, self.draining) {
            (true, false) => false,
            (false, false) => self.timer.as_mut().poll(cx).is_ready(),
            // Nobody has asked anything yet, and nobody shall.
            (false, true) => true,
            (true, true) => self.is_quiet(cx),
        }
    }

    fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            if !self.moved && self.in_flight.0.load(Ordering::Relaxed) == 0 {
                return true;
            }
            self.wait();
        }
        false
    }

    fn wait(&mut self) {
        self.moved = false;
        self.timer.as_mut().reset(Instant::now() + QUIET);
    }

    fn unless_over<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_pending() && self.is_over(cx) {
            return Poll::Ready(Err(ErrorKind::TimedOut.into()));
        }
        self.moved |= polled.is_ready();
        polled
    }
}

impl Connected for Patient {
    type ConnectInfo = InFlight;
    fn connect_info(&self) -> InFlight {
        self.in_flight.clone()
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.connection).poll_read(cx, into);
        self.received = self.received.saturating_add(into.filled().len() - before);
        self.unless_over(cx, polled)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.connection).poll_write(cx, bytes);
        self.unless_over(cx, polled)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.connection).poll_write_vectored(cx, parts);
        self.unless_over(cx, polled)
    }
    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // No reason to call it moving: it is asked all the time.
        Pin::new(&mut self.connection).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
