//! `budget`: how much a key may use. Reserved when allowed, settled when reported.
//!
//! Windows tumble on UTC multiples of their length. A key holds its current window only: what is
//! settled for a window that was left changes nothing any more. The end of a window never moves
//! back, so that a window once left is not entered again whatever the wall clock does.

use super::concurrency::lease_length;
use super::lease::{Lease, LeaseId, Leases};
use super::refused::{Measure, Refused, Room};
use super::report::{Ending, Outcome};
use super::sync::{AtomicI64, Ordering};
use crate::model::guardrail::{BudgetEstimate, BudgetLimits, OnExpiry};
use crate::model::request::Estimate;
use crate::model::rule::Estimate as RuleEstimate;
use crate::model::{ActionKind, ReasonCode};
use crate::time::{Moment, WallTime};
use crate::unit::{Money, Span};

/// What budgets measure, in the order of [`Amounts`].
pub const MEASURES: [Measure; 6] = [
    Measure::ToolCalls,
    Measure::LlmCalls,
    Measure::LlmTokens,
    Measure::Cost,
    Measure::Compute,
    Measure::Duration,
];

/// An amount of each measure; `None`: this action or this budget does not count it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts(pub [Option<u64>; 6]);

/// Sums of each measure. They stop at the largest number, far above any limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals(pub [u64; 6]);

/// What a request says about what it will use.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// What kind of action it is; says which measures count it.
    pub kind: ActionKind,
    /// The request's own estimate.
    pub estimate: Estimate,
    /// The estimate of the rule that allowed it.
    pub rule: RuleEstimate,
    /// The timeout obligation.
    pub timeout: Option<Span>,
}

/// The rules of a budget.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BudgetRules {
    /// The limits, in the order of [`MEASURES`].
    pub limits: Amounts,
    /// The length of a window; `None`: the life of the key.
    pub window: Option<Span>,
    /// What is reserved where no estimate is given.
    pub default: BudgetEstimate,
    /// After how long an unreported reservation ends.
    pub lease: Span,
    /// What happens then.
    pub on_expiry: OnExpiry,
}

/// The state of one key.
#[derive(Clone, Debug)]
pub struct Budget {
    pub(super) window: Window,
    pub(super) used: Totals,
    pub(super) reserved: Totals,
    pub(super) leases: Leases<Held>,
    /// When an operator emptied it; reports of earlier reservations change nothing.
    pub(super) cleared: Moment,
}

/// What a lease holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How much.
    pub amounts: Amounts,
    /// What happens when it ends, as it was promised: a late report corrects just that.
    pub on_expiry: OnExpiry,
}

/// A window of a budget, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it ends; the largest number: never.
    pub end: i64,
    /// How long it is; zero: for life.
    pub length: u64,
}

/// How far the budgets of a guardrail have come: the end of the latest window that one entered, in
/// nanoseconds since 1970. Those who read a guardrail with windows of another length have another.
#[derive(Debug)]
pub struct Latest(AtomicI64);

/// What a decision has reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The lease.
    pub lease: Lease,
    /// How much.
    pub amounts: Amounts,
    /// In which window.
    pub window: Window,
    /// What happens when nobody reports.
    pub on_expiry: OnExpiry,
}

impl Expected {
    /// An action of which nothing is known.
    #[must_use]
    pub fn nothing() -> Self {
        Self {
            kind: ActionKind::Other,
            estimate: Estimate::default(),
            rule: RuleEstimate::default(),
            timeout: None,
        }
    }

    /// The amounts of a budget that the action counts for, as far as it is known before it runs.
    #[must_use]
    pub fn amounts(&self, rules: &BudgetRules) -> Amounts {
        let (default, estimate) = (&rules.default, &self.estimate);
        let cost = estimate.cost.or(self.rule.cost).or(default.cost).map_or(0, Money::billionths);
        let compute = estimate.compute.or(self.rule.compute).or(default.compute).unwrap_or(0);
        let tokens = estimate.tokens.or(default.tokens).unwrap_or(0);
        let duration = estimate.duration.or(default.duration).or(self.timeout);
        let tool = matches!(self.kind, ActionKind::Tool | ActionKind::Other);
        let llm = matches!(self.kind, ActionKind::Llm);
        let counted = [
            tool.then_some(1),
            llm.then_some(1),
            llm.then_some(tokens),
            Some(cost),
            Some(compute),
            Some(duration.unwrap_or_default().nanos()),
        ];
        let mut amounts = Amounts::default();
        for ((amount, counted), limit) in amounts.0.iter_mut().zip(counted).zip(rules.limits.0) {
            *amount = counted.filter(|_| limit.is_some());
        }
        amounts
    }
}

impl Amounts {
    /// Whether it counts this measure.
    #[must_use]
    pub fn counts(&self, measure: Measure) -> bool {
        MEASURES.into_iter().zip(self.0).any(|(own, amount)| own == measure && amount.is_some())
    }

