//! A bounded ring of records from one thread that decides to the thread that writes the log.
//!
//! The room is words that are atomics, so that a record which is dropped while it is read is noticed
//! and never torn: whoever takes a record copies it first and then moves the tail past it, and if
//! somebody else has moved the tail meanwhile, the copy counts for nothing (a sequence lock).
//!
//! Every record has a number in its ring, also one that finds no room: what is lost is a gap.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};

/// Words before each record: its length in bytes, when it was brought, its number.
const HEAD: u64 = 3;
/// A record that is taken while somebody looks at it is looked for again so often.
const LOOKS: usize = 64;
/// A place of its own for what one thread writes and another reads.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Line(AtomicU64);

/// The room, and what both sides know of it. Positions are counted in words and never wrap.
#[derive(Debug)]
pub struct Ring {
    words: Box<[AtomicU64]>,
    head: Line,
    tail: Line,
    /// How many records were brought, those that found no room included.
    brought: Line,
    closed: AtomicBool,
    /// What was lost of them, and why.
    pub lost: Lost,
}

/// Records that were lost on the way into or out of a ring, by why.
#[derive(Debug, Default)]
pub struct Lost {
    /// There was no room for it.
    pub newest: AtomicU64,
    /// It made room for a newer one.
    pub oldest: AtomicU64,
    /// What it would have told of was refused.
    pub refused: AtomicU64,
    /// It is larger than the whole ring.
    pub too_large: AtomicU64,
}

/// The side of the thread that decides.
#[derive(Debug)]
pub struct Feeder {
    ring: Arc<Ring>,
    head: u64,
    /// As far as the tail was seen to be; it only moves on.
    tail: u64,
    brought: u64,
}

/// The side of the thread that writes.
#[derive(Debug)]
pub struct Tap {
    /// The ring that it empties.
    pub ring: Arc<Ring>,
    /// The number that the next record has if nothing was lost.
    next: u64,
}

/// A record that was taken out; its bytes stand where the caller wanted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When it was brought, by the clock that never goes back.
    pub stamp: u64,
    /// How many of its ring were lost right before it.
    pub lost: u64,
}

impl Ring {
    /// A ring of about so many bytes: the next power of two.
    #[must_use]
    pub fn new(bytes: usize) -> Arc<Self> {
        let words = (bytes / 8).next_power_of_two().max(64);
        Arc::new(Self {
            // In place, so that memory which nobody writes to is never touched.
            words: vec![0_u64; words].into_iter().map(AtomicU64::new).collect(),
            head: Line::default(),
            tail: Line::default(),
            brought: Line::default(),
            closed: AtomicBool::new(false),
            lost: Lost::default(),
        })
    }

    /// Both sides of it.
    #[must_use]
    pub fn sides(self: &Arc<Self>) -> (Feeder, Tap) {
        let feeder = Feeder { ring: Arc::clone(self), head: 0, tail: 0, brought: 0 };
        (feeder, Tap { ring: Arc::clone(self), next: 0 })
    }

    /// How many records were brought.
    #[must_use]
    pub fn brought(&self) -> u64 {
        self.brought.0.load(Ordering::Acquire)
    }

    /// How many bytes wait in it.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        let tail = self.tail.0.load(Ordering::Acquire);
        self.head.0.load(Ordering::Acquire).saturating_sub(tail) * 8
    }

    /// When the oldest record that waits was brought. For who looks now and then: neither side does anything
    /// for it.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        for _ in 0..LOOKS {
            let tail = self.tail.0.load(Ordering::Acquire);
            if tail >= self.head.0.load(Ordering::Acquire) {
                return None;
            }
            let stamp = self.word(tail + 1).load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            // Nothing is written over a record before the tail has moved past it.
            if self.tail.0.load(Ordering::Relaxed) == tail {
                return Some(stamp);
            }
        }
        None
    }

    /// Whether the thread that fed it is gone.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    const fn capacity(&self) -> u64 {
        self.words.len() as u64
    }

    fn word(&self, at: u64) -> &AtomicU64 {
        let at = at & (self.capacity() - 1);
        #[expect(clippy::indexing_slicing, clippy::cast_possible_truncation, reason = "masked to the length")]
        &self.words[at as usize]
    }

    fn put(&self, mut at: u64, bytes: &[u8]) {
        let (eights, rest) = bytes.as_chunks::<8>();
        for eight in eights {
            self.word(at).store(u64::from_le_bytes(*eight), Ordering::Relaxed);
            at += 1;
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            self.word(at).store(u64::from_le_bytes(last), Ordering::Relaxed);
        }
    }

    fn get(&self, mut at: u64, len: usize, into: &mut Vec<u8>) {
        into.clear();
        while into.len() < len {
            into.extend_from_slice(&self.word(at).load(Ordering::Relaxed).to_le_bytes());
            at += 1;
        }
        into.truncate(len);
    }
}

/// How many words a record of so many bytes takes.
const fn words(bytes: u64) -> u64 {
    HEAD + bytes.div_ceil(8)
}

/// How many words records of so many bytes together take at most.
const fn words_for(bytes: usize, count: usize) -> u64 {
    let each = HEAD + 1;
    (bytes as u64).div_ceil(8).saturating_add(each.saturating_mul(count as u64))
}

