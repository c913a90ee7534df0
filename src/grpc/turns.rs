//! The calls of one serving thread, in the order in which they came.
//!
//! As tasks of their own they would stand in one line with the tasks that read connections, and what
//! comes meanwhile would wait unread, where nobody knows for how long. Here calls are answered for a
//! short time, then connections are read, and so on: what waits has been read, and its wait is known.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::task::yield_now;

use super::guard::caught;
use crate::clock::Clock;

/// So much time is spent on calls, in nanoseconds, before connections are read; it is looked at after
/// every few of them.
const TURN: u64 = 1_000_000;
const LOOK_EVERY: usize = 4;

/// A call and what is done until its answer has left.
pub(super) type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The calls that nobody has looked at yet.
#[derive(Default)]
pub(super) struct Turns {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    calls: VecDeque<Call>,
    waker: Option<Waker>,
}

impl Turns {
    /// Puts a call behind all others.
    pub(super) fn push(&self, call: Call) {
        let waker = {
            let mut waiting = self.lock();
            waiting.calls.push_back(call);
            waiting.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Begins call after call for as long as the thread serves. One that has to wait for something
    /// becomes a task of its own.
    pub(super) async fn take(&self, clock: &Clock) -> Infallible {
        loop {
            std::future::poll_fn(|cx| self.poll_some(cx)).await;
            let began = clock.monotonic();
            let mut taken = 0;
            while let Some(call) = self.next() {
                begin(call);
                taken += 1;
                if taken % LOOK_EVERY == 0 && clock.monotonic().saturating_sub(began) > TURN {
                    yield_now().await;
                    break;
                }
            }
        }
    }

    /// Gives up all that wait.
    pub(super) fn clear(&self) {
        let calls = std::mem::take(&mut self.lock().calls);
        drop(calls);
    }

    fn next(&self) -> Option<Call> {
        self.lock().calls.pop_front()
    }

    fn poll_some(&self, cx: &Context<'_>) -> Poll<()> {
        let mut waiting = self.lock();
        if waiting.calls.is_empty() {
            waiting.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Most calls are over at once. The others are asked again as tasks, which are woken.
fn begin(mut call: Call) {
    let mut once = Context::from_waker(Waker::noop());
    // Told and counted there; a call that panicked is gone, and its stream is reset.
    if let Ok(Poll::Pending) = caught("a call", || call.as_mut().poll(&mut once)) {
        tokio::spawn(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::{mpsc, oneshot};

    fn taking() -> Arc<Turns> {
        let turns = Arc::<Turns>::default();
        let taker = Arc::clone(&turns);
        tokio::spawn(async move { match taker.take(&Clock::system()).await {} });
        turns
    }

    #[tokio::test]
    async fn calls_are_begun_in_their_order_and_who_waits_holds_up_nobody() {
        let turns = taking();
        let (told, mut heard) = mpsc::unbounded_channel();
        let (go, wait) = oneshot::channel::<()>();
        let first = told.clone();
        turns.push(Box::pin(async move {
            wait.await.unwrap();
            first.send(0).unwrap();
        }));
        for number in 1..100 {
            let told = told.clone();
            turns.push(Box::pin(async move { told.send(number).unwrap() }));
        }
        for number in 1..100 {
            assert_eq!(heard.recv().await, Some(number));
        }
        go.send(()).unwrap();
        assert_eq!(heard.recv().await, Some(0));
    }

    #[tokio::test]
    async fn a_panic_costs_one_call() {
        let turns = taking();
        let (told, heard) = oneshot::channel();
        turns.push(Box::pin(async { panic!("on purpose") }));
        turns.push(Box::pin(async move { told.send(7).unwrap() }));
        assert_eq!(heard.await, Ok(7));
    }

    #[tokio::test]
    async fn others_have_their_turn_between_calls() {
        let turns = taking();
        for _ in 0..100 {
            turns.push(Box::pin(async { std::thread::sleep(Duration::from_millis(2)) }));
        }
        yield_now().await;
        let mut left = turns.lock().calls.len();
        assert!(left > 50, "{left}");
        while left > 0 {
            yield_now().await;
            let now = turns.lock().calls.len();
            assert!(left - now <= LOOK_EVERY, "{left} {now}");
            left = now;
        }
    }
}
