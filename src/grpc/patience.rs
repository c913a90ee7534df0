//! A connection that does not wait for ever: who connects must say something, who is written to must
//! read, and when the server drains, who has nothing in flight is let go. And one that does not take
//! more than its turn.

use std::future::Future as _;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use metrics::counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::line::Line;
use super::listen::Connection;
use crate::telemetry::metrics::REQUESTS_SHED;

/// The preface of HTTP/2 and the head of the SETTINGS behind it.
const HANDSHAKE_BYTES: usize = 24 + 9;
/// When draining: how long a connection must be quiet, with nothing in flight, to be closed.
const QUIET: Duration = Duration::from_millis(500);
/// What a connection may read before others have their turn.
const TURN_BYTES: usize = 256 << 10;

/// How long a connection is waited for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waits {
    /// Until it begins to speak HTTP/2.
    pub handshake: Duration,
    /// Until it takes something of what is written.
    pub stalled: Duration,
}

/// A connection with its patience.
#[derive(Debug)]
pub(super) struct Patient {
    connection: Connection,
    line: Arc<Line>,
    drain: Pin<Box<WaitForCancellationFutureOwned>>,
    draining: bool,
    timer: Pin<Box<Sleep>>,
    waits: Waits,
    received: usize,
    /// Of [`TURN_BYTES`].
    turn: usize,
    /// Whether bytes went either way since the timer was set.
    moved: bool,
    /// Runs while nothing can be written.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Patient {
    /// Must be called on the thread that serves it.
    pub(super) fn new(
        connection: Connection,
        line: Arc<Line>,
        waits: Waits,
        drain: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            connection,
            line,
            drain: Box::pin(drain.cancelled_owned()),
            draining: false,
            timer: Box::pin(sleep(waits.handshake)),
            waits,
            received: 0,
            turn: 0,
            moved: false,
            stalled: None,
            _place: place,
        }
    }

    /// Whether others come first: enough calls of this connection wait for their turn, or it has read
    /// enough for one. It is looked at again after them.
    fn gives_way(&mut self, cx: &Context<'_>) -> bool {
        let gives_way = self.line.is_full() || self.turn >= TURN_BYTES;
        if gives_way {
            self.turn = 0;
            cx.waker().wake_by_ref();
        }
        gives_way
    }

    /// Asked whenever the connection would wait; wakes it when the answer may have changed.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.draining && self.drain.as_mut().poll(cx).is_ready() {
            self.draining = true;
            self.wait();
        }
        match (self.received >= HANDSHAKE_BYTES, self.draining) {
            (true, false) => false,
            (false, false) => self.is_silent(cx),
            // Nobody has asked anything yet, and nobody shall.
            (false, true) => true,
            (true, true) => self.is_quiet(cx),
        }
    }

    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let silent = self.timer.as_mut().poll(cx).is_ready();
        if silent {
            counter!(REQUESTS_SHED, "reason" => "silent").increment(1);
        }
        silent
    }

    fn is_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            if !self.moved && self.line.is_idle() {
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

    fn written(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if polled.is_ready() {
            self.stalled = None;
        } else {
            let timer = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.waits.stalled)));
            if timer.as_mut().poll(cx).is_ready() {
                counter!(REQUESTS_SHED, "reason" => "stalled").increment(1);
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
        }
        self.unless_over(cx, polled)
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.line.is_over(cx.waker()) {
            return Poll::Ready(Err(ErrorKind::ConnectionAborted.into()));
        }
        if self.gives_way(cx) {
            return Poll::Pending;
        }
        let before = into.filled().len();
        let polled = Pin::new(&mut self.connection).poll_read(cx, into);
        let read = into.filled().len() - before;
        if read > 0 {
            self.received = self.received.saturating_add(read);
            self.turn += read;
            self.line.read();
        } else {
            self.turn = 0;
        }
        self.unless_over(cx, polled)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.connection).poll_write(cx, bytes);
        self.written(cx, polled)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.connection).poll_write_vectored(cx, parts);
        self.written(cx, polled)
    }
    fn is_write_vectored(&self) -> bool {
        // h2 gives each message of 256 bytes or more a write of its own where parts can be written, and
        // copies those under 1 KiB behind one another where not: a write for dozens of answers.
        false
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // No reason to call it moving: it is asked all the time.
        Pin::new(&mut self.connection).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(cx)
    }
}
