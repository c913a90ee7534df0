//! The table of all keys of all guardrails: shards by a hash that each process seeds anew.
//!
//! A shard holds its keys without gaps, in pieces of a few, so that it grows and shrinks without
//! moving what it holds; a hash index finds them. The full key is compared, never only its hash.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::FixedState;
use hashbrown::HashTable;

use super::guard::GuardId;
use super::key::Key;
use super::lease::LeaseId;
use super::state::State;
use super::sync::{Mutex, MutexGuard, Padded, lock};
use crate::time::Moment;

/// All keys of all guardrails.
#[derive(Debug)]
pub(super) struct Table {
    shards: Box<[Padded<Mutex<Shard>>]>,
    seed: Seed,
}

/// How keys are hashed in this process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

/// The hash of a key's text, without its guardrail.
#[derive(Clone, Copy, Debug)]
pub(super) struct TextHash(u64);

/// The keys whose hash falls here.
#[derive(Debug)]
pub(super) struct Shard {
    seed: Seed,
    index: HashTable<u32>,
    slots: Slots,
    leases: u64,
    /// Hashes of keys that refused somebody, for the sweeper.
    watched: Vec<u64>,
}

/// One key with its state.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) key: Key,
    pub(super) state: State,
    guard: u32,
    pub(super) last: Stamp,
}

/// When a key was last charged, in steps of 134 ms; wraps after 18 years.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u32);

/// The place of a key in its shard, as long as the shard is locked and nothing is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(u32);

/// Set in `Slot::guard` while the sweeper watches the key.
const WATCHED: u32 = 1 << 31;

impl Seed {
    /// The hash of a guardrail's key.
    #[inline]
    pub(super) fn hash(self, guard: GuardId, key: &[u8]) -> u64 {
        self.text(key).of(guard)
    }

    /// The part of it that guardrails share which count the same values apart.
    #[inline]
    pub(super) fn text(self, key: &[u8]) -> TextHash {
        let mut hasher = FixedState::with_seed(self.0).build_hasher();
        hasher.write(key);
        TextHash(hasher.finish())
    }
}

impl TextHash {
    /// The hash of this guardrail's key. The shard is found by the high half, which is the text's
    /// alone: limits that count by the same values lie under one lock. Odd multiples of two
    /// guardrails are never the same, so that their keys have different hashes.
    #[inline]
    pub(super) fn of(self, guard: GuardId) -> u64 {
        self.0 ^ u64::from(guard.0.wrapping_mul(0x9e37_79b1))
    }
}

impl Table {
    /// A table of at least so many shards.
    pub(super) fn new(shards: usize, seed: u64) -> Self {
        let seed = Seed(seed);
        let made = (0..shards.next_power_of_two()).map(|_| Padded(Mutex::new(Shard::new(seed))));
        Self { shards: made.collect(), seed }
    }

    pub(super) const fn seed(&self) -> Seed {
        self.seed
    }

    /// Which shard a hash falls into: by its high bits, since the index takes the low ones.
    #[inline]
    pub(super) fn shard_of(&self, hash: u64) -> usize {
        let high = usize::try_from(hash >> 32).unwrap_or(0);
        high & self.shards.len().saturating_sub(1)
    }

    pub(super) fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Locks a shard; `None` when there is none of this number.
    #[inline]
    pub(super) fn lock(&self, shard: usize) -> Option<MutexGuard<'_, Shard>> {
        self.shards.get(shard).map(|shard| lock(&shard.0))
    }

    /// Locks the shard of a hash.
    pub(super) fn lock_for(&self, hash: u64) -> Option<MutexGuard<'_, Shard>> {
        self.lock(self.shard_of(hash))
    }
}

impl Shard {
    fn new(seed: Seed) -> Self {
        Self { seed, index: HashTable::new(), slots: Slots::default(), leases: 0, watched: Vec::new() }
    }

    /// Where a key is.
    #[inline]
    pub(super) fn find(&self, hash: u64, guard: GuardId, key: &[u8]) -> Option<Place> {
        let is_it = |at: &u32| self.slots.get(*at).is_some_and(|slot| slot.is(guard, key));
        self.index.find(hash, is_it).copied().map(Place)
    }