    /// The limits of a budget.
    #[must_use]
    pub fn of_limits(limits: &BudgetLimits) -> Self {
        Self([
            limits.max_tool_calls,
            limits.max_llm_calls,
            limits.max_llm_tokens,
            limits.max_cost.map(Money::billionths),
            limits.max_compute,
            limits.max_duration.map(Span::nanos),
        ])
    }

    /// What was really used of what is reserved here. Absent amounts are as estimated on success
    /// and nothing on failure; a call that was cancelled used nothing.
    #[must_use]
    pub fn settled(&self, outcome: &Outcome, took: Span) -> Self {
        let reported = [
            None,
            None,
            outcome.tokens,
            outcome.cost.map(Money::billionths),
            outcome.compute,
            Some(took.nanos()),
        ];
        let mut actual = *self;
        for (at, (amount, reported)) in actual.0.iter_mut().zip(reported).enumerate() {
            let Some(estimate) = amount else { continue };
            let is_call = at < 2;
            *estimate = match outcome.ending {
                Ending::Cancelled => 0,
                Ending::Failure(_) if is_call => *estimate,
                Ending::Failure(_) => reported.unwrap_or(0),
                Ending::Success => reported.unwrap_or(*estimate),
            };
        }
        actual
    }
}

impl Totals {
    fn add(&mut self, amounts: &Amounts) {
        for (total, amount) in self.0.iter_mut().zip(amounts.0) {
            *total = total.saturating_add(amount.unwrap_or(0));
        }
    }

    fn take(&mut self, amounts: &Amounts) {
        for (total, amount) in self.0.iter_mut().zip(amounts.0) {
            *total = total.saturating_sub(amount.unwrap_or(0));
        }
    }
}

impl Window {
    /// The window that the wall clock is in.
    #[must_use]
    pub fn at(length: Option<Span>, wall: WallTime) -> Self {
        let Some(length) = length.map(Span::nanos).filter(|length| *length > 0) else {
            return Self { end: i64::MAX, length: 0 };
        };
        let step = i64::try_from(length).unwrap_or(i64::MAX).max(1);
        let start = wall.nanos().saturating_sub(wall.nanos().rem_euclid(step));
        Self { end: start.saturating_add(step), length }
    }

    /// When it began.
    const fn start(self) -> i64 {
        if self.length == 0 {
            return i64::MIN;
        }
        self.end.saturating_sub_unsigned(self.length)
    }

    const fn rest(self, wall: WallTime) -> Option<Span> {
        if self.length == 0 {
            return None;
        }
        let rest = self.end.saturating_sub(wall.nanos());
        Some(Span::from_nanos(if rest > 0 { rest.unsigned_abs() } else { 0 }))
    }
}

impl Default for Latest {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Latest {
    /// The window that budgets are in: the wall clock's, or a later one that was entered before.
    pub(super) fn window(&self, window: Window) -> Window {
        let end = self.end();
        if window.length == 0 || end < window.end {
            return window;
        }
        Window { end, ..window }
    }

    /// Remembers the window that a budget charged.
    pub(super) fn entered(&self, window: Window) {
        if window.length > 0 && window.end > self.end() {
            self.0.fetch_max(window.end, Ordering::Relaxed);
        }
    }

    pub(super) fn end(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set_end(&self, end: i64) {
        self.0.store(end, Ordering::Relaxed);
    }
}

impl Budget {
    /// An empty budget.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self {
            window,
            used: Totals::default(),
            reserved: Totals::default(),
            leases: Leases::default(),
            cleared: Moment::ZERO,
        }
    }

    /// Goes with the time: enters the window of the wall clock unless that was left before, and
    /// ends reservations.
    pub fn advance(&mut self, latest: Window, now: Moment) {
        let same_length = self.window.length == latest.length;
        if latest.start() >= self.window.end {
            // What was promised in the window that is over is settled there, so nowhere.
            (self.used, self.reserved) = (Totals::default(), Totals::default());
            self.leases = Leases::default();
            self.window = latest;
        } else if !same_length || latest.end > self.window.end {
            self.window = latest;
        }
        while let Some((_, held)) = self.leases.pop_ended(now) {
            self.reserved.take(&held.amounts);
            if held.on_expiry == OnExpiry::Charge {
                self.used.add(&held.amounts);
            }
        }
    }

    /// Holds amounts for an action.
    pub(super) fn hold(&mut self, lease: Lease, held: Held) {
        self.leases.insert(lease, held);
        self.reserved.add(&held.amounts);
    }

    /// Settles a reservation, taken at this moment, with what was really used.
    pub fn settle(&mut self, reservation: &Reservation, taken: Moment, actual: &Amounts) {
        if self.leases.remove(reservation.lease).is_some() {
            self.reserved.take(&reservation.amounts);
            self.used.add(actual);
        } else if reservation.window.end == self.window.end && taken > self.cleared {
            // Its lease ended before: correct what was done then.
            if reservation.on_expiry == OnExpiry::Charge {
                self.used.take(&reservation.amounts);
            }
            self.used.add(actual);
        }
    }

