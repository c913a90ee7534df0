//! `retry`: whether a failed action is tried again, and after how long.
//!
//! The plan is computed from what is known ([`plan`]); the retry budget comes last, since it is
//! counted only when a retry is granted ([`RetryBudgetRules`]).

use super::draw::{Draw, scaled};
use super::outcomes::{Outcomes, Tally};
use crate::model::ReasonCode;
use crate::model::guardrail::{ErrorKind, Jitter};
use crate::time::Moment;
use crate::unit::Span;

/// The rules of a retry policy.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryRules {
    /// How often after the first attempt.
    pub max_retries: u32,
    /// The first delay.
    pub interval: Span,
    /// What each further delay is multiplied by.
    pub multiplier: f64,
    /// The longest delay.
    pub max_interval: Span,
    /// How delays are spread.
    pub jitter: Jitter,
    /// By how much, where a ratio says so.
    pub jitter_ratio: f64,
    /// The errors worth another try.
    pub retry_on: Vec<ErrorKind>,
    /// The longest hint of a server that is obeyed.
    pub max_server_delay: Span,
    /// The cap on retries as a share of first attempts.
    pub budget: Option<RetryBudgetRules>,
}

/// A cap on retries: at most `ratio · first attempts + min_per_second · window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBudgetRules {
    /// Retries per first attempt, in billionths.
    pub ratio: u64,
    /// Retries that are always allowed, in billionths a second.
    pub min_per_second: u64,
    /// Over which both are counted.
    pub window: Span,
}

/// First attempts (as calls) and granted retries (as failures) of one key.
pub type Retries = Outcomes;

/// An attempt that failed, as its caller tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What went wrong.
    pub kind: ErrorKind,
    /// What the other side said about when to come again.
    pub hint: Option<Hint>,
    /// Which attempt it was, from 0.
    pub number: u32,
    /// What is left of the caller's own deadline.
    pub time_left: Option<Span>,
}

/// What is known about an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// What its caller tells.
    pub attempt: Attempt,
    /// Whether a matching budget has a measure without anything left.
    pub budget_spent: bool,
    /// How long a matching breaker stays open.
    pub breaker: BreakerRest,
}

/// What a server said about when to come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// After that long.
    After(Span),
    /// Not at all, or something that cannot be read.
    Refuses,
}

/// How long the breakers of an action stay open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum BreakerRest {
    /// None is open.
    #[default]
    Closed,
    /// The one that is open longest, for that long.
    For(Span),
    /// Until an operator closes it.
    Forever,
}

/// Whether and when to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// After this delay, which may be nothing.
    Again {
        /// That long.
        delay: Span,
        /// Why.
        code: ReasonCode,
    },
    /// No.
    Fail(ReasonCode),
}

impl Plan {
    /// What it says, as the wire and policy tests name it.
    #[must_use]
    pub const fn verdict(self) -> &'static str {
        match self {
            Self::Again { delay, .. } if delay.nanos() == 0 => "RETRY",
            Self::Again { .. } => "RETRY_AFTER",
            Self::Fail(_) => "FAIL",
        }
    }

    /// Why, for programs.
    #[must_use]
    pub const fn code(self) -> ReasonCode {
        match self {
            Self::Again { code, .. } | Self::Fail(code) => code,
        }
    }

    /// Why, for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self.code() {
            ReasonCode::RetryBackoff => "the policy grants another attempt after its delay",
            ReasonCode::RetryServerHint => "another attempt is granted when the other side said",
            ReasonCode::RetryPermanent => "an error of this kind never goes away",
            ReasonCode::RetryAttemptsExhausted => "as many attempts were made as the policy grants",
            ReasonCode::RetryKindNotRetryable => "the policy does not retry errors of this kind",
            ReasonCode::RetryServerRefused => "the other side gave a time that cannot be followed",
            ReasonCode::RetryServerDelayTooLong => {
                "the other side asks for a longer wait than the policy takes"
            }
            ReasonCode::RetryDeadline => "the delay is longer than the time that is left",
            ReasonCode::RetryBudgetExhausted => "too many of these actions are retries already",
            ReasonCode::RetryNoPolicy => "no retry policy is about this action",
            ReasonCode::RetryBreakerOpen => "the circuit breaker will still be open",
            ReasonCode::RetryRunBudgetExhausted => "the budget is used up",
            ReasonCode::EmergencyStop => "an operator has stopped actions of this kind",
            ReasonCode::NoBundle => "no policy bundle is loaded yet",
            ReasonCode::LogUnavailable => "it could not be recorded: the decision log takes no more records",
            _ => "it is not to be tried again",
        }
    }
}

/// The longest hint that is obeyed where no policy matches.
const LONGEST_HINT: Span = Span::from_nanos(600_000_000_000);

