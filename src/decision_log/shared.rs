//! What the threads that tell and the thread that writes share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_queue::ArrayQueue;

use super::edition::Edition;
use super::mask::Masks;
use super::rare::Rare;
use super::ring::{Feeder, Lost, Ring, Tap, bytes_for};
use crate::config::decision_log::{Rates, WhenFull};

/// Rare records that may wait.
const RARE: usize = 4_096;
/// An edition that was followed by another is of use as long as this: records of it may still wait.
const OUTDATED: u64 = 60_000_000_000;

/// What the threads that tell and the thread that writes share.
#[derive(Debug)]
pub(super) struct Shared {
    pub when_full: WhenFull,
    pub ring_bytes: usize,
    pub rates: Rates,
    /// Rings that the writer has not seen yet.
    new: Mutex<Vec<Tap>>,
    pub has_new: AtomicBool,
    pub rare: ArrayQueue<Box<Rare>>,
    /// Rare records that found no room.
    pub rare_lost: AtomicU64,
    editions: Mutex<Editions>,
    pub stop: AtomicBool,
    pub rotate: AtomicBool,
    pub counts: Counts,
    pub sampled_out: AtomicU64,
    /// What the rings that are gone have lost.
    gone: Gone,
    /// All rings that are there, for those who count.
    rings: Mutex<Vec<Arc<Ring>>>,
    pub health: Mutex<Health>,
}

/// What the writer has done.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub written: AtomicU64,
    pub bytes: AtomicU64,
    pub errors: AtomicU64,
    /// Records that the writer took and could not get rid of.
    pub unsent: AtomicU64,
    /// Bytes that wait for the collector.
    pub backlog: AtomicU64,
    /// When the oldest record was brought that is not where it should go; 0: there is none.
    pub oldest: AtomicU64,
}

#[derive(Debug, Default)]
struct Gone {
    newest: AtomicU64,
    oldest: AtomicU64,
    refused: AtomicU64,
    too_large: AtomicU64,
}

/// Whether what is written arrives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why it does not.
    pub failing: Option<String>,
}

#[derive(Debug)]
struct Editions {
    all: Vec<Arc<Edition>>,
    /// When the newest was made.
    since: u64,
    next: u32,
}

/// What was lost, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// There was no room for it.
    pub newest: u64,
    /// It made room for newer ones.
    pub oldest: u64,
    /// The action was refused.
    pub refused: u64,
    /// It was larger than all the room.
    pub too_large: u64,
    /// It could not be written before the end.
    pub unsent: u64,
    /// It happened rarely, and all at once.
    pub rare: u64,
}

impl Dropped {
    /// Each with its name.
    #[must_use]
    pub const fn by_reason(&self) -> [(&'static str, u64); 6] {
        [
            ("drop_newest", self.newest),
            ("drop_oldest", self.oldest),
            ("refused", self.refused),
            ("too_large", self.too_large),
            ("unsent", self.unsent),
            ("queue", self.rare),
        ]
    }

    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.by_reason().iter().map(|(_, count)| count).sum()
    }
}

impl Shared {
    pub fn new(when_full: WhenFull, ring_bytes: usize, rates: Rates, first: Edition) -> Self {
        Self {
            when_full,
            ring_bytes,
            rates,
            new: Mutex::default(),
            has_new: AtomicBool::new(false),
            rare: ArrayQueue::new(RARE),
            rare_lost: AtomicU64::new(0),
            editions: Mutex::new(Editions { all: vec![Arc::new(first)], since: 0, next: 1 }),
            stop: AtomicBool::new(false),
            rotate: AtomicBool::new(false),
            counts: Counts::default(),
            sampled_out: AtomicU64::new(0),
            gone: Gone::default(),
            rings: Mutex::default(),
            health: Mutex::default(),
        }
    }

    /// A ring of its own for the thread that asks.
    pub fn feeder(&self) -> Feeder {
        self.fed(Ring::new(self.ring_bytes))
    }

    /// The same for one that has more to bring at once: records of so many bytes together, and as much room
    /// besides as others have.
    pub fn feeder_for(&self, bytes: usize, count: usize) -> Feeder {
        self.fed(Ring::new(bytes_for(bytes, count).saturating_add(self.ring_bytes)))
    }

    fn fed(&self, ring: Arc<Ring>) -> Feeder {
        let (feeder, tap) = ring.sides();
        lock(&self.rings).push(ring);
        lock(&self.new).push(tap);
        self.has_new.store(true, Ordering::Release);
        feeder
    }

