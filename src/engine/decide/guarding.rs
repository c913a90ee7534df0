//! What an allowed action asks of guardrails, and what their answer makes of it (design 1.6,
//! step 4).

use std::sync::Arc;

use super::obligations::shortest;
use super::{Answer, Decision, Obligations, Question, Request, RetryPlan, Scratch};
use crate::compile::Compiled;
use crate::compile::index::Asked;
use crate::condition::slots::{Slot, read};
use crate::guardrail::budget::Expected;
use crate::guardrail::key::Flush;
use crate::guardrail::rate_limit::{NotUnits, units_of};
use crate::guardrail::verdict::RefusalEffect;
use crate::guardrail::{Asks, Draw, Facts, Guard, Verdict};
use crate::model::{Disposition, Path, Phase, ReasonCode};
use crate::unit::Span;
use crate::value::View;

/// What a request comes to guardrails with, besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The live guardrails of the bundle, one for each that it has, in its order; `None` for those
    /// that are not live.
    pub guards: &'a [Option<Arc<Guard>>],
    /// The environment it is decided in.
    pub environment: &'a str,
    /// The flush it belongs to.
    pub flush: Flush<'a>,
}

/// Finds the guardrails that are about a request; they stand in `scratch` until it is used again.
/// [`super::authorize`] has done so for an action that it allows.
pub fn find_guardrails<'a>(
    bundle: &'a Compiled,
    request: &Request<'a>,
    servers_environment: &'a str,
    scratch: &mut Scratch,
) {
    let environment = request.environment_or(servers_environment);
    let mut slots = std::mem::take(&mut scratch.slots).recycle();
    bundle.slots.fill(request, environment, None, &mut slots);
    bundle.axes.fit(request, &mut scratch.pairs);
    let asked = Asked { request, environment, slots: &slots, pairs: &scratch.pairs };
    find(bundle, &asked, &mut scratch.guarding);
    scratch.slots = slots.recycle();
}

/// Puts down the places of the guardrails that are about a request.
pub(super) fn find(bundle: &Compiled, asked: &Asked<'_, '_>, into: &mut Vec<u32>) {
    into.clear();
    let set = &bundle.guarding;
    set.index.each(asked, &mut |rank| {
        let rule = set.rules.at(rank).filter(|rule| rule.is_about(asked.request, asked.environment));
        into.extend(rule.and_then(|rule| rule.verdict()).map(|verdict| verdict.source));
    });
    into.sort_unstable();
}

impl<'a> Visit<'a> {
    /// Asks the guardrails that were found about an action that was allowed, and adds the timeout
    /// and the retry plan of those that say one to its obligations.
    ///
    /// # Errors
    /// The request field that says what the action costs is no number of units.
    pub fn ask(
        &self,
        request: &Request<'a>,
        decision: &mut Decision<'a>,
        scratch: &Scratch,
        draw: &mut Draw,
        asks: &mut Asks<'a>,
    ) -> Result<Facts, BadCost<'a>> {
        let mut retry: Option<&'a Guard> = None;
        let mut timeout = None;
        for guard in self.found(scratch) {
            let (own, policy) = (guard.rules.timeout(), guard.rules.retry());
            let speaks = !guard.is_shadow();
            if speaks && policy.is_some() {
                retry = Some(retry.map_or(guard, |other| other.preferred(guard)));
            }
            timeout = shortest(timeout, own.filter(|_| speaks));
            let counts = policy.is_none_or(|rules| rules.budget.is_some() && speaks);
            if own.is_none() && counts {
                self.put(guard, request, draw, asks)?;
            }
        }
        if let Answer::Allow(obligations) = &mut decision.answer {
            obligations.add(timeout, request.time_left, retry);
        }
        Ok(decision.facts(request))
    }

    /// Asks the guardrails of a request that are not asked whether it may run, but how they
    /// stand: for a retry, and for people.
    ///
    /// # Errors
    /// As [`Visit::ask`].
    pub fn look(
        &self,
        request: &Request<'a>,
        scratch: &Scratch,
        draw: &mut Draw,
        asks: &mut Asks<'a>,
    ) -> Result<(), BadCost<'a>> {
        let all = self.found(scratch);
        let mut stateful = all.filter(|guard| guard.rules.timeout().is_none());
        stateful.try_for_each(|guard| self.put(guard, request, draw, asks))
    }

    /// The shortest timeout of the guardrails that were found.
    #[must_use]
    pub fn timeout(&self, scratch: &Scratch) -> Option<Span> {
        let timeouts = self.found(scratch).filter(|guard| !guard.is_shadow());
        let timeouts = timeouts.filter_map(|guard| guard.rules.timeout());
        timeouts.min()
    }

    fn found(&self, scratch: &Scratch) -> impl Iterator<Item = &'a Guard> {
        let guards = self.guards;
        scratch.guarding.iter().filter_map(move |at| guards.get(*at as usize)?.as_deref())
    }

    fn put(
        &self,
        guard: &'a Guard,
        request: &Request<'a>,
        draw: &mut Draw,
        asks: &mut Asks<'a>,
    ) -> Result<(), BadCost<'a>> {
        let units = match &guard.cost {
            None => match request.question {
                Question::MayRun => 1,
                Question::WithinLimits { units } => units,
            },
            Some(path) => {
                let cost = match read(request, self.environment, path) {
                    Slot::Value(view) | Slot::Unset(view) => Some(view),
                    // No number is there, and something that should not be.
                    Slot::Broken => Some(View::Null),
                    Slot::Absent => None,
                };
                units_of(cost).map_err(|NotUnits| BadCost { path })?
            }
        };
        asks.ask(guard, request, self.environment, self.flush, units, draw);
        Ok(())
    }
}

