//! The state of one key: which type it is of, and what each guardrail does with it.

use super::breaker::{Breaker, Passage, Transition};
use super::budget::{Amounts, Budget, Expected, Reservation, Window};
use super::count_log::CountLog;
use super::directory::Hold;
use super::guard::{Guard, Rules};
use super::lease::{Lease, LeaseId, Leases};
use super::rate_limit::Arrival;
use super::refused::{Refused, Room};
use super::retry::Retries;
use crate::model::ReasonCode;
use crate::time::{Moment, WallTime};
use crate::unit::Span;

/// The state of one key. Boxed where it is large and most keys have another type.
#[derive(Clone, Debug)]
pub enum State {
    /// A sliding window.
    Log(CountLog),
    /// A token bucket.
    Arrival(Arrival),
    /// Units of a flush.
    Flush(u64),
    /// Actions in flight.
    Leases(Leases<()>),
    /// A circuit breaker.
    Breaker(Box<Breaker>),
    /// A budget.
    Budget(Box<Budget>),
    /// First attempts and retries.
    Retries(Box<Retries>),
}

/// When it is, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// The clock that never goes back.
    pub now: Moment,
    /// The time of day.
    pub wall: WallTime,
}

/// What a request wants of one guardrail.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Units of a rate limit; of a sample, the point of the key.
    pub units: u64,
    /// Whether the flush that is counted has no other request.
    pub alone: bool,
    /// What the action is expected to use.
    pub expected: &'a Expected,
    /// Whether it is the first attempt.
    pub first_attempt: bool,
}

/// What a decision has taken from a guardrail, to be settled by its report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It passed a breaker.
    Passage(Passage),
    /// It holds a place.
    Place(Lease),
    /// It has reserved amounts.
    Reserved(Box<Reservation>),
}

impl Claim {
    /// When it ends unless it is reported or renewed before; `None`: it does not hold anything.
    #[must_use]
    pub fn ends(&self) -> Option<Moment> {
        match self {
            Self::Passage(passage) => passage.probe.map(|probe| probe.ends),
            Self::Place(lease) => Some(lease.ends),
            Self::Reserved(reservation) => Some(reservation.lease.ends),
        }
    }
}

impl Guard {
    /// The state of a key that nobody has used; `None`: this type needs none.
    pub(super) fn fresh_state(&self, at: At) -> Option<State> {
        Some(match &self.rules {
            Rules::SlidingWindow(rules) => State::Log(CountLog::new(&rules.shape)),
            Rules::TokenBucket(rules) => State::Arrival(rules.full()),
            Rules::PerFlush(_) => State::Flush(0),
            Rules::Concurrency(_) => State::Leases(Leases::default()),
            Rules::Breaker(_) => State::Breaker(Box::new(Breaker::closed())),
            Rules::Budget(_) => State::Budget(Box::new(Budget::new(self.window(at)))),
            Rules::Retry(_) => State::Retries(Box::default()),
            Rules::Sampling(..) | Rules::Timeout(_) => return None,
        })
    }

    /// Whether charging a request makes a state where there is none.
    pub(super) fn keeps(&self, wanted: &Wanted<'_>) -> bool {
        match &self.rules {
            Rules::SlidingWindow(_) | Rules::TokenBucket(_) => wanted.units > 0,
            Rules::PerFlush(_) => wanted.units > 0 && !wanted.alone,
            Rules::Concurrency(_) => true,
            Rules::Budget(rules) => wanted.expected.amounts(rules) != Amounts::default(),
            Rules::Retry(rules) => wanted.first_attempt && rules.budget.is_some(),
            Rules::Breaker(_) | Rules::Sampling(..) | Rules::Timeout(_) => false,
        }
    }

    /// Does what time alone does to a state: leases end, windows begin.
    pub(super) fn advance(&self, state: &mut State, at: At) {
        match (&self.rules, state) {
            (Rules::Concurrency(_), State::Leases(leases)) => leases.end(at.now),
            (Rules::Budget(_), State::Budget(budget)) => budget.advance(self.window(at), at.now),
            (Rules::TokenBucket(rules), State::Arrival(arrival)) => rules.convert(arrival, at.now),
            _ => {}
        }
    }