/// How many bytes a ring has that has room for them.
#[must_use]
pub fn bytes_for(bytes: usize, count: usize) -> usize {
    usize::try_from(words_for(bytes, count).saturating_mul(8)).unwrap_or(usize::MAX)
}

impl Feeder {
    /// Puts a record in. If there is no room for it, it is lost, or the oldest are (`drop_oldest`).
    pub fn push(&mut self, stamp: u64, bytes: &[u8], drop_oldest: bool) -> bool {
        let need = words(bytes.len() as u64);
        if need > self.ring.capacity() {
            self.lose(|lost| &lost.too_large);
            return false;
        }
        while !self.has(need) {
            if !drop_oldest {
                self.lose(|lost| &lost.newest);
                return false;
            }
            self.drop_oldest();
        }
        let ring = &*self.ring;
        ring.word(self.head).store(bytes.len() as u64, Ordering::Relaxed);
        ring.word(self.head + 1).store(stamp, Ordering::Relaxed);
        ring.word(self.head + 2).store(self.brought, Ordering::Relaxed);
        ring.put(self.head + HEAD, bytes);
        self.head += need;
        ring.head.0.store(self.head, Ordering::Release);
        self.count();
        true
    }

    /// Notes that what a record would have told of was refused.
    pub fn refuse(&mut self) {
        self.lose(|lost| &lost.refused);
    }

    /// Whether records of so many bytes together find room, if there are `count` of them.
    pub fn has_room(&mut self, bytes: usize, count: usize) -> bool {
        self.has(words_for(bytes, count))
    }

    /// Whether they would find room if nothing waited.
    #[must_use]
    pub fn could_have_room(&self, bytes: usize, count: usize) -> bool {
        words_for(bytes, count) <= self.ring.capacity()
    }

    fn has(&mut self, need: u64) -> bool {
        let fits = |tail: u64| self.head - tail + need <= self.ring.capacity();
        if fits(self.tail) {
            return true;
        }
        self.tail = self.ring.tail.0.load(Ordering::Acquire);
        self.head - self.tail + need <= self.ring.capacity()
    }

    fn drop_oldest(&mut self) {
        let ring = &*self.ring;
        let tail = ring.tail.0.load(Ordering::Acquire);
        // All was taken meanwhile.
        if tail == self.head {
            return;
        }
        let next = tail + words(ring.word(tail).load(Ordering::Relaxed));
        let moved = ring.tail.0.compare_exchange(tail, next, Ordering::AcqRel, Ordering::Acquire);
        // Whoever reads what is written from here on sees that the tail has moved.
        fence(Ordering::Release);
        if moved.is_ok() {
            ring.lost.oldest.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn lose(&mut self, why: impl FnOnce(&Lost) -> &AtomicU64) {
        why(&self.ring.lost).fetch_add(1, Ordering::Relaxed);
        self.count();
    }

    fn count(&mut self) {
        self.brought += 1;
        self.ring.brought.0.store(self.brought, Ordering::Release);
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.ring.closed.store(true, Ordering::Release);
    }
}

/// As far as a ring was filled at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    head: u64,
    brought: u64,
}

impl Tap {
    /// As far as it is filled now.
    #[must_use]
    pub fn filled(&self) -> Filled {
        // In this order: a record that is counted here is in the ring already, or lost.
        let brought = self.ring.brought();
        Filled { head: self.ring.head.0.load(Ordering::Acquire), brought }
    }

    /// Takes the oldest record, if it was there at `until` and was brought before `cut`.
    pub fn take(&mut self, until: Filled, cut: u64, into: &mut Vec<u8>) -> Option<Taken> {
        loop {
            let tail = self.ring.tail.0.load(Ordering::Acquire);
            if tail >= until.head {
                return None;
            }
            let at = |offset: u64| self.ring.word(tail + offset).load(Ordering::Relaxed);
            let (bytes, stamp, number) = (at(0), at(1), at(2));
            let need = words(bytes);
            // A length that cannot be was overwritten while it was read.
            if need > self.ring.capacity() {
                std::hint::spin_loop();
                continue;
            }
            if stamp >= cut {
                fence(Ordering::Acquire);
                if self.ring.tail.0.load(Ordering::Relaxed) == tail {
                    return None;
                }
                continue;
            }
            self.ring.get(tail + HEAD, usize::try_from(bytes).unwrap_or(0), into);
            fence(Ordering::Acquire);
            let moved =
                self.ring.tail.0.compare_exchange(tail, tail + need, Ordering::AcqRel, Ordering::Acquire);
            if moved.is_ok() {
                let lost = number.saturating_sub(self.next);
                self.next = number + 1;
                return Some(Taken { stamp, lost });
            }
        }
    }

    /// Whether everything was taken that was there at `until`.
    #[must_use]
    pub fn is_empty(&self, until: Filled) -> bool {
        self.ring.tail.0.load(Ordering::Acquire) >= until.head
    }

    /// Whether nothing is left to be told of a ring that nobody feeds any more.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        let filled = self.filled();
        self.is_empty(filled) && self.next >= filled.brought
    }

    /// Once everything was taken that was there at `until`: what was lost after the last of it.
    pub fn lost_since(&mut self, until: Filled) -> u64 {
        let lost = until.brought.saturating_sub(self.next);
        self.next += lost;
        lost
    }
}

#[cfg(test)]
mod tests;
