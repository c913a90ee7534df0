//! What a report gives back, corrects and teaches.

use smallvec::SmallVec;

use super::breaker::{Breaker, Passage, REPORT_HORIZON};
use super::budget::{Budget, Reservation};
use super::concurrency::lease_length;
use super::directory::Hold;
use super::guard::{Guard, Rules};
use super::keyed::{Place, Shard};
use super::ledger::Ledger;
use super::live::Guards;
use super::report::Outcome;
use super::state::{At, Claim, State};
use super::verdict::{Event, Ticket};
use crate::time::Moment;
use crate::unit::Span;

/// What was decided, as far as its report needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// When.
    pub at: Moment,
    /// The timeout obligation.
    pub timeout: Option<Span>,
}

/// What settling brought about.
pub type Events = SmallVec<[Event; 1]>;

/// For so long after its leases have ended a decision can still be reported.
pub const HORIZON: Span = REPORT_HORIZON;

impl Ledger {
    /// Settles what a decision took with how it ended. Each ticket must be settled once.
    pub fn settle(
        &self,
        guards: &Guards,
        taken: Taken,
        tickets: &[Ticket],
        outcome: &Outcome,
        at: At,
    ) -> Events {
        let took = outcome.duration.unwrap_or_else(|| at.now.since(taken.at));
        let mut events = Events::new();
        for ticket in tickets {
            if let Some(guard) = guards.get(ticket.guard) {
                let report = Report { guard, ticket, taken, outcome, took, at };
                self.settle_one(&report, &mut events);
            }
        }
        events
    }

    /// Renews the leases that a decision still holds, each to its full length; the shortest of
    /// them, or `None` where none is left.
    pub fn renew(&self, guards: &Guards, taken: Taken, tickets: &mut [Ticket], now: Moment) -> Option<Span> {
        let mut shortest: Option<Span> = None;
        for ticket in tickets {
            let Some(guard) = guards.get(ticket.guard) else { continue };
            let Some(length) = guard.lease().map(|own| lease_length(own, taken.timeout)) else {
                continue;
            };
            if self.renew_one(guard, ticket, now, now.after(length)) && !guard.is_shadow() {
                shortest = Some(shortest.map_or(length, |other| other.min(length)));
            }
        }
        shortest
    }

    fn renew_one(&self, guard: &Guard, ticket: &mut Ticket, now: Moment, ends: Moment) -> bool {
        let hash = self.table.seed().hash(guard.id, ticket.key.as_bytes());
        let Some(mut shard) = self.table.lock_for(hash) else {
            return false;
        };
        let place = shard.find(hash, guard.id, ticket.key.as_bytes());
        let slot = place.and_then(|place| shard.get_mut(place));
        if ticket.claim.ends().is_none_or(|ended| ended <= now) {
            return false;
        }
        match (slot.map(|slot| &mut slot.state), &mut ticket.claim) {
            (Some(State::Leases(leases)), Claim::Place(lease)) => {
                leases.renew(*lease, ends).map(|renewed| *lease = renewed).is_some()
            }
            (Some(State::Breaker(breaker)), Claim::Passage(passage)) => breaker.renew(passage, ends),
            (Some(State::Budget(budget)), Claim::Reserved(reserved)) => budget.renew(reserved, ends),
            _ => false,
        }
    }

    fn settle_one(&self, report: &Report<'_>, events: &mut Events) {
        let Report { guard, ticket, .. } = *report;
        let hash = self.table.seed().hash(guard.id, ticket.key.as_bytes());
        // Once more where a breaker's key is new and its table full.
        for last in [false, true] {
            let Some(mut shard) = self.table.lock_for(hash) else {
                return;
            };
            let known = shard.find(hash, guard.id, ticket.key.as_bytes());
            if let Some(place) = known.or_else(|| report.make(&mut shard, hash)) {
                let before = events.len();
                report.apply(&mut shard, place, events);
                if events.len() > before {
                    shard.watch(hash, place);
                }
                return;
            }
            if !report.needs_key() {
                return;
            }
            drop(shard);
            if last {
                guard.keys.count_dropped();
            } else {
                self.make_room(guard, report.at);
            }
        }
    }
}

