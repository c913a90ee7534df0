//! What stands between the hub and one subscriber: a bounded queue, and the end of it.
//!
//! The hub never waits. Who has not taken what the queue holds when the next event comes is cut
//! off: the queue is emptied, so that a stream that nobody reads holds no memory, and the
//! subscriber is told after which event to go on.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio_stream::Stream;

use super::hub::Bell;
use super::id::EventId;
use super::journal::Recorded;

/// The subscriber was too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the subscriber was too slow: {waiting} events waited for it, so it is dropped; \
     read faster, and resume with `after_event_id` = `{resume}`"
)]
pub struct Lagged {
    /// How many events waited.
    pub waiting: usize,
    /// The place after which nothing was delivered.
    pub resume: EventId,
}

/// The queue of one subscriber.
#[derive(Debug)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    /// The most events that may wait.
    room: usize,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Arc<Recorded>>,
    waker: Option<Waker>,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The hub is gone.
    Hub,
    /// The subscriber is.
    Subscriber,
    Lagged(Lagged),
}

/// What came of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    Yes,
    /// The subscriber has gone away.
    Gone,
    /// It was too slow and is cut off.
    Lagged,
}

impl Mailbox {
    /// One that begins with these events; so many more may wait.
    pub(super) fn new(queue: VecDeque<Arc<Recorded>>, more: usize) -> Self {
        let room = queue.len().saturating_add(more);
        Self { inner: Mutex::new(Inner { queue, ..Inner::default() }), room }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event in, or cuts the subscriber off.
    pub(super) fn deliver(&self, event: &Arc<Recorded>) -> Delivered {
        let mut inner = self.lock();
        if inner.end.is_some() {
            return Delivered::Gone;
        }
        let waiting = inner.queue.len();
        let oldest = inner.queue.front().map_or(event.id, |oldest| oldest.id);
        let dropped = if waiting < self.room {
            inner.queue.push_back(Arc::clone(event));
            None
        } else {
            inner.end = Some(End::Lagged(Lagged { waiting, resume: oldest.before() }));
            Some(std::mem::take(&mut inner.queue))
        };
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if dropped.is_some() { Delivered::Lagged } else { Delivered::Yes }
    }

    /// Ends the stream after what it holds.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.end.get_or_insert(End::Hub);
        let waker = inner.waker.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Whether nothing can be delivered any more.
    pub(super) fn is_over(&self) -> bool {
        self.lock().end.is_some()
    }
}

/// The events that one subscriber asked for, as they come. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Subscription {
    mailbox: Arc<Mailbox>,
    bell: Bell,
}

impl Subscription {
    pub(super) const fn new(mailbox: Arc<Mailbox>, bell: Bell) -> Self {
        Self { mailbox, bell }
    }
}

impl Stream for Subscription {
    type Item = Result<Arc<Recorded>, Lagged>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.mailbox.lock();
        if let Some(event) = inner.queue.pop_front() {
            return Poll::Ready(Some(Ok(event)));
        }
        match inner.end {
            Some(End::Lagged(lagged)) => {
                inner.end = Some(End::Subscriber);
                Poll::Ready(Some(Err(lagged)))
            }
            Some(End::Hub | End::Subscriber) => Poll::Ready(None),
            None => {
                inner.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut inner = self.mailbox.lock();
        inner.end = Some(End::Subscriber);
        let rest = std::mem::take(&mut inner.queue);
        drop(inner);
        drop(rest);
        self.bell.ring();
    }
}
