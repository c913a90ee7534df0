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
use http_body::{Frame, SizeHint};
use metrics::counter;
use tonic::Status;
use tonic::body::Body;

use crate::telemetry::metrics::REQUESTS_SHED;

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
    pub(super) const fn meter(self: Arc<Self>, body: Body) -> Metered {
        Metered { body, intake: self, received: 0, counted: 0 }
    }

    fn hold(&self, bytes: usize) -> Result<(), Status> {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held <= self.most {
            return Ok(());
        }
        counter!(REQUESTS_SHED).increment(1);
        let most = self.most;
        Err(Status::resource_exhausted(format!(
            "requests that are not complete hold more than {most} bytes; send fewer at once"
        )))
    }
}

/// A body that is counted while it is held.
pub(super) struct Metered {
    body: Body,
    intake: Arc<Intake>,
    received: usize,
    counted: usize,
}

impl Metered {
    fn count(&mut self, bytes: usize) -> Result<(), Status> {
        self.received += bytes;
        let beyond = self.received.saturating_sub(FREE_BYTES) - self.counted;
        if beyond == 0 {
            return Ok(());
        }
        self.counted += beyond;
        self.intake.hold(beyond)
    }
}

impl http_body::Body for Metered {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
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

impl Drop for Metered {
    fn drop(&mut self) {
        if self.counted > 0 {
            self.intake.held.fetch_sub(self.counted, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Body as _;

    async fn next(body: &mut Metered) -> Result<usize, tonic::Code> {
        let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
        let frame = frame.expect("a frame").map_err(|status| status.code())?;
        Ok(frame.data_ref().map_or(0, Bytes::len))
    }

    #[tokio::test]
    async fn only_large_requests_are_counted_and_shed() {
        let intake = Arc::new(Intake::new(100));
        let body = |bytes: usize| Arc::clone(&intake).meter(Body::new("x".repeat(bytes)));
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