    /// The budget of a key that is not kept, after a reservation of this window has ended on it;
    /// `None` where the window is over.
    #[must_use]
    pub fn ended(window: Window, reservation: &Reservation) -> Option<Self> {
        let mut budget = Self::new(window);
        if reservation.on_expiry == OnExpiry::Charge {
            budget.used.add(&reservation.amounts);
        }
        (reservation.window.end == window.end).then_some(budget)
    }

    /// Whether nothing is used or reserved.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        self.used == Totals::default() && self.leases.is_empty()
    }

    /// Keeps a reservation for longer.
    pub fn renew(&mut self, reservation: &mut Reservation, ends: Moment) -> bool {
        match self.leases.renew(reservation.lease, ends) {
            Some(renewed) => {
                reservation.lease = renewed;
                true
            }
            None => false,
        }
    }

    /// Forgets all that was used and reserved; reports of earlier decisions change nothing.
    pub fn clear(&mut self, now: Moment) {
        *self = Self { cleared: now, ..Self::new(self.window) };
    }

    /// Whether it is the same as one that nobody has used.
    #[must_use]
    pub fn is_fresh(&self, latest: Window, now: Moment) -> bool {
        let over = latest.start() >= self.window.end;
        let settled =
            self.cleared == Moment::ZERO || self.cleared.after(super::breaker::REPORT_HORIZON) <= now;
        (over || self.is_unused()) && settled
    }

    /// Whether its key must be kept however long nobody asks.
    #[must_use]
    pub fn is_pinned(&self, latest: Window) -> bool {
        let over = latest.start() >= self.window.end;
        !over && (self.window.length > 0 || !self.leases.is_empty())
    }
}

impl BudgetRules {
    /// Whether so much is left. The state has gone with the time ([`Budget::advance`]).
    ///
    /// # Errors
    /// It is not. Of several measures the one is told that needs the longest wait.
    pub fn check(
        &self,
        state: Option<&Budget>,
        wanted: &Amounts,
        wall: WallTime,
        now: Moment,
    ) -> Result<(), Refused> {
        let measures = wanted.0.iter().zip(self.limits.0).enumerate();
        let refusals = measures.filter_map(|(at, (amount, limit))| {
            let (amount, limit) = ((*amount)?, limit?);
            let used = state.and_then(|state| state.used.0.get(at)).copied().unwrap_or(0);
            let reserved = state.and_then(|state| state.reserved.0.get(at)).copied().unwrap_or(0);
            self.refusal(amount, limit, used, reserved, state, wall, now)
        });
        match refusals.max_by_key(|refused| refused.wait) {
            Some(refused) => Err(refused),
            None => Ok(()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the formula of design 2.2, term by term")]
    fn refusal(
        &self,
        amount: u64,
        limit: u64,
        used: u64,
        reserved: u64,
        state: Option<&Budget>,
        wall: WallTime,
        now: Moment,
    ) -> Option<Refused> {
        let window_ends = state.and_then(|state| state.window.rest(wall));
        let open = used.saturating_add(reserved);
        if amount > limit || limit == 0 {
            return Some(Refused::for_good(ReasonCode::LimitUnreachable));
        }
        if used >= limit || used.saturating_add(amount) > limit {
            let code = ReasonCode::BudgetExhausted;
            return Some(match window_ends {
                Some(rest) => Refused::until(code, rest),
                None => Refused::for_good(code),
            });
        }
        if open >= limit || open.saturating_add(amount) > limit {
            let nearest = state.and_then(|state| state.leases.first());
            let lease = nearest.map(|lease| lease.ends.since(now)).unwrap_or_default();
            let wait = window_ends.map_or(lease, |rest| rest.min(lease));
            return Some(Refused::until(ReasonCode::BudgetReserved, wait));
        }
        None
    }

    /// Reserves amounts that were checked at this moment.
    pub fn charge(
        &self,
        state: &mut Budget,
        amounts: Amounts,
        id: LeaseId,
        timeout: Option<Span>,
        now: Moment,
    ) -> Reservation {
        let lease = Lease { ends: now.after(lease_length(self.lease, timeout)), id };
        state.hold(lease, Held { amounts, on_expiry: self.on_expiry });
        Reservation { lease, amounts, window: state.window, on_expiry: self.on_expiry }
    }

    /// How much of each measure is used.
    pub fn rooms<'a>(&'a self, state: Option<&'a Budget>, wall: WallTime) -> impl Iterator<Item = Room> + 'a {
        let latest = Window::at(self.window, wall);
        let window = state.map_or(latest, |state| state.window);
        let limits = MEASURES.into_iter().zip(self.limits.0).enumerate();
        limits.filter_map(move |(at, (measure, limit))| {
            let of = |totals: fn(&Budget) -> &Totals| {
                let total = state.and_then(|state| totals(state).0.get(at));
                total.copied().unwrap_or(0)
            };
            let (used, reserved) = (of(|state| &state.used), of(|state| &state.reserved));
            let empty = used == 0 && reserved == 0;
            Some(Room {
                measure,
                limit: limit?,
                used,
                reserved,
                window: self.window,
                reset_after: if empty { Some(Span::default()) } else { window.rest(wall) },
            })
        })
    }
}

#[cfg(test)]
mod tests;
