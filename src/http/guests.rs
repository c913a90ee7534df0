//! Who is connected to a port of HTTP: when there is no place left, who asks nothing gives way to who
//! comes next, so that a crowd of the silent keeps nobody from an answer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Those who are connected.
#[derive(Debug, Default)]
pub(super) struct Guests {
    /// Counts who fell silent, so that it is known who did first.
    order: AtomicU64,
    connected: Mutex<Vec<Arc<State>>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Guest {
    guests: Arc<Guests>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    begun: AtomicU64,
    ended: AtomicU64,
    /// Its number among those who fell silent.
    silent: AtomicU64,
    /// Whether it was told to leave.
    told: AtomicBool,
    leave: Notify,
}

/// One request that has no answer yet.
#[derive(Debug)]
pub(super) struct Asking {
    guests: Arc<Guests>,
    state: Arc<State>,
}

impl Guests {
    pub(super) fn enter(self: &Arc<Self>) -> Guest {
        let state = Arc::new(State {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            silent: AtomicU64::new(self.next()),
            told: AtomicBool::new(false),
            leave: Notify::new(),
        });
        self.lock().push(Arc::clone(&state));
        Guest { guests: Arc::clone(self), state }
    }

    /// Tells one to leave: of those who have not asked anything, or else of those who are answered,
    /// who has said nothing for longest.
    pub(super) fn give_way(&self) {
        let connected = self.lock();
        let silent = connected.iter().filter(|state| state.is_silent());
        let order = |state: &&Arc<State>| {
            let begun = state.begun.load(Ordering::Relaxed);
            (begun > 0, state.silent.load(Ordering::Relaxed))
        };
        if let Some(first) = silent.min_by_key(order) {
            first.told.store(true, Ordering::Relaxed);
            first.leave.notify_one();
        }
    }

    fn next(&self) -> u64 {
        self.order.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<State>>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// Counts a request until the result is dropped.
    pub(super) fn asks(&self) -> Asking {
        self.state.begun.fetch_add(1, Ordering::Relaxed);
        Asking { guests: Arc::clone(&self.guests), state: Arc::clone(&self.state) }
    }

    /// Returns when it is to leave.
    pub(super) async fn told_to_leave(&self) {
        self.state.leave.notified().await;
    }

    /// Returns when nothing was asked for so long, and everything before is answered.
    pub(super) async fn asks_nothing_for(&self, long: Duration) {
        let mut before = 0;
        loop {
            tokio::time::sleep(long).await;
            let begun = self.state.begun.load(Ordering::Relaxed);
            if begun == before && self.state.ended.load(Ordering::Relaxed) == begun {
                return;
            }
            before = begun;
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.guests.lock().retain(|state| !Arc::ptr_eq(state, &self.state));
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.state.silent.store(self.guests.next(), Ordering::Relaxed);
        self.state.ended.fetch_add(1, Ordering::Relaxed);
    }
}

impl State {
    /// Whether nothing is asked, and it was not told to leave.
    fn is_silent(&self) -> bool {
        let answered = self.ended.load(Ordering::Relaxed) == self.begun.load(Ordering::Relaxed);
        answered && !self.told.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_asked_gives_way_first_then_who_was_answered_longest_ago() {
        let guests = Arc::new(Guests::default());
        let (asking, early, late) = (guests.enter(), guests.enter(), guests.enter());
        let (first, second) = (guests.enter(), guests.enter());
        let held = asking.asks();
        drop(late.asks());
        drop(early.asks());
        drop(late.asks());
        for (guest, name) in [(&first, "first"), (&second, "second"), (&early, "early"), (&late, "late")] {
            assert!(!guest.state.told.load(Ordering::Relaxed), "{name} was told too early");
            guests.give_way();
            assert!(guest.state.told.load(Ordering::Relaxed), "{name} was not told");
        }
        guests.give_way();
        assert!(!asking.state.told.load(Ordering::Relaxed), "who waits for an answer stays");
        drop(held);
        guests.give_way();
        assert!(asking.state.told.load(Ordering::Relaxed));
        drop((asking, early, late, first, second));
        assert!(guests.lock().is_empty());
    }
}
