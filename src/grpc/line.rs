//! One connection, as the parts that serve it share it: what is in flight on it, what its client gave
//! up, whether it is to end.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use http::Response;
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;

use super::outgoing::Outgoing;
use super::overload::Gate;
use crate::telemetry::metrics::REQUESTS_SHED;

/// Calls that a client may give up in a burst, and in a second for good: they cost as much as
/// those that are answered, and the window of streams does not slow them down.
const GIVEN_UP: u64 = 4_096;
const GIVEN_UP_PER_SECOND: u64 = 2_000;
/// Calls of one connection that may wait for their turn. Fewer would be served no sooner: at ten times
/// the load nine of ten are to be shed in the time of one, and who is not read cannot be told so.
const UNSEEN: usize = 1_024;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What is known of one connection.
#[derive(Debug)]
pub(super) struct Line {
    gate: Arc<Gate>,
    /// Cancelled when what is in flight is the last.
    drain: CancellationToken,
    /// Its number among those of the thread.
    number: usize,
    open: AtomicUsize,
    in_flight: AtomicUsize,
    unseen: AtomicUsize,
    read_at: AtomicU64,
    over: AtomicBool,
    waker: Mutex<Option<Waker>>,
    given_up: Mutex<GivenUp>,
    /// What the task of the call that is just being made is to watch.
    writing: Mutex<Option<Arc<Outgoing>>>,
}

#[derive(Debug, Default)]
struct GivenUp {
    calls: u64,
    at: u64,
}

impl Line {
    /// A connection of the thread with this gate.
    pub(super) fn new(gate: Arc<Gate>, drain: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            number: gate.number(),
            gate,
            drain,
            open: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            unseen: AtomicUsize::new(0),
            read_at: AtomicU64::new(0),
            over: AtomicBool::new(false),
            waker: Mutex::default(),
            given_up: Mutex::default(),
            writing: Mutex::default(),
        })
    }

    /// Cancelled when the connection takes no more calls.
    pub(super) const fn drain(&self) -> &CancellationToken {
        &self.drain
    }

    /// The answer to a call that is shed.
    pub(super) fn refusal(&self) -> Response<Body> {
        self.gate.refusal(self.number)
    }

    /// Counts a call that is not over until its answer has left; says how many there are.
    pub(super) fn open(&self) -> usize {
        self.open.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// One of them is over.
    pub(super) fn close(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether no call waits for its turn or its answer.
    pub(super) fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) == 0 && self.unseen.load(Ordering::Relaxed) == 0
    }

    /// Whether as many calls as are worth shedding wait that no task has looked at yet.
    pub(super) fn is_full(&self) -> bool {
        self.unseen.load(Ordering::Relaxed) >= UNSEEN
    }

    /// Notes that what follows was read now.
    pub(super) fn read(&self) {
        self.read_at.store(self.gate.now(), Ordering::Relaxed);
    }

    /// When the newest bytes were read.
    pub(super) fn read_at(&self) -> u64 {
        self.read_at.load(Ordering::Relaxed)
    }

    /// Counts a call until the result is dropped.
    pub(super) fn start(self: &Arc<Self>) -> Flight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Flight { line: Arc::clone(self), answered: false }
    }

    /// Counts a call until a task looks at it.
    pub(super) fn unseen(self: &Arc<Self>) -> Unseen {
        self.unseen.fetch_add(1, Ordering::Relaxed);
        Unseen(Arc::clone(self))
    }

    /// The client gave a call up. Who does that too often loses the connection.
    pub(super) fn give_up(&self) {
        if lock(&self.given_up).is_too_often(self.gate.now()) && self.cut() {
            counter!(REQUESTS_SHED, "reason" => "resets").increment(1);
        }
    }

    /// Ends the connection as soon as it is looked at, which is soon. Whether it was not over yet.
    pub(super) fn cut(&self) -> bool {
        let first = !self.over.swap(true, Ordering::Relaxed);
        if let Some(waker) = lock(&self.waker).take() {
            waker.wake();
        }
        first
    }

    /// Whether it is to end; if not, `waker` is called when that changes.
    pub(super) fn is_over(&self, waker: &Waker) -> bool {
        let mut held = lock(&self.waker);
        if !held.as_ref().is_some_and(|held| held.will_wake(waker)) {
            *held = Some(waker.clone());
        }
        self.over.load(Ordering::Relaxed)
    }

    /// Has the task of this call watch how its answers are written.
    pub(super) fn watch(&self, writing: Arc<Outgoing>) {
        *lock(&self.writing) = Some(writing);
    }

    /// What the task that is started now is to watch.
    pub(super) fn take_watch(&self) -> Option<Arc<Outgoing>> {
        lock(&self.writing).take()
    }
}

impl GivenUp {
    fn is_too_often(&mut self, now: u64) -> bool {
        let forgotten = now.saturating_sub(self.at) / (NANOS_PER_SECOND / GIVEN_UP_PER_SECOND);
        if forgotten > 0 {
            self.calls = self.calls.saturating_sub(forgotten);
            self.at = now;
        }
        self.calls += 1;
        self.calls > GIVEN_UP
    }
}

/// A call without an answer.
#[derive(Debug)]
pub(super) struct Flight {
    line: Arc<Line>,
    answered: bool,
}

impl Flight {
    /// It ends with an answer; without this the client gave it up.
    pub(super) const fn answered(&mut self) {
        self.answered = true;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.line.in_flight.fetch_sub(1, Ordering::Relaxed);
        if !self.answered {
            self.line.give_up();
        }
    }
}

/// A call that no task has looked at.
#[derive(Debug)]
pub(super) struct Unseen(Arc<Line>);

impl Drop for Unseen {
    fn drop(&mut self) {
        self.0.unseen.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What these locks hold is in order at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use std::time::Duration;
    use tollgate_engine::time::WallTime;

    fn line() -> (Arc<Line>, Clock) {
        let clock = Clock::manual(WallTime::from_nanos(0));
        let gate = Arc::new(Gate::new(Duration::ZERO, clock.clone()));
        (Line::new(gate, CancellationToken::new()), clock)
    }

    #[test]
    fn a_burst_may_be_given_up_and_a_flood_may_not() {
        let (line, clock) = line();
        clock.advance(1_000_000_000);
        (0..GIVEN_UP).for_each(|_| drop(line.start()));
        assert!(!line.is_over(Waker::noop()));
        clock.advance(2_000_000_000);
        (0..2 * GIVEN_UP_PER_SECOND).for_each(|_| drop(line.start()));
        assert!(!line.is_over(Waker::noop()));
        line.start().answered();
        line.give_up();
        assert!(line.is_over(Waker::noop()));
    }

    #[test]
    fn it_is_over_once() {
        let (line, _) = line();
        assert!(!line.is_over(Waker::noop()));
        assert!(line.cut() && !line.cut());
        assert!(line.is_over(Waker::noop()));
    }

    #[test]
    fn calls_are_counted_while_they_are() {
        let (line, _) = line();
        let flight = line.start();
        let unseen: Vec<Unseen> = (0..UNSEEN).map(|_| line.unseen()).collect();
        assert_eq!((line.is_idle(), line.is_full()), (false, true));
        drop(flight);
        assert!(!line.is_idle());
        drop(unseen);
        assert_eq!((line.is_idle(), line.is_full()), (true, false));
    }
}
