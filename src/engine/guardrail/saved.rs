//! State as plain data, for the file that survives a restart.
//!
//! Times are written as offsets from the moment of writing, in nanoseconds: negative ones lie in
//! the past. Whoever reads them says how long the process was down, and that time counts: windows
//! empty and leases end as if it had run. What cannot be understood is left out and counted, so
//! that one strange entry does not cost the others.

use serde::{Deserialize, Serialize};

use super::breaker::{Breaker, BreakerState, Phase, Seen};
use super::budget::{Amounts, Budget, Held, Totals, Window};
use super::count_log::CountLog;
use super::guard::{Guard, Rules};
use super::lease::{Lease, LeaseId, Leases};
use super::outcomes::{Outcomes, Tally};
use super::rate_limit::Arrival;
use super::state::State;
use crate::model::guardrail::OnExpiry;
use crate::time::Moment;
use crate::unit::Span;

/// Nanoseconds from the moment of writing; [`NEVER`] is no time at all.
pub type Offset = i64;

/// The offset of what never was.
pub const NEVER: Offset = i64::MIN;

/// One key of one guardrail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedKey {
    /// The text of the key.
    pub key: Vec<u8>,
    /// What it held.
    pub state: SavedState,
}

/// The state of one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SavedState {
    /// A sliding window: the latest time of each group, and its units.
    Log(Vec<(Offset, u64)>),
    /// A token bucket: when it is full, and how long a unit takes to come back.
    Arrival(Offset, u64),
    /// Units of a flush.
    Flush(u64),
    /// Leases: when each ends, and its number.
    Leases(Vec<(Offset, u64)>),
    /// A circuit breaker.
    Breaker(SavedBreaker),
    /// A budget.
    Budget(SavedBudget),
    /// First attempts (calls) and retries (failures).
    Retries(Vec<SavedCalls>),
}

/// Some calls: from when to when, how many, how many failed.
pub type SavedCalls = (Offset, Offset, u64, u64);

/// The state of a breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBreaker {
    /// What it is; an open one whose cooldown is over is still open here.
    pub state: BreakerState,
    /// Since when; [`NEVER`]: it never was anything but closed.
    pub since: Offset,
    /// The number of transitions.
    pub epoch: u32,
    /// How often in a row a probe has failed.
    pub reopened: u32,
    /// Probes of a half-open one: when each ends, and its number.
    pub probes: Vec<(Offset, u64)>,
    /// Probes that succeeded.
    pub succeeded: u32,
    /// What it has seen.
    pub seen: SavedSeen,
}

/// What a closed breaker has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SavedSeen {
    /// Nothing.
    Nothing,
    /// Calls and failures since it closed.
    Total(u64, u64),
    /// Failures in the window.
    Failures(Vec<(Offset, u64)>),
    /// Calls and failures in the window.
    Outcomes(Vec<SavedCalls>),
}

/// The state of a budget.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedBudget {
    /// The end of its window in nanoseconds since 1970, and the window's length.
    pub window: (i64, u64),
    /// What is used, in the order of [`super::budget::MEASURES`].
    pub used: [u64; 6],
    /// Reservations: when each ends, its number, and its amounts.
    pub leases: Vec<(Offset, u64, [Option<u64>; 6])>,
    /// When an operator emptied it.
    pub cleared: Offset,
}

/// The clock by which offsets are made and read.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    now: Moment,
    down: Span,
}

impl Frame {
    /// Writing now.
    #[must_use]
    pub const fn writing(now: Moment) -> Self {
        Self { now, down: Span::from_nanos(0) }
    }

    /// Reading now what was written so long ago.
    #[must_use]
    pub const fn reading(now: Moment, down: Span) -> Self {
        Self { now, down }
    }

    /// A time as an offset.
    #[must_use]
    pub fn offset(self, time: Moment) -> Offset {
        let offset = i128::from(time.nanos()).saturating_sub(i128::from(self.now.nanos()));
        match i64::try_from(offset) {
            _ if time == Moment::ZERO => NEVER,
            Ok(offset) => offset,
            Err(_) if offset > 0 => i64::MAX,
            Err(_) => NEVER.saturating_add(1),
        }
    }