/// A report in front of one ticket.
#[derive(Clone, Copy)]
struct Report<'a> {
    guard: &'a Guard,
    ticket: &'a Ticket,
    taken: Taken,
    outcome: &'a Outcome,
    took: Span,
    at: At,
}

impl Report<'_> {
    /// The state of a key that is not kept, where the report leaves something on it.
    fn state(&self) -> Option<State> {
        if self.taken.at <= self.guard.keys.reset_at() {
            return None;
        }
        match (&self.guard.rules, &self.ticket.claim) {
            (Rules::Breaker(rules), Claim::Passage(_)) if self.guard.keys.hold() == Hold::None => {
                let verdict = rules.judge(self.outcome, self.took, self.taken.timeout);
                rules.remembers(verdict).then(|| State::Breaker(Box::new(Breaker::closed())))
            }
            (Rules::Budget(_), Claim::Reserved(reserved)) => {
                let actual = reserved.amounts.settled(self.outcome, self.took);
                let ended = Budget::ended(self.guard.window(self.at), reserved)?;
                let mut late = ended.clone();
                late.settle(reserved, self.taken.at, &actual);
                (!late.is_unused()).then(|| State::Budget(Box::new(ended)))
            }
            _ => None,
        }
    }

    fn needs_key(&self) -> bool {
        self.state().is_some()
    }

    /// Makes the key, if there is something to remember and room for it.
    fn make(&self, shard: &mut Shard, hash: u64) -> Option<Place> {
        let state = self.state()?;
        let mut list = self.guard.keys.open();
        if list.keys() >= self.guard.max_keys {
            return None;
        }
        list.add(hash);
        Some(shard.add(hash, self.guard.id, self.ticket.key.as_bytes(), state))
    }

    fn apply(&self, shard: &mut Shard, place: Place, events: &mut Events) {
        let Some(slot) = shard.get_mut(place) else { return };
        self.guard.advance(&mut slot.state, self.at);
        match (&self.guard.rules, &mut slot.state, &self.ticket.claim) {
            (Rules::Concurrency(_), State::Leases(leases), Claim::Place(lease)) => {
                leases.remove(*lease);
            }
            (Rules::Breaker(_), State::Breaker(breaker), Claim::Passage(passage)) => {
                let counted = self.report(breaker, *passage, events);
                if counted {
                    slot.touch(self.at.now);
                }
            }
            (Rules::Budget(_), State::Budget(budget), Claim::Reserved(reserved)) => {
                self.correct(budget, reserved);
                slot.touch(self.at.now);
            }
            _ => {}
        }
    }

    fn report(&self, breaker: &mut Breaker, passage: Passage, events: &mut Events) -> bool {
        let Rules::Breaker(rules) = &self.guard.rules else {
            return false;
        };
        if self.taken.at <= self.guard.keys.reset_at() || self.guard.keys.hold() != Hold::None {
            return false;
        }
        let verdict = rules.judge(self.outcome, self.took, self.taken.timeout);
        let step = rules.report(breaker, passage, self.taken.at, verdict, self.at.now);
        if let Some(transition) = step {
            let (guard, key) = (self.guard.id, self.ticket.key.clone());
            events.push(Event::Breaker { guard, key, transition });
        }
        rules.remembers(verdict)
    }

    fn correct(&self, budget: &mut Budget, reserved: &Reservation) {
        let actual = reserved.amounts.settled(self.outcome, self.took);
        let known_since = self.taken.at > self.guard.keys.reset_at();
        if known_since {
            budget.settle(reserved, self.taken.at, &actual);
        }
    }
}

impl Guard {
    /// How long its leases last.
    fn lease(&self) -> Option<Span> {
        match &self.rules {
            Rules::Concurrency(rules) => Some(rules.lease),
            Rules::Breaker(rules) => Some(rules.lease),
            Rules::Budget(rules) => Some(rules.lease),
            Rules::SlidingWindow(_)
            | Rules::TokenBucket(_)
            | Rules::PerFlush(_)
            | Rules::Sampling(..)
            | Rules::Retry(_)
            | Rules::Timeout(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
