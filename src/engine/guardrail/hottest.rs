//! The keys that operators want to see first: breakers that are not closed, limits that are
//! nearly used up.

use std::cmp::Reverse;
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::breaker::BreakerState;
use super::guard::{Guard, GuardId};
use super::key::Key;
use super::live::Live;
use super::operate::KeyView;
use super::state::At;

/// How much a key matters: what its breaker is, then the largest share that is used in
/// millionths, then how lately it was charged.
type Heat = (u8, u64, Reverse<u32>);

/// The hottest keys of one guardrail so far, the hottest first.
struct Top<'g> {
    guard: &'g Guard,
    keys: Vec<(Heat, KeyView)>,
}

impl Live {
    /// For each of these guardrails its keys that matter most, the hottest first, at most so
    /// many. Looks at every key once and holds up one shard at a time: not for the path of a
    /// decision.
    #[must_use]
    pub fn hottest<'g>(
        &self,
        guards: impl IntoIterator<Item = &'g Guard>,
        most: usize,
        at: At,
    ) -> HashMap<GuardId, Vec<KeyView>, RandomState> {
        let top = |guard: &'g Guard| (guard.id, Top { guard, keys: Vec::new() });
        let mut tops: HashMap<GuardId, Top<'g>, RandomState> = guards.into_iter().map(top).collect();
        for number in 0..self.ledger.table.shards() {
            let Some(shard) = self.ledger.table.lock(number) else { continue };
            for slot in shard.iter() {
                if let Some(top) = tops.get_mut(&slot.guard()) {
                    let view = top.guard.view(&slot.key, &slot.state, at);
                    top.put((rank(&view), share(&view), Reverse(slot.idle_steps(at.now))), view, most);
                }
            }
        }
        let views = |top: Top<'g>| top.keys.into_iter().map(|(_, view)| view).collect();
        tops.into_iter().map(|(id, top)| (id, views(top))).collect()
    }

    /// What a guardrail holds for one key; `None`: nothing.
    #[must_use]
    pub fn look(&self, guard: &Guard, key: &Key, at: At) -> Option<KeyView> {
        let hash = self.ledger.table.seed().hash(guard.id, key.as_bytes());
        let shard = self.ledger.table.lock_for(hash)?;
        let slot = shard.find(hash, guard.id, key.as_bytes()).and_then(|place| shard.get(place))?;
        Some(guard.view(&slot.key, &slot.state, at))
    }
}

impl Top<'_> {
    fn put(&mut self, heat: Heat, view: KeyView, most: usize) {
        // Of equals by their text, so that a list that is asked for again stays as it is.
        let before = |(other, seen): &(Heat, KeyView)| {
            *other > heat || (*other == heat && seen.key.as_bytes() <= view.key.as_bytes())
        };
        let place = self.keys.partition_point(before);
        if place < most {
            self.keys.truncate(most.saturating_sub(1));
            self.keys.insert(place, (heat, view));
        }
    }
}

const fn rank(view: &KeyView) -> u8 {
    match view.breaker {
        Some(BreakerState::Open | BreakerState::ForcedOpen) => 3,
        Some(BreakerState::HalfOpen) => 2,
        Some(BreakerState::Disabled) => 1,
        Some(BreakerState::Closed) | None => 0,
    }
}

/// The share of the measure that is used most.
fn share(view: &KeyView) -> u64 {
    let of = |room: &super::refused::Room| {
        let taken = u128::from(room.used).saturating_add(u128::from(room.reserved));
        let share = taken.saturating_mul(1_000_000).checked_div(u128::from(room.limit));
        share.and_then(|share| u64::try_from(share).ok()).unwrap_or(u64::MAX)
    };
    view.rooms.iter().map(of).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::Draw;
    use super::super::fixture::{Fixture, at, breaker, facts, s, window};
    use super::super::operate::Operation;
    use super::*;

    fn shown(views: &[KeyView]) -> Vec<String> {
        views.iter().map(|view| view.key.display()).collect()
    }

    #[test]
    fn the_most_used_keys_of_each_come_first() {
        let fixture = Fixture::new(&[window("w", 10, s(60)), window("other", 10, s(60)), breaker("b")]);
        let charge = |guard: usize, key: &str, units: u64, millis: u64| {
            let asks = fixture.asks(&[guard], key, units);
            let verdict = fixture.live.ledger.charge(&asks, &facts(), at(millis), &mut Draw::seeded(1));
            assert!(verdict.is_allowed());
        };
        for (units, key) in [(1, "cold"), (9, "hot"), (5, "warm"), (5, "late")] {
            charge(0, key, units, if key == "late" { 1_000 } else { 0 });
        }
        charge(1, "elsewhere", 10, 0);
        charge(2, "closed", 1, 0);
        let breaker = &fixture.list[2];
        let open = Key::of(b"open");
        fixture.live.operate(breaker, Some(&open), Operation::ForceOpen, at(1)).unwrap();
        let guards = [&*fixture.list[0], &**breaker];
        let hottest = fixture.live.hottest(guards, 3, at(2_000));
        assert_eq!(shown(&hottest[&guards[0].id]), ["hot", "late", "warm"]);
        assert_eq!(shown(&hottest[&guards[1].id]), ["open"], "one that is closed and empty holds nothing");
        assert_eq!(hottest.len(), 2);
        assert!(fixture.live.hottest(guards, 0, at(2_000))[&guards[0].id].is_empty());
        let looked = fixture.live.look(guards[0], &Key::of(b"warm"), at(2_000)).unwrap();
        assert_eq!(looked.rooms[0].left(), 5);
        assert!(fixture.live.look(guards[0], &open, at(2_000)).is_none());
    }
}
