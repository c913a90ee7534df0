//! Answers on their way out: how many bytes the transport holds that are not on the wire yet.
//!
//! The window of HTTP/2 says how much a client may be sent, not how much it takes: who grants a large
//! window and reads nothing would have the server keep all of it. So what is handed over is counted
//! until the last reference to it is gone, which is when it was written or given up.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};
use tonic::Status;
use tonic::body::Body;

/// What one stream may have on its way: enough to keep the wire busy.
const MOST_BYTES: usize = 128 << 10;

/// All that one serving thread has on its way.
#[derive(Debug)]
pub(super) struct Held {
    bytes: AtomicUsize,
    most: usize,
}

impl Held {
    /// Full at so many bytes.
    pub(super) const fn new(most: usize) -> Self {
        Self { bytes: AtomicUsize::new(0), most }
    }

    /// Whether no more should be started.
    pub(super) fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) >= self.most
    }
}

/// What one call has on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    thread: Arc<Held>,
    bytes: AtomicUsize,
    /// Pieces that have left.
    left: AtomicU64,
    waker: Mutex<Option<Waker>>,
}

impl Outgoing {
    pub(super) fn new(thread: &Arc<Held>) -> Arc<Self> {
        let thread = Arc::clone(thread);
        Arc::new(Self {
            thread,
            bytes: AtomicUsize::new(0),
            left: AtomicU64::new(0),
            waker: Mutex::new(None),
        })
    }

    /// Counts this until it has left.
    pub(super) fn send<T: AsRef<[u8]> + Send + 'static>(self: &Arc<Self>, data: T) -> Bytes {
        let bytes = data.as_ref().len();
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.thread.bytes.fetch_add(bytes, Ordering::Relaxed);
        Bytes::from_owner(Sent { data, bytes, by: Arc::clone(self) })
    }

    /// Whether enough is on its way; if so, the task is woken when something has left.
    pub(super) fn is_full(&self, cx: &Context<'_>) -> bool {
        if self.bytes.load(Ordering::Relaxed) < MOST_BYTES {
            return false;
        }
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        true
    }

    fn is_empty(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) == 0
    }
}

/// A piece on its way.
struct Sent<T> {
    data: T,
    bytes: usize,
    by: Arc<Outgoing>,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Sent<T> {
    fn as_ref(&self) -> &[u8] {
        self.data.as_ref()
    }
}

impl<T> Drop for Sent<T> {
    fn drop(&mut self) {
        self.by.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.by.thread.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
        self.by.left.fetch_add(1, Ordering::Relaxed);
        let waker = self.by.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// A body whose bytes are counted.
pub(super) struct Tracked {
    pub body: Body,
    pub out: Arc<Outgoing>,
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        polled.map_ok(|frame| frame.map_data(|data| self.out.send(data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Notices when a client takes nothing of what is on its way to it.
#[derive(Debug)]
pub(super) struct Watch {
    out: Arc<Outgoing>,
    longest: Duration,
    seen: u64,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    /// It may take nothing for so long; it is noticed within twice that time.
    pub(super) const fn new(out: Arc<Outgoing>, longest: Duration) -> Self {
        Self { out, longest, seen: 0, timer: None }
    }

    /// Ready when it has taken nothing for too long.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.out.is_empty() {
            self.timer = None;
            return Poll::Pending;
        }
        let timer = self.timer.get_or_insert_with(|| {
            self.seen = self.out.left.load(Ordering::Relaxed);
            Box::pin(sleep(self.longest))
        });
        while timer.as_mut().poll(cx).is_ready() {
            let left = self.out.left.load(Ordering::Relaxed);
            if left == self.seen {
                return Poll::Ready(());
            }
            self.seen = left;
            timer.as_mut().reset(Instant::now() + self.longest);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_on_its_way_is_counted_until_it_has_left() {
        let thread = Arc::new(Held::new(MOST_BYTES));
        let out = Outgoing::new(&thread);
        let mut cx = Context::from_waker(Waker::noop());
        let piece = out.send(vec![0; MOST_BYTES]);
        let (head, tail) = (piece.slice(..10), piece.slice(10..));
        drop(piece);
        assert!(out.is_full(&cx) && thread.is_full());
        let mut watch = Watch::new(Arc::clone(&out), Duration::from_secs(10));
        assert!(watch.poll_stalled(&mut cx).is_pending());
        drop(head);
        assert!(out.is_full(&cx), "half of it is still there");
        drop(tail);
        assert!(!out.is_full(&cx) && !thread.is_full());
        assert!(watch.poll_stalled(&mut cx).is_pending());
    }

    #[tokio::test]
    async fn who_takes_something_now_and_then_is_waited_for() {
        let out = Outgoing::new(&Arc::new(Held::new(1)));
        let longest = Duration::from_millis(60);
        let mut watch = Watch::new(Arc::clone(&out), longest);
        let mut pieces: Vec<Bytes> = (0..4).map(|_| out.send(vec![1])).collect();
        let mut left = 0;
        while !pieces.is_empty() {
            let stalled = std::future::poll_fn(|cx| watch.poll_stalled(cx));
            match tokio::time::timeout(longest / 3, stalled).await {
                Err(_) if left < 3 => {
                    pieces.pop();
                    left += 1;
                }
                Err(_) => {}
                Ok(()) => break,
            }
        }
        assert_eq!((left, pieces.len()), (3, 1), "it stalled with the last one only");
    }
}
