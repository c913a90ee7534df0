//! What operators do to live guardrails, and what they see of them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::breaker::{Breaker, BreakerRules, BreakerState};
use super::directory::Hold;
use super::guard::{Guard, GuardId, Rules};
use super::key::Key;
use super::keyed::{Place, Shard};
use super::live::Live;
use super::refused::Room;
use super::state::{At, State};
use super::verdict::Event;
use crate::unit::Span;

/// What an operator asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A breaker refuses all until it is closed.
    ForceOpen,
    /// A breaker is closed and empty, whatever held it.
    Close,
    /// A breaker admits all and counts nothing until it is closed.
    Disable,
    /// Anything is emptied; a breaker is closed too.
    Reset,
}

/// Only breakers can be opened, closed and disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only circuit breakers can be opened, closed or disabled; use `reset`")]
pub struct NotABreaker;

/// What an operator sees of one key.
#[derive(Clone, Debug)]
pub struct KeyView {
    /// Which key.
    pub key: Key,
    /// How much of each measure is used.
    pub rooms: Vec<Room>,
    /// What a breaker is.
    pub breaker: Option<BreakerState>,
    /// How long until the next probe may pass; `None`: never by itself.
    pub next_probe: Option<Span>,
}

/// How many keys of a breaker are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByState([u64; STATES.len()]);

const STATES: [BreakerState; 5] = [
    BreakerState::Closed,
    BreakerState::Open,
    BreakerState::HalfOpen,
    BreakerState::ForcedOpen,
    BreakerState::Disabled,
];

impl ByState {
    /// Each state with its keys, those without any included.
    pub fn iter(&self) -> impl Iterator<Item = (BreakerState, u64)> {
        STATES.into_iter().zip(self.0)
    }

    fn add(&mut self, state: BreakerState) {
        for (known, count) in STATES.iter().zip(&mut self.0) {
            *count = count.saturating_add(u64::from(*known == state));
        }
    }
}

impl Live {
    /// Does what an operator asks, to one key or to all, those that nobody has seen included.
    ///
    /// # Errors
    /// It is no breaker and the operation is for breakers.
    pub fn operate(
        &self,
        guard: &Guard,
        key: Option<&Key>,
        operation: Operation,
        at: At,
    ) -> Result<Vec<Event>, NotABreaker> {
        let is_breaker = matches!(guard.rules, Rules::Breaker(_));
        if !is_breaker && operation != Operation::Reset {
            return Err(NotABreaker);
        }
        Ok(match key {
            Some(key) => self.operate_key(guard, key, operation, at).into_iter().collect(),
            None => self.operate_all(guard, operation, at),
        })
    }

    /// What a guardrail holds, key by key, as far as `most` keys; the order says nothing.
    #[must_use]
    pub fn view(&self, guard: &Guard, most: usize, at: At) -> Vec<KeyView> {
        let mut views = Vec::new();
        for number in 0..self.ledger.table.shards() {
            let Some(shard) = self.ledger.table.lock(number) else { continue };
            let ours = shard.iter().filter(|slot| slot.guard() == guard.id);
            let room = most.saturating_sub(views.len());
            views.extend(ours.take(room).map(|slot| guard.view(&slot.key, &slot.state, at)));
            if views.len() >= most {
                break;
            }
        }
        views
    }

