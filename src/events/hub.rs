//! Where events come together: a bounded queue that never makes anybody wait, and one thread
//! behind it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crossbeam_queue::ArrayQueue;
use metrics::counter;
use tokio::sync::oneshot;
use tollgate_engine::time::WallTime;

use super::desk::{Desk, SUBSCRIBERS};
use super::event::Event;
use super::filter::Filter;
use super::id::EventId;
use super::journal::NotKept;
use super::refusals::Told;
use super::subscription::Subscription;
use crate::clock::Clock;
use crate::telemetry::metrics::EVENTS_DROPPED;

/// Events that may wait to be numbered.
const QUEUE: usize = 4_096;
/// Subscribers that may wait to begin.
const ASKING: usize = 64;
/// After some work the thread rests so long, so that who brings more need not wake it.
const REST: Duration = Duration::from_millis(1);
/// How often refusals that were counted are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// Who has many events and may wait tells so many, then makes a pause, so that subscribers keep up.
const AT_ONCE: usize = 64;
const PAUSE: Duration = Duration::from_millis(1);
/// And makes so many pauses at most.
const PAUSES: usize = 1_000;

/// Where events come together. Dropping it ends all subscriptions.
#[derive(Debug)]
pub struct Hub {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    incoming: ArrayQueue<Incoming>,
    asking: ArrayQueue<Ask>,
    /// Events that found the queue full.
    dropped: AtomicU64,
    ended: AtomicBool,
    bell: Bell,
}

/// What waits to be numbered.
#[derive(Debug)]
enum Incoming {
    Event(Box<(Event, WallTime)>),
    /// With how many it stands for besides.
    Refusal(Box<Told>, u64),
}

/// Somebody wants to follow.
#[derive(Debug)]
struct Ask {
    filter: Filter,
    after: Option<EventId>,
    answer: oneshot::Sender<Result<Subscription, Refused>>,
}

/// Why a subscription does not begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The stream cannot go on where it is to.
    #[error(transparent)]
    NotKept(#[from] NotKept),
    /// There are as many as there may be.
    #[error("{SUBSCRIBERS} subscribers follow the events already; end one, or ask later")]
    Full,
    /// The hub is gone.
    #[error("the server ends; follow another one")]
    Ended,
}