/// A cost that is no number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadCost<'a> {
    /// The request field that a rate limit reads it from.
    pub path: &'a Path,
}

impl<'a> Decision<'a> {
    /// What the action says about itself, once its obligations are complete.
    #[must_use]
    pub fn facts(&self, request: &Request<'_>) -> Facts {
        let timeout = match &self.answer {
            Answer::Allow(obligations) => obligations.timeout,
            Answer::Deny(_) | Answer::RequireApproval(_) | Answer::Throttle(_) => None,
        };
        Facts {
            expected: Expected {
                kind: request.action.kind(),
                estimate: request.estimate,
                rule: self.estimate,
                timeout,
            },
            first_attempt: request.attempt == 0 && request.phase == Phase::Dispatch,
        }
    }

    /// Takes what the guardrails say: a refusal becomes the answer.
    pub fn heed(&mut self, verdict: &Verdict<'a>) {
        let Some(first) = verdict.refusals.first() else { return };
        self.answer = match first.effect {
            RefusalEffect::Throttle(wait) => Answer::Throttle(wait),
            RefusalEffect::Deny(disposition) => Answer::Deny(disposition),
        };
        self.reason_code = first.code;
        self.reason = reason(first.code);
        self.rule = None;
        self.guardrail = Some(&first.guard.name);
    }

    /// Denies because a cost cannot be read.
    pub fn refuse_cost(&mut self, bad: BadCost<'a>) {
        self.answer = Answer::Deny(Disposition::Raise);
        self.reason_code = ReasonCode::InvalidRequest;
        self.reason = "the cost that a rate limit reads must be a whole number from 0 to 2^53";
        self.rule = None;
        self.bad_cost = Some(bad);
    }
}

/// Why a guardrail refuses, for people.
fn reason(code: ReasonCode) -> &'static str {
    let known = REASONS.iter().find(|(known, _)| *known == code);
    known.map_or("a guardrail refuses", |(_, reason)| reason)
}

const REASONS: [(ReasonCode, &str); 10] = [
    (ReasonCode::RateLimited, "the rate limit is reached; ask again after `retry_after`"),
    (ReasonCode::BreakerOpen, "the circuit breaker is open: calls of this kind keep failing"),
    (ReasonCode::BreakerProbing, "the circuit breaker is half open and its probes are on their way"),
    (ReasonCode::ForcedOpen, "an operator holds the circuit breaker open"),
    (ReasonCode::ConcurrencyFull, "as many of these actions run as may run at once"),
    (ReasonCode::BudgetReserved, "what is left of the budget is reserved for actions that still run"),
    (ReasonCode::BudgetExhausted, "the budget is used up"),
    (ReasonCode::LimitUnreachable, "no wait can help: it asks for more than the limit ever allows"),
    (ReasonCode::SampledOut, "it is not in the share that is sampled"),
    (ReasonCode::KeysFull, "the guardrail counts as many keys as it may hold; ask again later"),
];

impl<'a> Obligations<'a> {
    fn add(&mut self, timeout: Option<Span>, time_left: Option<Span>, retry: Option<&'a Guard>) {
        let timeout = timeout.map(|own| time_left.map_or(own, |left| own.min(left)));
        self.timeout = shortest(self.timeout, timeout);
        self.retry = retry.and_then(|guard| {
            let rules = guard.rules.retry()?;
            Some(RetryPlan { guardrail: &guard.name, rules })
        });
    }
}
