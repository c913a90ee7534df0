//! `circuit_breaker`: stops calls to what keeps failing, and tries again with a few.
//!
//! ```text
//!            enough failures                     the cooldown is over
//!  CLOSED ───────────────────▶ OPEN ───────────────────────────────▶ HALF_OPEN
//!     ▲                          ▲          one probe fails              │
//!     │                          └───────────────────────────────────────┤
//!     └──────────────────────────────────────────────────────────────────┘
//!                                all probes succeed
//! ```
//! An operator may force it open or disable it, from any state; closing or resetting ends both.
//!
//! Every transition begins an epoch. A report belongs to the epoch in which its decision was
//! taken, and one from an earlier epoch says nothing about this one.

use super::concurrency::lease_length;
use super::count_log::{CountLog, Shape};
use super::lease::{Lease, LeaseId, Leases};
use super::outcomes::{Outcomes, Tally};
use super::refused::{Refused, whole_millis};
use super::report::{Ending, Outcome};
use crate::model::ReasonCode;
use crate::model::guardrail::{Cooldown, ErrorKind};
use crate::time::Moment;
use crate::unit::Span;

/// The rules of a breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerRules {
    /// So many failures in the window trip it.
    pub threshold: Option<u32>,
    /// Such a share of failures trips it, in billionths.
    pub rate: Option<u64>,
    /// From how many calls on the share counts.
    pub minimum_calls: u32,
    /// The window; `None`: since it closed.
    pub window: Option<Span>,
    /// How long it stays open.
    pub cooldown: Cooldown,
    /// How many probes it admits when half open.
    pub probes: u32,
    /// A success this slow counts as a failure.
    pub slow_call: Option<Span>,
    /// After how long an unreported probe's slot goes to the next caller.
    pub lease: Span,
    /// Which errors count.
    pub count_errors: Vec<ErrorKind>,
    /// What the cooldown is multiplied by each time a probe fails.
    pub multiplier: f64,
    /// The longest cooldown.
    pub max_cooldown: Option<Span>,
}

/// The state of one key. A key without one is closed and has seen nothing.
#[derive(Clone, Debug)]
pub struct Breaker {
    pub(super) phase: Phase,
    /// When the epoch began; [`Moment::ZERO`]: it never was anything but closed.
    pub(super) since: Moment,
    pub(super) epoch: u32,
    /// How often in a row a probe has failed.
    pub(super) reopened: u32,
    pub(super) seen: Seen,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Closed,
    Open,
    HalfOpen { probes: Leases<()>, succeeded: u32 },
    ForcedOpen,
    Disabled,
}

/// What a closed breaker has seen in its window.
#[derive(Clone, Debug)]
pub(super) enum Seen {
    Nothing,
    /// Since it closed.
    Total(Tally),
    /// Only failures matter.
    Failures(CountLog),
    /// Their share matters too.
    Outcomes(Outcomes),
}

/// The state of a breaker as people say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum BreakerState {
    /// It admits all and watches.
    Closed,
    /// It refuses all until its cooldown is over.
    Open,
    /// It admits probes.
    HalfOpen,
    /// An operator holds it open.
    ForcedOpen,
    /// An operator holds it closed; it counts nothing.
    Disabled,
}

impl BreakerState {
    /// The name in metrics, events and test cases.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
        }
    }
}

/// A breaker went from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it was.
    pub from: BreakerState,
    /// What it is.
    pub to: BreakerState,
}

/// What a decision takes from a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The epoch in which it was taken.
    pub epoch: u32,
    /// The probe's slot, where it is one.
    pub probe: Option<Lease>,
}

/// What a report says to a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It worked.
    Success,
    /// It failed in a way that counts.
    Failure,
    /// Neither: the caller's own fault, or it never ran.
    Neutral,
}

/// For so long after a transition reports from before it may still come.
pub(super) const REPORT_HORIZON: Span = Span::from_nanos(3_600_000_000_000);

impl BreakerRules {
    /// What a report says to this breaker. Longer than the timeout obligation is a timeout here,
    /// whatever the report says of success.
    #[must_use]
    pub fn judge(&self, outcome: &Outcome, took: Span, timeout: Option<Span>) -> Verdict {
        let counts = |kind| {
            if self.count_errors.contains(&kind) { Verdict::Failure } else { Verdict::Neutral }
        };
        match outcome.ending {
            Ending::Cancelled => Verdict::Neutral,
            _ if timeout.is_some_and(|most| took > most) => counts(ErrorKind::Timeout),
            Ending::Failure(kind) => counts(kind),
            Ending::Success if self.slow_call.is_some_and(|slow| took >= slow) => Verdict::Failure,
            Ending::Success => Verdict::Success,
        }
    }

