//! The sweeper: tells who waits that the wait is over, and drops what nobody would miss, a little
//! at each step.

use std::sync::Arc;

use super::budget::Expected;
use super::guard::{Guard, GuardId, Rules};
use super::keyed::{Place, Shard};
use super::live::{Guards, Live};
use super::state::{At, State, Wanted};
use super::verdict::Event;

/// Where the sweeper is. One for a process.
#[derive(Debug, Default)]
pub struct Sweeper {
    /// The guardrail after which it goes on.
    last: Option<GuardId>,
}

impl Sweeper {
    /// One step: looks at every key that refused somebody, and at some keys of some guardrails,
    /// `pieces` times 64 at most. Call it several times a second.
    pub fn step(&mut self, live: &Live, guards: &Guards, at: At, pieces: usize) -> Vec<Event> {
        let mut events = Vec::new();
        live.watch(guards, at, &mut events);
        let mut left = pieces;
        for gone in live.retired() {
            while left > 0 && live.ledger.drop_some(&gone).seen > 0 {
                left = left.saturating_sub(1);
            }
            live.forget(&gone);
        }
        let mut all: Vec<&Arc<Guard>> = guards.iter().collect();
        all.sort_by_key(|guard| guard.id);
        let from = all.partition_point(|guard| Some(guard.id) <= self.last);
        all.rotate_left(from);
        // No guardrail is looked at twice in a step, however few there are.
        for guard in all {
            let rounds = usize::try_from(guard.keys.keys()).unwrap_or(usize::MAX);
            let mut round = rounds.div_ceil(super::directory::PIECE / 2);
            while left > 0 && round > 0 && live.ledger.scan(guard, at).seen > 0 {
                (left, round) = (left.saturating_sub(1), round.saturating_sub(1));
            }
            // Also where it has more than one step looks at, or those behind it would never be.
            self.last = Some(guard.id);
            if left == 0 {
                break;
            }
        }
        events
    }
}

impl Live {
    /// Looks at the keys that refused somebody.
    fn watch(&self, guards: &Guards, at: At, events: &mut Vec<Event>) {
        for number in 0..self.ledger.table.shards() {
            let Some(mut shard) = self.ledger.table.lock(number) else { continue };
            for hash in shard.take_watched() {
                let Some(place) = shard.watched(hash) else { continue };
                let guard = shard.get(place).and_then(|slot| guards.get(slot.guard()));
                let cleared = guard.is_none_or(|guard| look(&mut shard, place, guard, at, events));
                match shard.get_mut(place) {
                    Some(slot) if cleared => slot.unwatch(),
                    Some(_) => shard.put_watched(hash),
                    None => {}
                }
            }
        }
    }
}

/// Looks at a watched key; whether it admits again.
fn look(shard: &mut Shard, place: Place, guard: &Guard, at: At, events: &mut Vec<Event>) -> bool {
    let Some(slot) = shard.get_mut(place) else {
        return true;
    };
    guard.advance(&mut slot.state, at);
    if let (Rules::Breaker(rules), State::Breaker(breaker)) = (&guard.rules, &mut slot.state)
        && let Some(transition) = breaker.advance(rules, at.now)
    {
        let key = slot.key.clone();
        events.push(Event::Breaker { guard: guard.id, key, transition });
    }
    let admits = guard.has_room(&mut slot.state, at);
    if admits {
        events.push(Event::ThrottleCleared { guard: guard.id, key: slot.key.clone() });
    }
    admits
}

impl Guard {
    /// Whether the least that a request can ask for would be admitted.
    fn has_room(&self, state: &mut State, at: At) -> bool {
        if let Rules::Budget(_) = self.rules {
            let mut room = true;
            self.rooms(Some(state), at, |measure| room &= measure.left() > 0);
            return room;
        }
        let expected = Expected::nothing();
        let least = Wanted { units: 1, alone: false, expected: &expected, first_attempt: false };
        self.check(Some(state), &least, at).is_ok()
    }
}

#[cfg(test)]
mod tests;