    /// The keys of a guardrail with this hash: one, but for chance.
    pub(super) fn with_hash(&self, hash: u64, guard: GuardId) -> impl Iterator<Item = Place> + '_ {
        let ours = move |at: &&u32| {
            self.slots.get(**at).is_some_and(|slot| {
                slot.guard() == guard && self.seed.hash(guard, slot.key.as_bytes()) == hash
            })
        };
        self.index.iter_hash(hash).filter(ours).map(|at| Place(*at))
    }

    #[inline]
    pub(super) fn get(&self, place: Place) -> Option<&Slot> {
        self.slots.get(place.0)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Slot> {
        self.slots.get_mut(place.0)
    }

    /// Adds a key that is not there.
    pub(super) fn add(&mut self, hash: u64, guard: GuardId, key: &[u8], state: State) -> Place {
        let at = self.slots.push(Slot { key: Key::of(key), state, guard: guard.0, last: Stamp(0) });
        let (seed, slots) = (self.seed, &self.slots);
        self.index.insert_unique(hash, at, |at| slots.get(*at).map_or(0, |slot| slot.hash(seed)));
        Place(at)
    }

    /// Removes a key; the last one takes its place.
    pub(super) fn remove(&mut self, place: Place) {
        let Some(hash) = self.get(place).map(|slot| slot.hash(self.seed)) else {
            return;
        };
        if let Ok(entry) = self.index.find_entry(hash, |at| *at == place.0) {
            entry.remove();
        }
        if let Some(moved) = self.slots.swap_remove(place.0) {
            let slots = &self.slots;
            let hash = slots.get(place.0).map_or(0, |slot| slot.hash(self.seed));
            if let Some(at) = self.index.find_mut(hash, |at| *at == moved) {
                *at = place.0;
            }
        }
        let (seed, slots) = (self.seed, &self.slots);
        if self.index.capacity() > 64 && self.index.len() < self.index.capacity() / 8 {
            self.index.shrink_to(0, |at| slots.get(*at).map_or(0, |slot| slot.hash(seed)));
        }
    }

    /// A number for a lease.
    #[inline]
    pub(super) fn next_lease(&mut self) -> LeaseId {
        self.leases = self.leases.wrapping_add(1);
        LeaseId(self.leases)
    }

    /// No lease is given a number up to this one again.
    pub(super) fn skip_leases(&mut self, to: LeaseId) {
        self.leases = self.leases.max(to.0);
    }

    /// Has the sweeper look at a key until it admits again.
    pub(super) fn watch(&mut self, hash: u64, place: Place) {
        if let Some(slot) = self.slots.get_mut(place.0).filter(|slot| slot.guard & WATCHED == 0) {
            slot.guard |= WATCHED;
            self.watched.push(hash);
        }
    }

    /// The keys that are watched, for the sweeper to look at; it puts back those that stay.
    pub(super) fn take_watched(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.watched)
    }

    pub(super) fn put_watched(&mut self, hash: u64) {
        self.watched.push(hash);
    }

    /// The watched key of this hash.
    pub(super) fn watched(&self, hash: u64) -> Option<Place> {
        let is_it = |at: &&u32| {
            let slot = self.slots.get(**at);
            slot.is_some_and(|slot| slot.guard & WATCHED != 0 && slot.hash(self.seed) == hash)
        };
        self.index.iter_hash(hash).find(is_it).copied().map(Place)
    }

    /// All keys.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter()
    }

    /// How many bytes it keeps outside itself, about.
    pub(super) fn heap(&self) -> usize {
        let index = self.index.allocation_size();
        let slots = self.slots.heap();
        let states = self.iter().map(|slot| slot.key.heap().saturating_add(slot.state.heap()));
        states.fold(index.saturating_add(slots), usize::saturating_add)
    }
}

impl Slot {
    pub(super) const fn guard(&self) -> GuardId {
        GuardId(self.guard & !WATCHED)
    }