    /// The rings that came since the writer asked last.
    pub fn new_taps(&self) -> Vec<Tap> {
        if self.has_new.swap(false, Ordering::Acquire) {
            std::mem::take(&mut *lock(&self.new))
        } else {
            Vec::new()
        }
    }

    /// A ring whose thread is gone and that is empty.
    pub fn ring_is_gone(&self, gone: &Arc<Ring>) {
        // Those who count see it in one of the two places or, for a moment, in none.
        let mut rings = lock(&self.rings);
        rings.retain(|ring| !Arc::ptr_eq(ring, gone));
        let add = |to: &AtomicU64, from: &AtomicU64| {
            to.fetch_add(from.load(Ordering::Relaxed), Ordering::Relaxed);
        };
        let Lost { newest, oldest, refused, too_large } = &gone.lost;
        add(&self.gone.newest, newest);
        add(&self.gone.oldest, oldest);
        add(&self.gone.refused, refused);
        add(&self.gone.too_large, too_large);
        drop(rings);
    }

    /// Tells something rare; what finds no room is counted.
    pub fn tell(&self, rare: Box<Rare>) {
        if self.rare.push(rare).is_err() {
            self.rare_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was lost so far.
    pub fn dropped(&self) -> Dropped {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let rings = lock(&self.rings);
        let sum = |gone: &AtomicU64, of: fn(&Lost) -> &AtomicU64| {
            rings.iter().map(|ring| read(of(&ring.lost))).sum::<u64>() + read(gone)
        };
        Dropped {
            newest: sum(&self.gone.newest, |lost| &lost.newest),
            oldest: sum(&self.gone.oldest, |lost| &lost.oldest),
            refused: sum(&self.gone.refused, |lost| &lost.refused),
            too_large: sum(&self.gone.too_large, |lost| &lost.too_large),
            unsent: read(&self.counts.unsent),
            rare: read(&self.rare_lost),
        }
    }

    /// Something waits; what is noted already is older.
    pub fn note_oldest(&self, stamp: u64) {
        let _ = self.counts.oldest.compare_exchange(0, stamp, Ordering::Release, Ordering::Relaxed);
    }

    /// When the oldest record was brought that is not where it should go.
    pub fn oldest(&self) -> Option<u64> {
        let waiting = self.oldest_in_rings();
        let taken = Some(self.counts.oldest.load(Ordering::Acquire)).filter(|oldest| *oldest > 0);
        waiting.into_iter().chain(taken).min()
    }

    /// When the oldest record was brought that waits in a ring.
    fn oldest_in_rings(&self) -> Option<u64> {
        lock(&self.rings).iter().filter_map(|ring| ring.oldest()).min()
    }

    /// Bytes that wait in rings.
    pub fn waiting(&self) -> u64 {
        lock(&self.rings).iter().map(|ring| ring.waiting()).sum()
    }

    /// Makes an edition that follows all others; gives its number.
    pub fn follow(&self, mut edition: Edition, now: u64) -> u32 {
        let mut editions = lock(&self.editions);
        edition.number = editions.next;
        editions.next = editions.next.wrapping_add(1).max(1);
        editions.since = now;
        let number = edition.number;
        editions.all.push(Arc::new(edition));
        number
    }

    /// The edition of this number; one without names, which masks whole requests, where it is not known
    /// any more.
    pub fn edition(&self, number: u32) -> Arc<Edition> {
        let editions = lock(&self.editions);
        let known = editions.all.iter().rev().find(|edition| edition.number == number).cloned();
        known.unwrap_or_else(|| Arc::new(Edition { masks: Masks::everything(None), ..Edition::default() }))
    }

    /// The newest edition.
    pub fn newest_edition(&self) -> Arc<Edition> {
        lock(&self.editions).all.last().cloned().unwrap_or_default()
    }

    /// Forgets editions that no record is of any more. To be called when nothing waits.
    pub fn forget_editions(&self, now: u64) {
        let mut editions = lock(&self.editions);
        if editions.all.len() > 2 && now.saturating_sub(editions.since) > OUTDATED {
            // The first is that of no bundle.
            let newest = editions.all.len() - 1;
            editions.all.drain(1..newest);
        }
    }
}

/// A panic elsewhere leaves what these locks hold in order, so it is used on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