    /// An offset as a time; [`Moment::ZERO`] for [`NEVER`].
    #[must_use]
    pub fn time(self, offset: Offset) -> Moment {
        match offset {
            NEVER => Moment::ZERO,
            i64::MAX => Moment::NEVER,
            offset if offset >= 0 => {
                self.now.after(Span::from_nanos(offset.unsigned_abs())).before(self.down)
            }
            offset => {
                let then = self.now.before(Span::from_nanos(offset.unsigned_abs()));
                // Zero means never; what lies before all is as old as can be.
                then.before(self.down).max(Moment::from_nanos(1))
            }
        }
    }
}

impl State {
    /// As plain data.
    #[must_use]
    pub(super) fn save(&self, frame: Frame) -> SavedState {
        let time = |time| frame.offset(time);
        match self {
            Self::Log(log) => SavedState::Log(log.groups().map(|(t, n)| (time(t), n)).collect()),
            Self::Arrival(state) => SavedState::Arrival(time(state.full_at), state.interval.nanos()),
            Self::Flush(used) => SavedState::Flush(*used),
            Self::Leases(leases) => SavedState::Leases(save_leases(leases, frame)),
            Self::Breaker(breaker) => SavedState::Breaker(breaker.save(frame)),
            Self::Budget(budget) => SavedState::Budget(budget.save(frame)),
            Self::Retries(retries) => SavedState::Retries(save_calls(retries, frame)),
        }
    }
}

impl Guard {
    /// The state that was saved; `None`: it is that of another type.
    pub(super) fn restore(&self, saved: &SavedState, frame: Frame) -> Option<State> {
        Some(match (&self.rules, saved) {
            (Rules::SlidingWindow(rules), SavedState::Log(groups)) => {
                State::Log(CountLog::of(&times(groups, frame), &rules.shape))
            }
            (Rules::TokenBucket(_), SavedState::Arrival(full_at, interval)) => {
                let interval = Span::from_nanos(*interval);
                State::Arrival(Arrival { full_at: frame.time(*full_at), interval })
            }
            (Rules::PerFlush(_), SavedState::Flush(used)) => State::Flush(*used),
            (Rules::Concurrency(_), SavedState::Leases(leases)) => {
                State::Leases(restore_leases(leases, frame))
            }
            (Rules::Breaker(rules), SavedState::Breaker(saved)) => {
                let failures =
                    |groups: &[(Offset, u64)]| CountLog::of(&times(groups, frame), &rules.failure_shape());
                let window = rules.window.unwrap_or_default();
                State::Breaker(Box::new(Breaker::restore(saved, frame, failures, window)))
            }
            (Rules::Budget(rules), SavedState::Budget(saved)) => {
                State::Budget(Box::new(Budget::restore(saved, frame, rules.on_expiry)))
            }
            (Rules::Retry(rules), SavedState::Retries(calls)) => {
                let window = rules.budget?.window;
                State::Retries(Box::new(restore_calls(calls, frame, window)))
            }
            _ => return None,
        })
    }
}

impl Breaker {
    fn save(&self, frame: Frame) -> SavedBreaker {
        let (state, probes, succeeded) = match &self.phase {
            Phase::Closed => (BreakerState::Closed, Vec::new(), 0),
            Phase::Open => (BreakerState::Open, Vec::new(), 0),
            Phase::ForcedOpen => (BreakerState::ForcedOpen, Vec::new(), 0),
            Phase::Disabled => (BreakerState::Disabled, Vec::new(), 0),
            Phase::HalfOpen { probes, succeeded } => {
                (BreakerState::HalfOpen, save_leases(probes, frame), *succeeded)
            }
        };
        let seen = match &self.seen {
            Seen::Nothing => SavedSeen::Nothing,
            Seen::Total(tally) => SavedSeen::Total(tally.calls, tally.failures),
            Seen::Failures(log) => {
                SavedSeen::Failures(log.groups().map(|(t, n)| (frame.offset(t), n)).collect())
            }
            Seen::Outcomes(outcomes) => SavedSeen::Outcomes(save_calls(outcomes, frame)),
        };
        let (epoch, reopened) = (self.epoch, self.reopened);
        let since = frame.offset(self.since);
        SavedBreaker { state, since, epoch, reopened, probes, succeeded, seen }
    }