/// Plans a retry, all but the retry budget, in the order of design 2.2.
#[must_use]
pub fn plan(rules: Option<&RetryRules>, failed: &Failed, draw: &mut Draw) -> Plan {
    let attempt = &failed.attempt;
    let Some(rules) = rules else {
        return without_policy(attempt);
    };
    if attempt.kind == ErrorKind::Permanent {
        return Plan::Fail(ReasonCode::RetryPermanent);
    }
    if attempt.number >= rules.max_retries {
        return Plan::Fail(ReasonCode::RetryAttemptsExhausted);
    }
    if !rules.retry_on.contains(&attempt.kind) {
        return Plan::Fail(ReasonCode::RetryKindNotRetryable);
    }
    match attempt.hint {
        Some(Hint::Refuses) => return Plan::Fail(ReasonCode::RetryServerRefused),
        Some(Hint::After(hint)) if hint > rules.max_server_delay => {
            return Plan::Fail(ReasonCode::RetryServerDelayTooLong);
        }
        Some(Hint::After(_)) | None => {}
    }
    if failed.budget_spent {
        return Plan::Fail(ReasonCode::RetryRunBudgetExhausted);
    }
    let (delay, code) = match attempt.hint {
        Some(Hint::After(hint)) => (rules.hinted(hint, draw), ReasonCode::RetryServerHint),
        Some(Hint::Refuses) | None => (rules.delay(attempt.number, draw), ReasonCode::RetryBackoff),
    };
    let delay = match failed.breaker {
        BreakerRest::For(rest) if rest > delay && rest <= rules.max_interval => rest,
        BreakerRest::For(rest) if rest > delay => return Plan::Fail(ReasonCode::RetryBreakerOpen),
        BreakerRest::Forever => return Plan::Fail(ReasonCode::RetryBreakerOpen),
        BreakerRest::For(_) | BreakerRest::Closed => delay,
    };
    in_time(delay, code, attempt.time_left)
}

fn without_policy(attempt: &Attempt) -> Plan {
    match (attempt.kind, attempt.hint) {
        (ErrorKind::RateLimited, Some(Hint::Refuses)) => Plan::Fail(ReasonCode::RetryServerRefused),
        (ErrorKind::RateLimited, Some(Hint::After(hint))) if hint > LONGEST_HINT => {
            Plan::Fail(ReasonCode::RetryServerDelayTooLong)
        }
        (ErrorKind::RateLimited, Some(Hint::After(hint))) => {
            in_time(hint, ReasonCode::RetryServerHint, attempt.time_left)
        }
        (ErrorKind::RateLimited | ErrorKind::Transient | ErrorKind::Timeout | ErrorKind::Permanent, _) => {
            Plan::Fail(ReasonCode::RetryNoPolicy)
        }
    }
}

fn in_time(delay: Span, code: ReasonCode, time_left: Option<Span>) -> Plan {
    if time_left.is_some_and(|left| delay > left) {
        Plan::Fail(ReasonCode::RetryDeadline)
    } else {
        Plan::Again { delay, code }
    }
}

impl RetryRules {
    /// The delay before jitter: `min(max_interval, interval · multiplier^attempt)`, saturating.
    #[must_use]
    pub fn backoff(&self, attempt: u32) -> Span {
        let times = i32::try_from(attempt).unwrap_or(i32::MAX);
        scaled(self.interval, self.multiplier.powi(times)).min(self.max_interval)
    }

    /// The delay after an attempt, spread as the policy says.
    pub fn delay(&self, attempt: u32, draw: &mut Draw) -> Span {
        let delay = self.backoff(attempt);
        let plus = |from: Span, more: Span| Span::from_nanos(from.nanos().saturating_add(more.nanos()));
        match self.jitter {
            Jitter::None => delay,
            Jitter::Full => draw.up_to(delay),
            Jitter::Equal => {
                let half = Span::from_nanos(delay.nanos() / 2);
                let rest = Span::from_nanos(delay.nanos().saturating_sub(half.nanos()));
                plus(half, draw.up_to(rest))
            }
            Jitter::Ratio => {
                let part = scaled(delay, self.jitter_ratio);
                let least = Span::from_nanos(delay.nanos().saturating_sub(part.nanos()));
                let most = plus(delay, part).min(self.max_interval);
                let width = Span::from_nanos(most.nanos().saturating_sub(least.nanos()));
                plus(least, draw.up_to(width))
            }
        }
    }

    /// A server's hint; jitter adds to it and takes nothing off.
    fn hinted(&self, hint: Span, draw: &mut Draw) -> Span {
        match self.jitter {
            Jitter::None => hint,
            Jitter::Full | Jitter::Equal | Jitter::Ratio => {
                let more = draw.share(hint, self.jitter_ratio);
                Span::from_nanos(hint.nanos().saturating_add(more.nanos()))
            }
        }
    }
}

impl RetryBudgetRules {
    /// Whether one more retry fits: `granted + 1 <= ratio · firsts + min_per_second · window`, in
    /// integers.
    #[must_use]
    pub fn allows(&self, state: Option<&Retries>, now: Moment) -> bool {
        const BILLION: u128 = 1_000_000_000;
        let granted = state.map_or(0, |state| state.tally(now, self.window).failures);
        let firsts = state.map_or(0, |state| state.at_least(now, self.window).calls);
        let wanted = u128::from(granted).saturating_add(1).saturating_mul(BILLION * BILLION);
        let share = u128::from(self.ratio).saturating_mul(firsts.into()).saturating_mul(BILLION);
        let floor = u128::from(self.min_per_second).saturating_mul(self.window.nanos().into());
        wanted <= share.saturating_add(floor)
    }

    /// Counts a first attempt.
    pub fn first(&self, state: &mut Retries, now: Moment) {
        state.add(Tally { calls: 1, failures: 0 }, now, self.window);
    }

    /// Counts a retry that was granted.
    pub fn granted(&self, state: &mut Retries, now: Moment) {
        state.add(Tally { calls: 0, failures: 1 }, now, self.window);
    }
}

#[cfg(test)]
mod tests;
