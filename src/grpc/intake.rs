//! Bounds what requests that are not complete yet hold in memory.
//!
//! Each message has its bound, but a client may begin a thousand of them on one connection and
//! finish none. What they hold together is counted for each serving thread; past the bound the
//! request that asks for more is shed. Small ones are never counted, so they are never shed.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tonic::Status;

use super::line::Line;
use super::overload::refuse;

/// What each request may hold uncounted.
const FREE_BYTES: usize = 16 << 10;

/// What the requests of one serving thread hold.
#[derive(Debug)]
pub(super) struct Intake {
    held: AtomicUsize,
    most: usize,
}

impl Intake {
    /// At most so many bytes, those apart that are not counted.
    pub(super) const fn new(most: usize) -> Self {
        Self { held: AtomicUsize::new(0), most }
    }

    /// Counts what comes in with this body.
    pub(super) const fn meter<B>(self: Arc<Self>, body: B, line: Arc<Line>) -> Metered<B> {
        Metered { body, line, held: Holding::new(self), received: 0 }
    }

    fn hold(&self, bytes: usize) -> bool {
        self.held.fetch_add(bytes, Ordering::Relaxed) + bytes <= self.most
    }
}

/// What one request holds.
#[derive(Debug)]
pub(super) struct Holding {
    intake: Arc<Intake>,
    counted: usize,
}

impl Holding {
    pub(super) const fn new(intake: Arc<Intake>) -> Self {
        Self { intake, counted: 0 }
    }

    /// Says how much it holds now. False when all together hold too much.
    pub(super) fn is(&mut self, bytes: usize) -> bool {
        let counted = bytes.saturating_sub(FREE_BYTES);
        let before = std::mem::replace(&mut self.counted, counted);
        if counted <= before {
            self.intake.held.fetch_sub(before - counted, Ordering::Relaxed);
            return true;
        }
        self.intake.hold(counted - before)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.is(0);
    }
}

/// A body that is counted while it is held.
pub(super) struct Metered<B> {
    body: B,
    line: Arc<Line>,
    held: Holding,
    received: usize,
}

impl<B> Metered<B> {
    fn count(&mut self, bytes: usize) -> Result<(), Status> {
        self.received += bytes;
        if self.held.is(self.received) {
            return Ok(());
        }
        let most = self.held.intake.most;
        let why = format!("requests that are not complete hold more than {most} bytes; send fewer at once");
        Err(refuse("memory", why))
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Metered<B>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        let polled = polled.map_err(|error| {
            self.line.give_up();
            Status::from_error(error.into())
        });
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
            && let Err(shed) = self.count(data.len())
        {
            return Poll::Ready(Some(Err(shed)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::overload::Gate;
    use super::*;
    use crate::clock::Clock;
    use http_body_util::Full;
    use std::time::Duration;
    use tokio_util::sync::CancellationToken;

    async fn next(body: &mut Metered<Full<Bytes>>) -> Result<usize, tonic::Code> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let frame = frame.expect("a frame").map_err(|status| status.code())?;
        Ok(frame.data_ref().map_or(0, Bytes::len))
    }

    #[tokio::test]
    async fn only_large_requests_are_counted_and_shed() {
        let intake = Arc::new(Intake::new(100));
        let gate = Arc::new(Gate::new(Duration::ZERO, Clock::system()));
        let line = Line::new(gate, CancellationToken::new());
        let body = |bytes: usize| {
            Arc::clone(&intake).meter(Full::new(Bytes::from(vec![0; bytes])), Arc::clone(&line))
        };
        let (mut small, mut large, mut larger) =
            (body(FREE_BYTES), body(FREE_BYTES + 90), body(FREE_BYTES + 20));
        assert_eq!(next(&mut large).await, Ok(FREE_BYTES + 90));
        assert_eq!(next(&mut larger).await, Err(tonic::Code::ResourceExhausted));
        assert_eq!(next(&mut small).await, Ok(FREE_BYTES));
        drop((large, larger));
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
        assert_eq!(next(&mut body(FREE_BYTES + 100)).await, Ok(FREE_BYTES + 100));
    }
}
