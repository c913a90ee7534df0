//! One decision that stands for its bucket of durations, so that who sees a slow one in a graph
//! finds its trace and its record.
//!
//! A thread writes its own without a lock and a scrape reads it: a number that is odd while
//! somebody writes tells the scrape that what it read is no whole (a sequence lock).

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use uuid::Uuid;

use super::page::seconds;

/// A decision, and how long it took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exemplar {
    /// How long it took.
    pub nanos: u64,
    /// When it was taken, in nanoseconds since 1970.
    pub at: u64,
    /// Its id.
    pub decision: u128,
    /// The trace that it belongs to; 0: none.
    pub trace: u128,
}

/// One that is replaced when it is older, in nanoseconds: a second is less than any scrape interval.
const FRESH: u64 = 1_000_000_000;
/// One with a trace is worth more, and stands longer.
const TRACED_FRESH: u64 = 60 * FRESH;

impl Exemplar {
    /// The one that says more: with a trace, and newer.
    #[must_use]
    pub fn better(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        let worth = |one: &Self| (one.trace != 0, one.at);
        a.into_iter().chain(b).max_by_key(worth)
    }
}

/// As OpenMetrics writes it.
impl fmt::Display for Exemplar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        if self.trace != 0 {
            write!(f, "trace_id=\"{:032x}\",", self.trace)?;
        }
        let millis = self.at / 1_000_000;
        let (whole, rest) = (millis / 1_000, millis % 1_000);
        let id = Uuid::from_u128(self.decision);
        write!(f, "decision_id=\"{id}\"}} {} {whole}.{rest:03}", seconds(self.nanos))
    }
}

/// Where one thread keeps an exemplar.
#[derive(Debug, Default)]
pub(super) struct Place {
    version: AtomicU64,
    nanos: AtomicU64,
    at: AtomicU64,
    decision: [AtomicU64; 2],
    trace: [AtomicU64; 2],
}

impl Place {
    /// Keeps this one if the one that is kept is worth less. Only one thread may call it.
    pub(super) fn offer(&self, one: &Exemplar) {
        let traced = self.trace.iter().any(|half| half.load(Ordering::Relaxed) != 0);
        let fresh = if traced { TRACED_FRESH } else { FRESH };
        let age = one.at.saturating_sub(self.at.load(Ordering::Relaxed));
        if one.trace != 0 || age >= fresh {
            self.put(one);
        }
    }

    fn put(&self, one: &Exemplar) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        self.nanos.store(one.nanos, Ordering::Relaxed);
        self.at.store(one.at, Ordering::Relaxed);
        store(&self.decision, one.decision);
        store(&self.trace, one.trace);
        self.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// What is kept; `None` if there is nothing, or it is just being written.
    pub(super) fn read(&self) -> Option<Exemplar> {
        let before = self.version.load(Ordering::Acquire);
        let read = Exemplar {
            nanos: self.nanos.load(Ordering::Relaxed),
            at: self.at.load(Ordering::Relaxed),
            decision: load(&self.decision),
            trace: load(&self.trace),
        };
        fence(Ordering::Acquire);
        let whole = before.is_multiple_of(2) && before == self.version.load(Ordering::Relaxed);
        (whole && read.at != 0).then_some(read)
    }
}

fn store([high, low]: &[AtomicU64; 2], number: u128) {
    #[expect(clippy::cast_possible_truncation, reason = "the halves of a number")]
    let (own_high, own_low) = ((number >> 64) as u64, number as u64);
    high.store(own_high, Ordering::Relaxed);
    low.store(own_low, Ordering::Relaxed);
}

fn load([high, low]: &[AtomicU64; 2]) -> u128 {
    u128::from(high.load(Ordering::Relaxed)) << 64 | u128::from(low.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = FRESH;

    #[test]
    fn a_traced_one_stands_longer_and_a_stale_one_goes() {
        let place = Place::default();
        assert_eq!(place.read(), None);
        let (plain, traced) = (Exemplar::default(), Exemplar { trace: 7, ..Exemplar::default() });
        for (after, offered, kept_at) in [
            (10, plain, 10),
            (10, plain, 10),
            (11, plain, 11),
            (11, traced, 11),
            (12, plain, 11),
            (12, traced, 12),
            (72, plain, 72),
        ] {
            place.offer(&Exemplar { at: after * SECOND, ..offered });
            assert_eq!(place.read().map(|one| one.at), Some(kept_at * SECOND), "{after}");
        }
    }

    #[test]
    fn nobody_reads_half_of_one() {
        let place = Place::default();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 1..200_000_u64 {
                    let all = u128::from(i) << 64 | u128::from(i);
                    place.offer(&Exemplar { nanos: i, at: i, decision: all, trace: all });
                }
            });
            for _ in 0..200_000 {
                if let Some(one) = place.read() {
                    let all = u128::from(one.at) << 64 | u128::from(one.at);
                    assert_eq!((one.nanos, one.decision, one.trace), (one.at, all, all));
                }
            }
        });
    }
}