    /// How long it stays open after so many failed probes in a row; `None`: for good.
    #[must_use]
    pub fn cooldown_after(&self, reopened: u32) -> Option<Span> {
        let Cooldown::For(first) = self.cooldown else {
            return None;
        };
        let times = i32::try_from(reopened).unwrap_or(i32::MAX);
        let grown = match reopened {
            0 => first,
            _ => super::draw::scaled(first, self.multiplier.powi(times)),
        };
        Some(self.max_cooldown.map_or(grown, |most| grown.min(most.max(first))))
    }

    /// Whether the key may pass now. Probes that have ended are given to others.
    ///
    /// # Errors
    /// It may not, and for how long.
    pub fn check(&self, state: Option<&mut Breaker>, now: Moment) -> Result<(), Refused> {
        let Some(state) = state else {
            return Ok(());
        };
        match &mut state.phase {
            Phase::Closed | Phase::Disabled => Ok(()),
            Phase::ForcedOpen => Err(Refused::for_good(ReasonCode::ForcedOpen)),
            Phase::Open => match self.cooldown_after(state.reopened) {
                None => Err(Refused::for_good(ReasonCode::BreakerOpen)),
                Some(cooldown) => match state.since.after(cooldown).since(now) {
                    rest if rest == Span::default() => Ok(()),
                    rest => Err(Refused::until(ReasonCode::BreakerOpen, rest)),
                },
            },
            Phase::HalfOpen { probes, succeeded } => {
                probes.end(now);
                let out = probes.len().saturating_add(u64::from(*succeeded));
                match probes.first().filter(|_| out >= u64::from(self.probes)) {
                    None => Ok(()),
                    Some(first) => {
                        let rest = first.ends.since(now);
                        let most = self.cooldown_after(state.reopened).unwrap_or(rest);
                        Err(Refused::until(ReasonCode::BreakerProbing, rest.min(most)))
                    }
                }
            }
        }
    }

    /// Passes a key that was checked at this moment; a breaker whose cooldown is over becomes
    /// half open by it.
    pub fn charge(
        &self,
        state: Option<&mut Breaker>,
        id: LeaseId,
        timeout: Option<Span>,
        now: Moment,
    ) -> (Passage, Option<Transition>) {
        let Some(state) = state else {
            return (Passage { epoch: 0, probe: None }, None);
        };
        let step = matches!(state.phase, Phase::Open).then(|| state.half_open(now));
        let mut probe = None;
        if let Phase::HalfOpen { probes, .. } = &mut state.phase {
            let lease = Lease { ends: now.after(lease_length(self.lease, timeout)), id };
            probes.insert(lease, ());
            probe = Some(lease);
        }
        (Passage { epoch: state.epoch, probe }, step)
    }

    /// Takes a report of a decision that was taken at this moment.
    pub fn report(
        &self,
        state: &mut Breaker,
        passage: Passage,
        taken: Moment,
        verdict: Verdict,
        now: Moment,
    ) -> Option<Transition> {
        let quiet = state.since == Moment::ZERO;
        // A probe is of this time even if its clock was read before the step to half open.
        let ours = match (&mut state.phase, passage.probe) {
            (Phase::HalfOpen { probes, .. }, Some(probe)) if passage.epoch == state.epoch => {
                probes.remove(probe).is_some()
            }
            _ => false,
        };
        if !quiet && !ours && (taken < state.since || passage.epoch != state.epoch) {
            return None;
        }
        match &mut state.phase {
            // What counts for nothing trips nothing, though a success may have left the window.
            Phase::Closed if verdict == Verdict::Neutral => None,
            Phase::Closed => {
                state.see(self, verdict, now);
                self.trips(&state.seen, now).then(|| state.open(0, now))
            }
            Phase::HalfOpen { succeeded, .. } => match verdict {
                Verdict::Neutral => None,
                Verdict::Failure => Some(state.open(state.reopened.saturating_add(1), now)),
                // A success after its lease ended counts too: else actions that take longer
                // than a lease would keep the breaker half open for good.
                Verdict::Success => {
                    *succeeded = succeeded.saturating_add(1);
                    (*succeeded >= self.probes).then(|| state.become_(Phase::Closed, now))
                }
            },
            Phase::Open | Phase::ForcedOpen | Phase::Disabled => None,
        }
    }

