//! Looking through the keys of a guardrail, a few at a time: who is idle goes, who is full gets
//! room.

use super::directory::PIECE;
use super::guard::Guard;
use super::keyed::{Place, Shard, Slot, idle_steps_of};
use super::ledger::Ledger;
use super::state::At;
use crate::model::guardrail::OnMaxKeys;
use crate::time::Moment;
use crate::unit::Span;

/// How many pieces a request looks through for room at most.
const PIECES: usize = 4;

/// For so long after a look in vain nobody looks again where nothing may be evicted: whoever
/// invents keys would have each of them pay for a look at 256 others.
const NO_LOOK: Span = Span::from_nanos(10_000_000);

/// What a scan found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// How many keys it looked at.
    pub seen: usize,
    /// How many it dropped.
    pub dropped: usize,
}

/// A key that could make room: its hash, and for how long it has not been charged.
#[derive(Clone, Copy)]
struct Oldest {
    hash: u64,
    idle: u32,
}

/// A flush without a name is over after this at the latest: its call is answered long before.
const LONGEST_CALL: Span = Span::from_nanos(60_000_000_000);

impl Ledger {
    /// Makes room for a key where the guardrail has as many as it may: keys that are the same as
    /// fresh or idle go first, and where the guardrail wants it, the one that was charged longest
    /// ago of those looked at (up to 256 keys: of all).
    pub(super) fn make_room(&self, guard: &Guard, at: At) {
        let full_at = guard.keys.full_at();
        if full_at != Moment::ZERO && at.now.since(full_at) < NO_LOOK {
            return;
        }
        let scanning = guard.keys.scan();
        if guard.keys.keys() < guard.max_keys {
            return;
        }
        let pieces = guard.keys.open().pieces().min(PIECES);
        let mut oldest = None;
        for _ in 0..pieces {
            if self.scan_piece(guard, at, &mut oldest).dropped > 0 {
                return;
            }
        }
        match (guard.on_max_keys, oldest) {
            (OnMaxKeys::Refuse, _) => guard.keys.set_full_at(at.now),
            (OnMaxKeys::EvictLru, Some(oldest)) => self.evict(guard, oldest.hash, at),
            (OnMaxKeys::EvictLru, None) => {}
        }
        drop(scanning);
    }

    /// Looks at some keys of a guardrail and drops those that nobody would miss.
    pub fn scan(&self, guard: &Guard, at: At) -> Scanned {
        let _scanning = guard.keys.scan();
        self.scan_piece(guard, at, &mut None)
    }

    /// Drops some keys of a guardrail that is gone, whatever they hold.
    pub(super) fn drop_some(&self, guard: &Guard) -> Scanned {
        let _scanning = guard.keys.scan();
        let piece = guard.keys.open().take_piece();
        let seen = piece.len();
        for hash in piece {
            self.remove_if(guard, hash, |_| true);
        }
        guard.keys.open().put_back(Vec::new(), u64::try_from(seen).unwrap_or(u64::MAX));
        Scanned { seen, dropped: seen }
    }

    fn scan_piece(&self, guard: &Guard, at: At, oldest: &mut Option<Oldest>) -> Scanned {
        let mut piece = guard.keys.open().take_piece();
        let seen = piece.len();
        let (patience, call) = (idle_steps_of(guard.idle), idle_steps_of(LONGEST_CALL.min(guard.idle)));
        piece.retain(|hash| {
            let mut kept = None;
            let dropped = self.remove_if(guard, *hash, |slot| {
                let idle = slot.idle_steps(at.now);
                let patience = if slot.key.ends_with_its_call() { call } else { patience };
                let gone = guard.is_fresh(&slot.state, at)
                    || (idle >= patience && !guard.is_pinned(&slot.state, at));
                kept = (!gone && guard.may_be_evicted(&slot.state, at)).then_some(idle);
                gone
            });
            if let Some(idle) = kept.filter(|idle| oldest.is_none_or(|oldest| *idle > oldest.idle)) {
                *oldest = Some(Oldest { hash: *hash, idle });
            }
            !dropped
        });
        let dropped = seen.saturating_sub(piece.len());
        let gone = u64::try_from(dropped).unwrap_or(u64::MAX);
        guard.keys.open().put_back(piece, gone);
        Scanned { seen, dropped }
    }

    fn evict(&self, guard: &Guard, hash: u64, at: At) {
        if !self.remove_if(guard, hash, |slot| guard.may_be_evicted(&slot.state, at)) {
            return;
        }
        guard.keys.count_evicted();
        guard.keys.open().drop_key(hash);
    }

    /// Removes a key of a guardrail by its hash, if it is as wanted or not there any more.
    fn remove_if(&self, guard: &Guard, hash: u64, wanted: impl FnMut(&Slot) -> bool) -> bool {
        let Some(mut shard) = self.table.lock_for(hash) else {
            return true;
        };
        match found(&shard, guard, hash, wanted) {
            Found::Wanted(place) => {
                shard.remove(place);
                true
            }
            Found::Other => false,
            Found::Nothing => true,
        }
    }
}

enum Found {
    Wanted(Place),
    Other,
    Nothing,
}

fn found(shard: &Shard, guard: &Guard, hash: u64, mut wanted: impl FnMut(&Slot) -> bool) -> Found {
    let mut found = Found::Nothing;
    for place in shard.with_hash(hash, guard.id) {
        match shard.get(place) {
            Some(slot) if wanted(slot) => return Found::Wanted(place),
            Some(_) => found = Found::Other,
            None => {}
        }
    }
    found
}

const _: () = assert!(PIECE * PIECES == 256);