    fn restore(
        saved: &SavedBreaker,
        frame: Frame,
        failures: impl Fn(&[(Offset, u64)]) -> CountLog,
        window: Span,
    ) -> Self {
        let phase = match saved.state {
            BreakerState::Closed => Phase::Closed,
            BreakerState::Open => Phase::Open,
            BreakerState::ForcedOpen => Phase::ForcedOpen,
            BreakerState::Disabled => Phase::Disabled,
            BreakerState::HalfOpen => {
                let probes = restore_leases(&saved.probes, frame);
                Phase::HalfOpen { probes, succeeded: saved.succeeded }
            }
        };
        let seen = match &saved.seen {
            SavedSeen::Nothing => Seen::Nothing,
            SavedSeen::Total(calls, failed) => Seen::Total(Tally { calls: *calls, failures: *failed }),
            SavedSeen::Failures(groups) => Seen::Failures(failures(groups)),
            SavedSeen::Outcomes(calls) => Seen::Outcomes(restore_calls(calls, frame, window)),
        };
        let (epoch, reopened) = (saved.epoch, saved.reopened);
        Self { phase, since: frame.time(saved.since), epoch, reopened, seen }
    }
}

impl Budget {
    fn save(&self, frame: Frame) -> SavedBudget {
        let leases = self.leases.iter();
        SavedBudget {
            window: (self.window.end, self.window.length),
            used: self.used.0,
            leases: leases.map(|(l, held)| (frame.offset(l.ends), l.id.0, held.amounts.0)).collect(),
            cleared: frame.offset(self.cleared),
        }
    }

    /// The file does not say what was promised for the end of a lease: what the rules say now.
    fn restore(saved: &SavedBudget, frame: Frame, on_expiry: OnExpiry) -> Self {
        let (end, length) = saved.window;
        let mut budget = Self::new(Window { end, length });
        budget.used = Totals(saved.used);
        budget.cleared = frame.time(saved.cleared);
        for (ends, id, held) in &saved.leases {
            budget.hold(lease(*ends, *id, frame), Held { amounts: Amounts(*held), on_expiry });
        }
        budget
    }
}

fn lease(ends: Offset, id: u64, frame: Frame) -> Lease {
    Lease { ends: frame.time(ends), id: LeaseId(id) }
}

fn times(groups: &[(Offset, u64)], frame: Frame) -> Vec<(Moment, u64)> {
    groups.iter().map(|(time, units)| (frame.time(*time), *units)).collect()
}

fn save_leases(leases: &Leases<()>, frame: Frame) -> Vec<(Offset, u64)> {
    leases.iter().map(|(lease, ())| (frame.offset(lease.ends), lease.id.0)).collect()
}

fn restore_leases(saved: &[(Offset, u64)], frame: Frame) -> Leases<()> {
    let mut leases = Leases::default();
    for (ends, id) in saved {
        leases.insert(lease(*ends, *id, frame), ());
    }
    leases
}

fn save_calls(outcomes: &Outcomes, frame: Frame) -> Vec<SavedCalls> {
    let groups = outcomes.groups();
    groups
        .map(|(first, last, tally)| (frame.offset(first), frame.offset(last), tally.calls, tally.failures))
        .collect()
}

fn restore_calls(saved: &[SavedCalls], frame: Frame, window: Span) -> Outcomes {
    let groups: Vec<_> = saved
        .iter()
        .map(|(first, last, calls, failures)| {
            let tally = Tally { calls: *calls, failures: *failures };
            (frame.time(*first), frame.time(*last), tally)
        })
        .collect();
    Outcomes::of(&groups, window)
}