    /// Ends the watch over it.
    pub(super) fn unwatch(&mut self) {
        self.guard &= !WATCHED;
    }

    /// Remembers that it was charged now.
    #[inline]
    pub(super) fn touch(&mut self, now: Moment) {
        self.last = stamp(now);
    }

    /// For how long it has not been charged, in steps of 134 ms.
    pub(super) fn idle_steps(&self, now: Moment) -> u32 {
        let age = stamp(now).0.wrapping_sub(self.last.0);
        // A clock reading from before the last charge.
        if age > u32::MAX - 64 { 0 } else { age }
    }

    #[inline]
    fn is(&self, guard: GuardId, key: &[u8]) -> bool {
        self.guard() == guard && self.key.as_bytes() == key
    }

    fn hash(&self, seed: Seed) -> u64 {
        seed.hash(self.guard(), self.key.as_bytes())
    }
}

/// How a time of idleness is counted, rounded up.
pub(super) fn idle_steps_of(idle: crate::unit::Span) -> u32 {
    u32::try_from(idle.nanos().div_ceil(1 << STAMP)).unwrap_or(u32::MAX / 2)
}

const STAMP: u32 = 27;

#[expect(clippy::cast_possible_truncation, reason = "wraps on purpose; ages are differences")]
const fn stamp(now: Moment) -> Stamp {
    Stamp((now.nanos() >> STAMP) as u32)
}

/// Slots without gaps, in pieces that are never moved.
#[derive(Debug, Default)]
struct Slots {
    pieces: Vec<Vec<Slot>>,
}

/// A piece is large enough that its own cost is small, and small enough that a thousand shards
/// with one key each are.
const PIECE: u32 = 16;

impl Slots {
    #[inline]
    fn get(&self, at: u32) -> Option<&Slot> {
        let piece = self.pieces.get(usize::try_from(at / PIECE).ok()?)?;
        piece.get(usize::try_from(at % PIECE).ok()?)
    }

    #[inline]
    fn get_mut(&mut self, at: u32) -> Option<&mut Slot> {
        let piece = self.pieces.get_mut(usize::try_from(at / PIECE).ok()?)?;
        piece.get_mut(usize::try_from(at % PIECE).ok()?)
    }

    fn push(&mut self, slot: Slot) -> u32 {
        let room = PIECE as usize;
        if self.pieces.last().is_none_or(|piece| piece.len() >= room) {
            self.pieces.push(Vec::new());
        }
        let before = self.pieces.len().saturating_sub(1).saturating_mul(room);
        let Some(piece) = self.pieces.last_mut() else {
            return 0;
        };
        if piece.len() == piece.capacity() {
            // The first key of a shard costs no whole piece.
            let more = if before == 0 { piece.len().clamp(1, room / 2) } else { room };
            piece.reserve_exact(more);
        }
        let at = before.saturating_add(piece.len());
        piece.push(slot);
        u32::try_from(at).unwrap_or(u32::MAX)
    }

    /// Removes a slot; the place that the last one had, if it now stands here.
    fn swap_remove(&mut self, at: u32) -> Option<u32> {
        let last = self.pieces.last_mut()?.pop()?;
        if self.pieces.last().is_some_and(Vec::is_empty) {
            self.pieces.pop();
        }
        let full = self.pieces.len().saturating_sub(1).saturating_mul(PIECE as usize);
        let left = self.pieces.last().map_or(0, |piece| full.saturating_add(piece.len()));
        let moved = u32::try_from(left).unwrap_or(u32::MAX);
        if moved == at {
            return None;
        }
        *self.get_mut(at)? = last;
        Some(moved)
    }

    fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.pieces.iter().flatten()
    }

    fn heap(&self) -> usize {
        let pieces = self.pieces.iter().map(|piece| piece.capacity().saturating_mul(size_of::<Slot>()));
        let list = self.pieces.capacity().saturating_mul(size_of::<Vec<Slot>>());
        pieces.fold(list, usize::saturating_add)
    }
}

#[cfg(test)]
mod tests;