    /// Whether a request passes. The state has gone with the time.
    pub(super) fn check(
        &self,
        state: Option<&mut State>,
        wanted: &Wanted<'_>,
        at: At,
    ) -> Result<(), Refused> {
        match (&self.rules, state) {
            (Rules::SlidingWindow(rules), Some(State::Log(log))) => {
                rules.check(Some(log), wanted.units, at.now)
            }
            (Rules::SlidingWindow(rules), _) => rules.check(None, wanted.units, at.now),
            (Rules::TokenBucket(rules), Some(State::Arrival(state))) => {
                rules.check(Some(state), wanted.units, at.now)
            }
            (Rules::TokenBucket(rules), _) => rules.check(None, wanted.units, at.now),
            (Rules::PerFlush(rules), Some(State::Flush(used))) => rules.check(*used, wanted.units),
            (Rules::PerFlush(rules), _) => rules.check(0, wanted.units),
            (Rules::Concurrency(rules), Some(State::Leases(leases))) => rules.check(Some(leases), at.now),
            (Rules::Concurrency(rules), _) => rules.check(None, at.now),
            (Rules::Breaker(rules), state) => match (self.keys.hold(), state) {
                (Hold::Open, _) => Err(Refused::for_good(ReasonCode::ForcedOpen)),
                (Hold::Disabled, _) => Ok(()),
                (Hold::None, Some(State::Breaker(state))) => rules.check(Some(state), at.now),
                (Hold::None, _) => rules.check(None, at.now),
            },
            (Rules::Budget(rules), Some(State::Budget(state))) => {
                let amounts = wanted.expected.amounts(rules);
                rules.check(Some(state), &amounts, at.wall, at.now)
            }
            (Rules::Budget(rules), _) => rules.check(None, &wanted.expected.amounts(rules), at.wall, at.now),
            (Rules::Sampling(rules, _), _) => rules.check(wanted.units),
            (Rules::Retry(_) | Rules::Timeout(_), _) => Ok(()),
        }
    }

    /// Charges what was checked at this moment. `lease` is for what has to be given back.
    pub(super) fn charge(
        &self,
        state: Option<&mut State>,
        wanted: &Wanted<'_>,
        lease: LeaseId,
        at: At,
    ) -> (Option<Claim>, Option<Transition>) {
        let timeout = wanted.expected.timeout;
        let claim = match (&self.rules, state) {
            (Rules::SlidingWindow(rules), Some(State::Log(log))) => {
                rules.charge(log, wanted.units, at.now);
                None
            }
            (Rules::TokenBucket(rules), Some(State::Arrival(state))) => {
                rules.charge(state, wanted.units, at.now);
                None
            }
            (Rules::PerFlush(_), Some(State::Flush(used))) => {
                *used = used.saturating_add(wanted.units);
                None
            }
            (Rules::Concurrency(rules), Some(State::Leases(leases))) => {
                Some(Claim::Place(rules.charge(leases, lease, timeout, at.now)))
            }
            (Rules::Breaker(rules), Some(State::Breaker(state))) if self.keys.hold() == Hold::None => {
                let (passage, step) = rules.charge(Some(state), lease, timeout, at.now);
                return (Some(Claim::Passage(passage)), step);
            }
            (Rules::Breaker(rules), _) => {
                let (passage, _) = rules.charge(None, lease, timeout, at.now);
                Some(Claim::Passage(passage))
            }
            // An action that none of its measures counts takes no lease on it.
            (Rules::Budget(_), Some(State::Budget(_))) if !self.keeps(wanted) => None,
            (Rules::Budget(rules), Some(State::Budget(state))) => {
                let amounts = wanted.expected.amounts(rules);
                self.latest.entered(state.window);
                let reserved = rules.charge(state, amounts, lease, timeout, at.now);
                Some(Claim::Reserved(Box::new(reserved)))
            }
            (Rules::Retry(rules), Some(State::Retries(state))) if wanted.first_attempt => {
                if let Some(budget) = &rules.budget {
                    budget.first(state, at.now);
                }
                None
            }
            _ => None,
        };
        (claim, None)
    }

