//! Whether the serving threads still serve: each says so about every second, between requests.
//!
//! A thread that is stuck says nothing, and that is seen by who looks: the watchdog of the service
//! manager, and `/livez`.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// When each serving thread was last known to live, by the clock that never goes back.
#[derive(Debug, Default)]
pub(super) struct Pulses(Mutex<Vec<Weak<AtomicU64>>>);

thread_local! {
    /// Of which data plane, and where this thread writes.
    static OWN: RefCell<Option<(u64, Arc<AtomicU64>)>> = const { RefCell::new(None) };
}

impl Pulses {
    /// The calling thread lives.
    pub(super) fn beat(&self, plane: u64, now: u64) {
        OWN.with_borrow_mut(|own| match own {
            Some((known, last)) if *known == plane => last.store(now, Ordering::Relaxed),
            _ => {
                let last = Arc::new(AtomicU64::new(now));
                self.all().push(Arc::downgrade(&last));
                *own = Some((plane, last));
            }
        });
    }

    /// How long the thread was silent that was silent the longest; `None`: no thread serves yet, or all
    /// have ended.
    pub(super) fn longest_silence(&self, now: u64) -> Option<Duration> {
        let mut all = self.all();
        all.retain(|last| last.strong_count() > 0);
        let last = all.iter().filter_map(Weak::upgrade).map(|last| last.load(Ordering::Relaxed)).min();
        last.map(|last| Duration::from_nanos(now.saturating_sub(last)))
    }

    fn all(&self) -> std::sync::MutexGuard<'_, Vec<Weak<AtomicU64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_silent_thread_counts_and_one_that_ended_does_not() {
        let pulses = Pulses::default();
        assert_eq!(pulses.longest_silence(5), None);
        pulses.beat(1, 10);
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                pulses.beat(1, 3);
                assert_eq!(pulses.longest_silence(13), Some(Duration::from_nanos(10)));
            });
            // The scope alone does not wait until what the thread keeps is dropped.
            thread.join().unwrap();
        });
        assert_eq!(pulses.longest_silence(13), Some(Duration::from_nanos(3)));
        pulses.beat(1, 12);
        assert_eq!(pulses.longest_silence(13), Some(Duration::from_nanos(1)));
    }
}