impl Hub {
    /// One that keeps so many events for those who come back.
    ///
    /// # Errors
    /// Its thread cannot be started.
    pub fn start(kept: usize, clock: Clock) -> std::io::Result<Self> {
        // Milliseconds since 1970, then random bits: runs sort, and two of them differ.
        let (run, _) = clock.secret_id(clock.wall()).as_u64_pair();
        let shared = Arc::new(Shared {
            incoming: ArrayQueue::new(QUEUE),
            asking: ArrayQueue::new(ASKING),
            dropped: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            bell: Bell::default(),
        });
        let (desk, work) = (Desk::new(run, kept), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("events".into());
        let thread = thread.spawn(move || Ending(work).0.run(desk, &clock))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Tells everybody, without ever waiting: when the queue is full, the event is dropped and
    /// counted.
    pub fn emit(&self, event: Event, time: WallTime) {
        self.shared.put(Incoming::Event(Box::new((event, time))));
    }

    /// Tells everybody of events that may be many, not all at once: for a thread that serves
    /// nobody. What is beyond some ten thousands is told without a pause and may be lost.
    pub fn emit_all(&self, events: impl IntoIterator<Item = Event>, time: WallTime) {
        for (number, event) in events.into_iter().enumerate() {
            if number > 0 && number % AT_ONCE == 0 && number / AT_ONCE <= PAUSES {
                std::thread::sleep(PAUSE);
            }
            self.emit(event, time);
        }
    }

    pub(super) fn tell_refusal(&self, told: Box<Told>, more: u64) {
        self.shared.put(Incoming::Refusal(told, more));
    }

    /// Follows the events that the filter wants: those that come from now on, or all that came
    /// after one.
    ///
    /// # Errors
    /// The events after that one are not kept, or there are too many subscribers.
    pub async fn subscribe(&self, filter: Filter, after: Option<EventId>) -> Result<Subscription, Refused> {
        let (answer, answered) = oneshot::channel();
        self.shared.asking.push(Ask { filter, after, answer }).map_err(|_| Refused::Full)?;
        self.shared.bell.ring();
        if self.shared.ended.load(Ordering::SeqCst) {
            self.shared.refuse_all();
        }
        answered.await.map_err(|_| Refused::Ended)?
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.bell.ring();
        if let Some(thread) = self.thread.take() {
            // It has nothing left to do but to end.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn put(&self, incoming: Incoming) {
        if self.incoming.push(incoming).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.bell.ring();
    }

    fn run(&self, mut desk: Desk, clock: &Clock) {
        self.bell.answer();
        let mut dropped = 0;
        while !self.ended.load(Ordering::SeqCst) {
            let worked = self.work(&mut desk, clock);
            let now_dropped = self.dropped.load(Ordering::Relaxed);
            if now_dropped > dropped {
                counter!(EVENTS_DROPPED).increment(now_dropped - dropped);
                dropped = now_dropped;
            }
            if worked {
                std::thread::sleep(REST);
            } else {
                let idle = || self.incoming.is_empty() && self.asking.is_empty();
                let look = desk.has_counted().then_some(LOOK);
                self.bell.sleep(look, || idle() && !self.ended.load(Ordering::SeqCst));
            }
        }
    }

    /// Does what has come; whether there was something.
    fn work(&self, desk: &mut Desk, clock: &Clock) -> bool {
        let mut worked = false;
        // As many as there may be, so that who asks has a turn too.
        for _ in 0..QUEUE {
            let Some(incoming) = self.incoming.pop() else { break };
            match incoming {
                Incoming::Event(event) => desk.publish(event.0, event.1, 0),
                Incoming::Refusal(told, more) => desk.refusal(told, more, clock.moment()),
            }
            worked = true;
        }
        desk.forget_who_left();
        for _ in 0..ASKING {
            let Some(Ask { filter, after, answer }) = self.asking.pop() else { break };
            // Who has gone meanwhile drops what it gets.
            let _ = answer.send(desk.subscribe(filter, after, self.bell.clone()));
            worked = true;
        }
        if desk.has_counted() {
            desk.tell_due(clock.moment());
        }
        worked
    }

    fn refuse_all(&self) {
        while self.asking.pop().is_some() {}
    }
}

/// However the thread ends: nobody waits for it.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::SeqCst);
        self.0.refuse_all();
    }
}

/// Wakes the thread when it sleeps, and costs next to nothing when it does not.
#[derive(Clone, Debug, Default)]
pub(super) struct Bell(Arc<Sleeper>);

#[derive(Debug, Default)]
struct Sleeper {
    asleep: AtomicBool,
    thread: OnceLock<Thread>,
}

impl Bell {
    /// To be called after something was put where the thread looks.
    pub(super) fn ring(&self) {
        // What was put is seen by the thread, or that it sleeps is seen here.
        fence(Ordering::SeqCst);
        if self.0.asleep.load(Ordering::Relaxed)
            && self.0.asleep.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.0.thread.get()
        {
            thread.unpark();
        }
    }

    /// From here on it wakes this thread.
    fn answer(&self) {
        let _ = self.0.thread.set(std::thread::current());
    }

    /// Sleeps until it rings, if there is `nothing` to do.
    fn sleep(&self, longest: Option<Duration>, nothing: impl Fn() -> bool) {
        self.0.asleep.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if nothing() {
            match longest {
                Some(longest) => std::thread::park_timeout(longest),
                None => std::thread::park(),
            }
        }
        self.0.asleep.store(false, Ordering::SeqCst);
    }
}