    /// Calls `each` with how much of each measure is used. The state has gone with the time.
    pub(super) fn rooms(&self, state: Option<&State>, at: At, mut each: impl FnMut(Room)) {
        match (&self.rules, state) {
            (Rules::SlidingWindow(rules), Some(State::Log(log))) => {
                each(rules.room(Some(log), at.now));
            }
            (Rules::SlidingWindow(rules), _) => each(rules.room(None, at.now)),
            (Rules::TokenBucket(rules), Some(State::Arrival(state))) => {
                each(rules.room(Some(state), at.now));
            }
            (Rules::TokenBucket(rules), _) => each(rules.room(None, at.now)),
            (Rules::PerFlush(rules), Some(State::Flush(used))) => each(rules.room(*used)),
            (Rules::PerFlush(rules), _) => each(rules.room(0)),
            (Rules::Concurrency(rules), Some(State::Leases(leases))) => {
                each(rules.room(Some(leases), at.now));
            }
            (Rules::Concurrency(rules), _) => each(rules.room(None, at.now)),
            (Rules::Budget(rules), Some(State::Budget(state))) => {
                rules.rooms(Some(state), at.wall).for_each(each);
            }
            (Rules::Budget(rules), _) => rules.rooms(None, at.wall).for_each(each),
            (Rules::Breaker(_) | Rules::Sampling(..) | Rules::Retry(_) | Rules::Timeout(_), _) => {}
        }
    }

    /// Whether a state is the same as that of a key that nobody has used.
    pub(super) fn is_fresh(&self, state: &State, at: At) -> bool {
        match (&self.rules, state) {
            (Rules::SlidingWindow(rules), State::Log(log)) => log.used(at.now, rules.shape.window()) == 0,
            (Rules::TokenBucket(_), State::Arrival(state)) => state.full_at <= at.now,
            (Rules::PerFlush(_), State::Flush(used)) => *used == 0,
            (Rules::Concurrency(_), State::Leases(leases)) => {
                leases.last().is_none_or(|last| last.ends <= at.now)
            }
            (Rules::Breaker(rules), State::Breaker(state)) => state.is_fresh(rules, at.now),
            (Rules::Budget(_), State::Budget(state)) => state.is_fresh(self.window(at), at.now),
            (Rules::Retry(rules), State::Retries(state)) => {
                let window = rules.budget.map_or(Span::default(), |budget| budget.window);
                state.tally(at.now, window) == super::outcomes::Tally::default()
            }
            // The state of another type: the guardrail has changed.
            _ => true,
        }
    }

    /// Whether a state must be kept however long nobody asks for it.
    pub(super) fn is_pinned(&self, state: &State, at: At) -> bool {
        match (&self.rules, state) {
            (Rules::Breaker(rules), State::Breaker(state)) => state.is_pinned(rules, at.now),
            (Rules::Budget(_), State::Budget(state)) => state.is_pinned(self.window(at)),
            (Rules::PerFlush(_), State::Flush(_)) => false,
            _ => !self.is_fresh(state, at),
        }
    }

    /// Whether a state may make room for a new key although it holds something: not one that
    /// holds leases, whose promises are still out, and no breaker that is not closed.
    pub(super) fn may_be_evicted(&self, state: &State, at: At) -> bool {
        match (&self.rules, state) {
            (Rules::Concurrency(_), State::Leases(_)) => self.is_fresh(state, at),
            (Rules::Budget(_), State::Budget(state)) => {
                state.leases.last().is_none_or(|last| last.ends <= at.now)
            }
            (Rules::Breaker(_), State::Breaker(state)) => state.is_closed(),
            _ => true,
        }
    }

    /// The window that a budget is in: never one that was left before.
    pub(super) fn window(&self, at: At) -> Window {
        match &self.rules {
            Rules::Budget(rules) => self.latest.window(Window::at(rules.window, at.wall)),
            _ => Window { end: i64::MAX, length: 0 },
        }
    }
}

impl State {
    /// The largest number of a lease in it.
    pub(super) fn newest_lease(&self) -> LeaseId {
        let ids: Option<LeaseId> = match self {
            Self::Leases(leases) => leases.iter().map(|(lease, ())| lease.id).max(),
            Self::Budget(budget) => budget.leases.iter().map(|(lease, _)| lease.id).max(),
            Self::Breaker(breaker) => breaker.newest_probe(),
            Self::Log(_) | Self::Arrival(_) | Self::Flush(_) | Self::Retries(_) => None,
        };
        ids.unwrap_or(LeaseId(0))
    }

    /// How many bytes it keeps outside itself, about.
    #[must_use]
    pub fn heap(&self) -> usize {
        match self {
            Self::Log(log) => log.heap(),
            Self::Arrival(_) | Self::Flush(_) => 0,
            Self::Leases(leases) => leases.heap(),
            Self::Breaker(state) => size_of::<Breaker>().saturating_add(state.heap()),
            Self::Budget(state) => size_of::<Budget>().saturating_add(state.leases.heap()),
            Self::Retries(state) => size_of::<Retries>().saturating_add(state.heap()),
        }
    }
}