    /// Whether a report of this verdict changes a key that has no state.
    #[must_use]
    pub fn remembers(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Failure => true,
            Verdict::Success => self.rate.is_some(),
            Verdict::Neutral => false,
        }
    }

    fn trips(&self, seen: &Seen, now: Moment) -> bool {
        let window = self.window.unwrap_or_default();
        let tally = match seen {
            Seen::Nothing => return false,
            Seen::Total(tally) => *tally,
            Seen::Failures(log) => Tally { calls: 0, failures: log.used(now, window) },
            Seen::Outcomes(outcomes) => outcomes.tally(now, window),
        };
        let many = self.threshold.is_some_and(|most| tally.failures >= u64::from(most));
        let share = self.rate.is_some_and(|rate| {
            let failures = u128::from(tally.failures).saturating_mul(1_000_000_000);
            let calls = u128::from(tally.calls).saturating_mul(rate.into());
            tally.calls >= u64::from(self.minimum_calls) && tally.failures > 0 && failures >= calls
        });
        many || share
    }

    pub(super) fn failure_shape(&self) -> Shape {
        let most = u64::from(self.threshold.unwrap_or(1));
        Shape::of(most, most, self.window.unwrap_or_default())
    }

    /// How long until the next probe may pass; nothing when it may now, `None`: never by itself.
    #[must_use]
    pub fn rest(&self, state: &Breaker, now: Moment) -> Option<Span> {
        match &state.phase {
            Phase::Closed | Phase::HalfOpen { .. } | Phase::Disabled => Some(Span::default()),
            Phase::ForcedOpen => None,
            Phase::Open => {
                let cooldown = self.cooldown_after(state.reopened)?;
                Some(whole_millis(state.since.after(cooldown).since(now)))
            }
        }
    }
}

impl Breaker {
    /// A breaker that is closed and has seen nothing.
    #[must_use]
    pub const fn closed() -> Self {
        Self { phase: Phase::Closed, since: Moment::ZERO, epoch: 0, reopened: 0, seen: Seen::Nothing }
    }

    /// What it is now: an open one whose cooldown is over is half open.
    #[must_use]
    pub fn state(&self, rules: &BreakerRules, now: Moment) -> BreakerState {
        let over = || rules.rest(self, now) == Some(Span::default());
        match &self.phase {
            Phase::Open if over() => BreakerState::HalfOpen,
            Phase::Open | Phase::Closed | Phase::HalfOpen { .. } | Phase::ForcedOpen | Phase::Disabled => {
                self.noted()
            }
        }
    }

    /// Takes the step to half open that time has brought.
    pub fn advance(&mut self, rules: &BreakerRules, now: Moment) -> Option<Transition> {
        let due = self.state(rules, now) != self.noted();
        due.then(|| self.half_open(now))
    }

    /// An operator's hand.
    pub fn operate(&mut self, to: BreakerState, now: Moment) -> Transition {
        let phase = match to {
            BreakerState::ForcedOpen => Phase::ForcedOpen,
            BreakerState::Disabled => Phase::Disabled,
            BreakerState::Closed => Phase::Closed,
            BreakerState::Open => Phase::Open,
            BreakerState::HalfOpen => Phase::HalfOpen { probes: Leases::default(), succeeded: 0 },
        };
        self.reopened = 0;
        self.become_(phase, now)
    }

    /// Keeps a probe's slot for longer.
    pub fn renew(&mut self, passage: &mut Passage, ends: Moment) -> bool {
        let (Phase::HalfOpen { probes, .. }, Some(probe)) = (&mut self.phase, passage.probe) else {
            return false;
        };
        if passage.epoch != self.epoch {
            return false;
        }
        match probes.renew(probe, ends) {
            Some(renewed) => {
                passage.probe = Some(renewed);
                true
            }
            None => false,
        }
    }

    /// Whether it is the same as one that nobody has seen: closed, its window empty, and no
    /// report from before its last transition still to come.
    #[must_use]
    pub fn is_fresh(&self, rules: &BreakerRules, now: Moment) -> bool {
        let settled = self.since == Moment::ZERO || self.since.after(REPORT_HORIZON) <= now;
        matches!(self.phase, Phase::Closed) && settled && !self.has_seen(rules, now)
    }