    /// How many keys of each breaker among these are in which state; one whose every key is held
    /// counts as one. Looks at every key once, however many breakers there are.
    #[must_use]
    pub fn breakers<'g>(
        &self,
        guards: impl IntoIterator<Item = &'g Guard>,
        at: At,
    ) -> HashMap<GuardId, ByState, RandomState> {
        let mut counts: HashMap<GuardId, (Option<&BreakerRules>, ByState), RandomState> = HashMap::default();
        for guard in guards {
            let Rules::Breaker(rules) = &guard.rules else { continue };
            let (_, by_state) = counts.entry(guard.id).or_insert((None, ByState::default()));
            match guard.keys.hold() {
                Hold::Open => by_state.add(BreakerState::ForcedOpen),
                Hold::Disabled => by_state.add(BreakerState::Disabled),
                Hold::None => drop(counts.insert(guard.id, (Some(rules), ByState::default()))),
            }
        }
        let shards =
            if counts.values().any(|(rules, _)| rules.is_some()) { self.ledger.table.shards() } else { 0 };
        for shard in (0..shards).filter_map(|number| self.ledger.table.lock(number)) {
            for slot in shard.iter() {
                if let State::Breaker(breaker) = &slot.state
                    && let Some((Some(rules), by_state)) = counts.get_mut(&slot.guard())
                {
                    by_state.add(breaker.state(rules, at.now));
                }
            }
        }
        counts.into_iter().map(|(id, (_, by_state))| (id, by_state)).collect()
    }

    /// What an operator holds all keys of a breaker in.
    #[must_use]
    pub fn hold(guard: &Guard) -> Hold {
        guard.keys.hold()
    }

    fn operate_all(&self, guard: &Guard, operation: Operation, at: At) -> Vec<Event> {
        match operation {
            Operation::ForceOpen => guard.keys.set_hold(Hold::Open),
            Operation::Disable => guard.keys.set_hold(Hold::Disabled),
            Operation::Close | Operation::Reset => guard.keys.set_hold(Hold::None),
        }
        // Reports of decisions from before say nothing after.
        guard.keys.set_reset_at(at.now);
        let mut left = guard.keys.keys();
        while left > 0 {
            let dropped = self.ledger.drop_some(guard).dropped;
            left = left.saturating_sub(u64::try_from(dropped).unwrap_or(left).max(1));
            if dropped == 0 {
                break;
            }
        }
        vec![Event::Operated { guard: guard.id, key: None, operation }]
    }

    fn operate_key(&self, guard: &Guard, key: &Key, operation: Operation, at: At) -> Option<Event> {
        let hash = self.ledger.table.seed().hash(guard.id, key.as_bytes());
        let mut shard = self.ledger.table.lock_for(hash)?;
        let found = shard.find(hash, guard.id, key.as_bytes());
        let makes = matches!(operation, Operation::ForceOpen | Operation::Disable);
        let place = match found {
            None if makes => make(&mut shard, guard, key, hash),
            found => found,
        };
        let slot = place.and_then(|place| shard.get_mut(place));
        if let Some(slot) = slot {
            slot.touch(at.now);
            set(guard, &mut slot.state, operation, at);
        }
        Some(Event::Operated { guard: guard.id, key: Some(key.clone()), operation })
    }
}

/// Makes a key that nobody has seen. An operator is not held up by a full table.
fn make(shard: &mut Shard, guard: &Guard, key: &Key, hash: u64) -> Option<Place> {
    guard.keys.open().add(hash);
    let state = State::Breaker(Box::new(Breaker::closed()));
    Some(shard.add(hash, guard.id, key.as_bytes(), state))
}

fn set(guard: &Guard, state: &mut State, operation: Operation, at: At) {
    match state {
        State::Breaker(breaker) => {
            let to = match operation {
                Operation::ForceOpen => BreakerState::ForcedOpen,
                Operation::Disable => BreakerState::Disabled,
                Operation::Close | Operation::Reset => BreakerState::Closed,
            };
            breaker.operate(to, at.now);
        }
        State::Budget(budget) => budget.clear(at.now),
        State::Log(_) | State::Arrival(_) | State::Flush(_) | State::Leases(_) | State::Retries(_) => {
            if let Some(fresh) = guard.fresh_state(at) {
                *state = fresh;
            }
        }
    }
}

impl Guard {
    pub(super) fn view(&self, key: &Key, state: &State, at: At) -> KeyView {
        let mut state = state.clone();
        self.advance(&mut state, at);
        let mut rooms = Vec::new();
        self.rooms(Some(&state), at, |room| rooms.push(room));
        let (breaker, next_probe) = match (&self.rules, &state) {
            (Rules::Breaker(rules), State::Breaker(breaker)) => {
                (Some(breaker.state(rules, at.now)), rules.rest(breaker, at.now))
            }
            _ => (None, None),
        };
        KeyView { key: key.clone(), rooms, breaker, next_probe }
    }
}

#[cfg(test)]
mod tests;
