//! Which keys a guardrail has: how many, and where to find them one after the other.
//!
//! A key is added when its state is made, under the lock of its shard, and taken out only by a
//! scan, so that each key is in it once. Scans take some keys out of the directory, look at each
//! under the lock of its shard alone, and put back those that stay: no lock of a shard is ever
//! wanted by one who holds a directory.

use std::collections::VecDeque;

use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::time::Moment;

/// The keys of one guardrail, and what it has to remember beside them.
#[derive(Debug)]
pub struct Directory {
    list: Mutex<List>,
    /// How many keys there are; changes under the lock of the list only.
    keys: AtomicU64,
    /// One scan at a time, so that nobody takes a table for full because another looks through it.
    scanning: Mutex<()>,
    evicted: AtomicU64,
    dropped: AtomicU64,
    /// How often it refused, and how often it would have.
    refused: [AtomicU64; 2],
    /// When a request last looked for room in vain; zero: never.
    full_at: AtomicU64,
    /// When an operator last emptied all of it.
    reset_at: AtomicU64,
    /// What an operator holds all keys of a breaker in.
    hold: AtomicU64,
}

/// What an operator holds all keys of a breaker in, those that nobody has seen included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Hold {
    /// Nothing.
    #[default]
    None,
    /// Open.
    Open,
    /// Closed, and counting nothing.
    Disabled,
}

/// The keys by their hashes, in small pieces.
#[derive(Debug, Default)]
struct List {
    pieces: VecDeque<Vec<u64>>,
}

/// A directory while it is open: nobody else adds a key.
pub(super) struct Open<'a> {
    directory: &'a Directory,
    list: MutexGuard<'a, List>,
}

/// How many keys a scan takes out at once: what one step looks at.
pub const PIECE: usize = 64;

impl Default for Directory {
    fn default() -> Self {
        Self {
            list: Mutex::new(List::default()),
            keys: AtomicU64::new(0),
            scanning: Mutex::new(()),
            evicted: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            refused: [AtomicU64::new(0), AtomicU64::new(0)],
            full_at: AtomicU64::new(0),
            reset_at: AtomicU64::new(0),
            hold: AtomicU64::new(0),
        }
    }
}

impl Directory {
    /// How many keys there are.
    pub fn keys(&self) -> u64 {
        self.keys.load(Ordering::Relaxed)
    }

    /// How many keys made room for others while they still held something.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Ordering::Relaxed)
    }

    /// How many reports could not be kept, for want of room for their key.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How often it refused, or, as a shadow, would have.
    pub fn refused(&self, shadow: bool) -> u64 {
        let [enforced, in_shadow] = &self.refused;
        if shadow { in_shadow } else { enforced }.load(Ordering::Relaxed)
    }

    pub(super) fn count_refused(&self, shadow: bool) {
        let [enforced, in_shadow] = &self.refused;
        if shadow { in_shadow } else { enforced }.fetch_add(1, Ordering::Relaxed);
    }

    /// How many bytes it keeps outside itself.
    pub(super) fn heap(&self) -> usize {
        let list = self.open().list;
        let pieces = list.pieces.iter().map(|piece| piece.capacity().saturating_mul(8));
        let own = list.pieces.capacity().saturating_mul(size_of::<Vec<u64>>());
        pieces.fold(own, usize::saturating_add)
    }

    pub(super) fn open(&self) -> Open<'_> {
        Open { directory: self, list: lock(&self.list) }
    }

    pub(super) fn scan(&self) -> MutexGuard<'_, ()> {
        lock(&self.scanning)
    }

    pub(super) fn count_evicted(&self) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn full_at(&self) -> Moment {
        Moment::from_nanos(self.full_at.load(Ordering::Relaxed))
    }

    pub(super) fn set_full_at(&self, now: Moment) {
        self.full_at.store(now.nanos(), Ordering::Relaxed);
    }

    pub(super) fn hold(&self) -> Hold {
        match self.hold.load(Ordering::Relaxed) {
            0 => Hold::None,
            1 => Hold::Open,
            _ => Hold::Disabled,
        }
    }

    pub(super) fn set_hold(&self, hold: Hold) {
        self.hold.store(hold as u64, Ordering::Relaxed);
    }

    pub(super) fn reset_at(&self) -> Moment {
        Moment::from_nanos(self.reset_at.load(Ordering::Relaxed))
    }

    pub(super) fn set_reset_at(&self, now: Moment) {
        self.reset_at.fetch_max(now.nanos(), Ordering::Relaxed);
    }
}

impl Open<'_> {
    /// How many keys there are.
    pub(super) fn keys(&self) -> u64 {
        self.directory.keys()
    }

    /// Adds a key; the caller has seen that there is room.
    pub(super) fn add(&mut self, hash: u64) {
        self.directory.keys.fetch_add(1, Ordering::Relaxed);
        self.list.put(hash);
    }

    /// Takes back the key that was added last.
    pub(super) fn take_back(&mut self) {
        self.directory.keys.fetch_sub(1, Ordering::Relaxed);
        if let Some(piece) = self.list.pieces.back_mut() {
            piece.pop();
            if piece.is_empty() {
                self.list.pieces.pop_back();
            }
        }
    }

    /// Takes out the piece that nobody has looked at for longest.
    pub(super) fn take_piece(&mut self) -> Vec<u64> {
        self.list.pieces.pop_front().unwrap_or_default()
    }

    /// Puts back what stays of a piece, and counts what does not.
    pub(super) fn put_back(&mut self, piece: Vec<u64>, removed: u64) {
        self.directory.keys.fetch_sub(removed, Ordering::Relaxed);
        if piece.len() < PIECE / 2 {
            piece.into_iter().for_each(|hash| self.list.put(hash));
        } else {
            self.list.pieces.push_back(piece);
        }
    }

    /// Takes out one key that a scan has just put back, so that it is near the end. The order of the
    /// pieces stays: the next scan goes on where the last one ended.
    pub(super) fn drop_key(&mut self, hash: u64) {
        let pieces = &mut self.list.pieces;
        for at in (0..pieces.len()).rev() {
            let Some(piece) = pieces.get_mut(at) else { continue };
            let Some(place) = piece.iter().rposition(|other| *other == hash) else { continue };
            piece.swap_remove(place);
            if piece.is_empty() {
                pieces.remove(at);
            }
            self.directory.keys.fetch_sub(1, Ordering::Relaxed);
            return;
        }
    }

    /// How many pieces there are: so many takes are one round.
    pub(super) fn pieces(&self) -> usize {
        self.list.pieces.len()
    }
}

impl List {
    fn put(&mut self, hash: u64) {
        match self.pieces.back_mut().filter(|piece| piece.len() < PIECE) {
            Some(piece) => {
                if piece.len() == piece.capacity() {
                    piece.reserve_exact(piece.len().clamp(2, PIECE - 2));
                }
                piece.push(hash);
            }
            None => self.pieces.push_back(vec![hash]),
        }
    }
}