    /// Whether its key must be kept however long nobody asks: it is not closed, or something is
    /// in its window.
    #[must_use]
    pub fn is_pinned(&self, rules: &BreakerRules, now: Moment) -> bool {
        let windowed = rules.window.is_some() && self.has_seen(rules, now);
        !matches!(self.phase, Phase::Closed) || windowed
    }

    /// The largest number of a probe that is out.
    pub(super) fn newest_probe(&self) -> Option<LeaseId> {
        match &self.phase {
            Phase::HalfOpen { probes, .. } => probes.iter().map(|(lease, ())| lease.id).max(),
            Phase::Closed | Phase::Open | Phase::ForcedOpen | Phase::Disabled => None,
        }
    }

    /// Whether it is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// How many bytes it keeps outside itself, about.
    #[must_use]
    pub fn heap(&self) -> usize {
        let seen = match &self.seen {
            Seen::Nothing | Seen::Total(_) => 0,
            Seen::Failures(log) => log.heap(),
            Seen::Outcomes(outcomes) => outcomes.heap(),
        };
        match &self.phase {
            Phase::HalfOpen { probes, .. } => probes.heap().saturating_add(seen),
            Phase::Closed | Phase::Open | Phase::ForcedOpen | Phase::Disabled => seen,
        }
    }

    /// The state that was stepped into, whatever time says.
    const fn noted(&self) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
            Phase::ForcedOpen => BreakerState::ForcedOpen,
            Phase::Disabled => BreakerState::Disabled,
        }
    }

    fn has_seen(&self, rules: &BreakerRules, now: Moment) -> bool {
        let window = rules.window.unwrap_or_default();
        match &self.seen {
            Seen::Nothing => false,
            Seen::Total(tally) => tally.failures > 0 || (rules.rate.is_some() && tally.calls > 0),
            Seen::Failures(log) => log.used(now, window) > 0,
            Seen::Outcomes(outcomes) => outcomes.tally(now, window).calls > 0,
        }
    }

    fn see(&mut self, rules: &BreakerRules, verdict: Verdict, now: Moment) {
        let failed = verdict == Verdict::Failure;
        self.fit(rules);
        match (&mut self.seen, rules.window) {
            (Seen::Total(tally), _) => {
                tally.calls = tally.calls.saturating_add(1);
                tally.failures = tally.failures.saturating_add(u64::from(failed));
            }
            (Seen::Failures(log), _) if failed => log.charge(1, now, &rules.failure_shape()),
            (Seen::Outcomes(outcomes), Some(window)) => {
                let tally = Tally { calls: 1, failures: u64::from(failed) };
                outcomes.add(tally, now, window);
            }
            (Seen::Nothing | Seen::Failures(_) | Seen::Outcomes(_), _) => {}
        }
    }

    /// Starts counting as the rules want it, where it does not yet.
    fn fit(&mut self, rules: &BreakerRules) {
        let fits = match (&self.seen, rules.window, rules.rate) {
            (Seen::Total(_), None, _)
            | (Seen::Failures(_), Some(_), None)
            | (Seen::Outcomes(_), Some(_), Some(_)) => true,
            (Seen::Nothing | Seen::Total(_) | Seen::Failures(_) | Seen::Outcomes(_), _, _) => false,
        };
        if !fits {
            self.seen = match (rules.window, rules.rate) {
                (None, _) => Seen::Total(Tally::default()),
                (Some(_), None) => Seen::Failures(CountLog::new(&rules.failure_shape())),
                (Some(_), Some(_)) => Seen::Outcomes(Outcomes::default()),
            };
        }
    }

    fn open(&mut self, reopened: u32, now: Moment) -> Transition {
        self.reopened = reopened;
        self.become_(Phase::Open, now)
    }

    fn half_open(&mut self, now: Moment) -> Transition {
        self.become_(Phase::HalfOpen { probes: Leases::default(), succeeded: 0 }, now)
    }

    fn become_(&mut self, phase: Phase, now: Moment) -> Transition {
        let from = self.noted();
        if matches!(phase, Phase::Closed) {
            self.reopened = 0;
        }
        self.phase = phase;
        self.seen = Seen::Nothing;
        self.since = now.max(self.since);
        self.epoch = self.epoch.wrapping_add(1);
        Transition { from, to: self.noted() }
    }
}

#[cfg(test)]
mod tests;
