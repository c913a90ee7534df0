//! RetryDecision's part of the ledger: what breakers and budgets say, and the retry budget.

use super::ask::{Ask, Asks, Facts};
use super::breaker::BreakerState;
use super::directory::Hold;
use super::draw::Draw;
use super::guard::{Guard, Rules};
use super::ledger::Ledger;
use super::retry::{Attempt, BreakerRest, Failed, Plan, RetryBudgetRules, plan};
use super::state::{At, State};
use crate::model::ReasonCode;
use crate::unit::Span;

/// Whether and when to try again, and which policy says so.
#[derive(Clone, Copy, Debug)]
pub struct RetryAnswer<'g> {
    /// Whether and when.
    pub plan: Plan,
    /// Which policy was followed.
    pub policy: Option<&'g Guard>,
}

impl Ledger {
    /// Plans a retry of an action that failed. `asks` are the guardrails that match it: its retry
    /// policies, of which the highest priority, then the first name, is followed, its breakers
    /// and its budgets. Only a retry that is granted is counted.
    pub fn retry<'g>(
        &self,
        asks: &Asks<'g>,
        facts: &Facts,
        attempt: &Attempt,
        at: At,
        draw: &mut Draw,
    ) -> RetryAnswer<'g> {
        let policy = policy(asks);
        let rules = policy.and_then(|(ask, _)| match &ask.guard.rules {
            Rules::Retry(rules) => Some(rules),
            _ => None,
        });
        let failed = self.known(asks, facts, attempt, at);
        let mut answer =
            RetryAnswer { plan: plan(rules, &failed, draw), policy: policy.map(|(ask, _)| ask.guard) };
        let budget = rules.and_then(|rules| rules.budget);
        if let (Plan::Again { .. }, Some((ask, key)), Some(budget)) = (answer.plan, policy, budget)
            && !self.grant(ask.guard, key, &budget, at)
        {
            answer.plan = Plan::Fail(ReasonCode::RetryBudgetExhausted);
        }
        answer
    }

    /// What breakers and budgets say.
    fn known(&self, asks: &Asks<'_>, facts: &Facts, attempt: &Attempt, at: At) -> Failed {
        let (mut breaker, mut budget_spent) = (BreakerRest::Closed, false);
        for (ask, key) in asks.iter().filter(|(ask, _)| !ask.guard.is_shadow()) {
            match &ask.guard.rules {
                Rules::Breaker(_) => breaker = breaker.max(self.breaker_rest(ask.guard, key, at)),
                Rules::Budget(_) => budget_spent |= self.is_spent(ask.guard, key, facts, at),
                _ => {}
            }
        }
        Failed { attempt: *attempt, budget_spent, breaker }
    }

    fn breaker_rest(&self, guard: &Guard, key: &[u8], at: At) -> BreakerRest {
        match guard.keys.hold() {
            Hold::Open => return BreakerRest::Forever,
            Hold::Disabled => return BreakerRest::Closed,
            Hold::None => {}
        }
        let rest = self.with_state(guard, key, |state| match (&guard.rules, state) {
            (Rules::Breaker(rules), State::Breaker(breaker)) => rules.rest(breaker, at.now),
            _ => Some(Span::default()),
        });
        match rest {
            None => BreakerRest::Closed,
            Some(None) => BreakerRest::Forever,
            Some(Some(rest)) if rest == Span::default() => BreakerRest::Closed,
            Some(Some(rest)) => BreakerRest::For(rest),
        }
    }

    /// What the breaker of a key is; `None` for a guardrail that is none.
    #[must_use]
    pub fn breaker_state(&self, guard: &Guard, key: &[u8], at: At) -> Option<BreakerState> {
        let Rules::Breaker(rules) = &guard.rules else {
            return None;
        };
        Some(match guard.keys.hold() {
            Hold::Open => BreakerState::ForcedOpen,
            Hold::Disabled => BreakerState::Disabled,
            Hold::None => {
                let known = self.with_state(guard, key, |state| match state {
                    State::Breaker(breaker) => Some(breaker.state(rules, at.now)),
                    _ => None,
                });
                known.flatten().unwrap_or(BreakerState::Closed)
            }
        })
    }

    /// Whether a measure that counts the action has nothing left.
    fn is_spent(&self, guard: &Guard, key: &[u8], facts: &Facts, at: At) -> bool {
        let Rules::Budget(rules) = &guard.rules else {
            return false;
        };
        let counted = facts.expected.amounts(rules);
        let spent = |state: Option<&State>| {
            let mut spent = false;
            guard.rooms(state, at, |room| {
                spent |= counted.counts(room.measure) && room.left() == 0;
            });
            spent
        };
        let known = self.with_state(guard, key, |state| {
            guard.advance(state, at);
            spent(Some(state))
        });
        known.unwrap_or_else(|| spent(None))
    }

    pub(super) fn with_state<T>(
        &self,
        guard: &Guard,
        key: &[u8],
        read: impl FnOnce(&mut State) -> T,
    ) -> Option<T> {
        let hash = self.table.seed().hash(guard.id, key);
        let mut shard = self.table.lock_for(hash)?;
        let place = shard.find(hash, guard.id, key)?;
        shard.get_mut(place).map(|slot| read(&mut slot.state))
    }

    /// Counts one more retry, if the budget allows it.
    fn grant(&self, guard: &Guard, key: &[u8], budget: &RetryBudgetRules, at: At) -> bool {
        let hash = self.table.seed().hash(guard.id, key);
        for last in [false, true] {
            let Some(mut shard) = self.table.lock_for(hash) else {
                return false;
            };
            let place = shard.find(hash, guard.id, key).or_else(|| {
                let mut list = guard.keys.open();
                (list.keys() < guard.max_keys && budget.allows(None, at.now)).then(|| {
                    list.add(hash);
                    shard.add(hash, guard.id, key, State::Retries(Box::default()))
                })
            });
            if let Some(slot) = place.and_then(|place| shard.get_mut(place)) {
                slot.touch(at.now);
                return match &mut slot.state {
                    State::Retries(state) if budget.allows(Some(state), at.now) => {
                        budget.granted(state, at.now);
                        true
                    }
                    _ => false,
                };
            }
            drop(shard);
            if !last && budget.allows(None, at.now) {
                self.make_room(guard, at);
            }
        }
        false
    }
}

/// The policy to follow, with its key.
fn policy<'a, 'g>(asks: &'a Asks<'g>) -> Option<(&'a Ask<'g>, &'a [u8])> {
    let policies =
        asks.iter().filter(|(ask, _)| matches!(ask.guard.rules, Rules::Retry(_)) && !ask.guard.is_shadow());
    policies.reduce(|a, b| if std::ptr::eq(a.0.guard.preferred(b.0.guard), a.0.guard) { a } else { b })
}

#[cfg(test)]
mod tests;
