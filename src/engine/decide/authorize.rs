//! Authorize: a rule decides, then obligations are gathered (design 1.6).

use super::guarding::find;
use super::obligations::Merge;
use super::{Answer, Decision, Grant, Request};
use crate::compile::Compiled;
use crate::compile::index::{Asked, Pairs};
use crate::compile::rules::{RuleRef, Verdict, VerdictKind};
use crate::condition::slots::{Slots, UsedSoFar};
use crate::condition::truth::Truth;
use crate::model::{Disposition, Estimate, Phase, ReasonCode, RuleEffect};
use crate::time::WallTime;

/// Room to work in, kept by the caller from one decision to the next so that none allocates.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) slots: Slots<'static>,
    pub(super) pairs: Pairs,
    modifying: Vec<u32>,
    /// The guardrails that are about the request.
    pub(super) guarding: Vec<u32>,
}

/// Decides by the rules. Allocates nothing for `conditions`; does no I/O; reads no clock.
///
/// `servers_environment` is that of a request that names none, `usage` what its tenant and run
/// have used so far, where the bundle reads it. An action that the rules allow is still to be
/// admitted by the guardrails that are about it: [`Visit::ask`](super::Visit::ask) asks them.
pub fn authorize<'a>(
    bundle: &'a Compiled,
    request: &Request<'a>,
    servers_environment: &'a str,
    now: WallTime,
    usage: Option<&UsedSoFar>,
    scratch: &mut Scratch,
) -> Decision<'a> {
    let environment = request.environment_or(servers_environment);
    let mut slots = std::mem::take(&mut scratch.slots).recycle();
    bundle.slots.fill(request, environment, usage, &mut slots);
    bundle.axes.fit(request, &mut scratch.pairs);
    let asked = Asked { request, environment, slots: &slots, pairs: &scratch.pairs };
    let decision = Question { bundle, asked, now }.decide(&mut scratch.modifying);
    scratch.guarding.clear();
    if matches!(decision.answer, Answer::Allow(_)) {
        find(bundle, &asked, &mut scratch.guarding);
    }
    scratch.slots = slots.recycle();
    decision
}

/// A request in front of a bundle, with its slots filled.
#[derive(Clone, Copy)]
pub(super) struct Question<'q, 'a> {
    pub(super) bundle: &'a Compiled,
    pub(super) asked: Asked<'q, 'a>,
    pub(super) now: WallTime,
}

/// A deciding rule that matched.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    verdict: &'a Verdict,
    by_error: bool,
}

impl<'a> Question<'_, 'a> {
    fn decide(&self, modifying: &mut Vec<u32>) -> Decision<'a> {
        let violations = self.bundle.fields.violations(self.asked.request.context);
        if violations > 0 && self.bundle.source().enforce_fields {
            return Decision { context_violations: violations, ..self.context_invalid() };
        }
        let mut other_errors = 0;
        let chosen = self.choose(&mut other_errors);
        let mut decision = match chosen {
            Some(chosen) => self.by_rule(chosen),
            None => self.by_default(),
        };
        if let Answer::Allow(obligations) = &mut decision.answer {
            let mut merge = Merge::of(self.bundle.source(), self.asked.request);
            self.modifiers(modifying, &mut other_errors);
            for rank in modifying.iter() {
                if let Some(RuleEffect::Modify(modify)) = self.modifier(*rank) {
                    merge.add(modify);
                }
            }
            *obligations = merge.finish(self.asked.request.time_left);
        }
        Decision { other_errors, context_violations: violations, ..decision }
    }

    /// The deciding rule of the best rank that matches.
    fn choose(&self, other_errors: &mut u32) -> Option<Chosen<'a>> {
        let set = &self.bundle.deciding;
        let mut by_error = false;
        let rank = set.index.first(&self.asked, &mut |rank| {
            let Some(rule) = set.rules.at(rank) else { return false };
            let says = self.holds(rule);
            if says == Truth::Error && !rule.fails_closed() {
                *other_errors += 1;
            }
            let matches = says == Truth::True || (says == Truth::Error && rule.fails_closed());
            by_error = if matches { says == Truth::Error } else { by_error };
            matches
        })?;
        let verdict = set.rules.at(rank)?.verdict()?;
        Some(Chosen { verdict, by_error })
    }

    /// What target and conditions of a rule that the index offered say together.
    fn holds(&self, rule: RuleRef<'a>) -> Truth {
        rule.holds(self.asked.request, self.asked.environment, self.asked.slots, self.now)
    }

    /// Gathers the modify rules that match, by rank.
    fn modifiers(&self, ranks: &mut Vec<u32>, other_errors: &mut u32) {
        ranks.clear();
        let set = &self.bundle.modifying;
        set.index.each(&self.asked, &mut |rank| match set.rules.at(rank).map(|rule| self.holds(rule)) {
            Some(Truth::True) => ranks.push(rank),
            Some(Truth::Error) => *other_errors += 1,
            Some(Truth::False | Truth::Absent) | None => {}
        });
        ranks.sort_unstable();
    }

    fn modifier(&self, rank: u32) -> Option<&'a RuleEffect> {
        let verdict = self.bundle.modifying.rules.at(rank)?.verdict()?;
        self.bundle.written(verdict).map(|rule| &rule.effect)
    }

    fn by_rule(&self, Chosen { verdict, by_error }: Chosen<'a>) -> Decision<'a> {
        let written = self.bundle.written(verdict);
        let effect = written.map(|rule| &rule.effect);
        let allowed = Answer::Allow(super::Obligations::default());
        let (answer, code) = match (verdict.kind, effect) {
            (VerdictKind::Deny(disposition), _) => (Answer::Deny(disposition), ReasonCode::Rule),
            (VerdictKind::RequireApproval, Some(RuleEffect::RequireApproval(approval))) => {
                let request = self.asked.request;
                match request.grant {
                    Grant::Accepted(rule) if *rule == verdict.id => (allowed, ReasonCode::GrantAccepted),
                    Grant::Refused(code, _) => (Answer::RequireApproval(approval), code),
                    Grant::Accepted(_) => (Answer::RequireApproval(approval), ReasonCode::GrantMismatch),
                    Grant::None if request.grants.is_empty() => {
                        (Answer::RequireApproval(approval), ReasonCode::ApprovalRequired)
                    }
                    Grant::None => (Answer::RequireApproval(approval), ReasonCode::GrantUnverifiable),
                }
            }
            (VerdictKind::Allow, _) => (allowed, ReasonCode::Rule),
            (VerdictKind::RequireApproval | VerdictKind::Modify, _) => {
                (Answer::Deny(Disposition::Raise), ReasonCode::Rule)
            }
        };
        let granted = matches!(code, ReasonCode::GrantAccepted);
        let reason_code = if by_error && !granted { ReasonCode::ConditionError } else { code };
        let reason = match (&answer, self.asked.request.grant) {
            // That the condition failed is the more important news.
            (Answer::RequireApproval(_), Grant::Refused(_, why)) if !by_error => why,
            _ => &verdict.reason,
        };
        Decision {
            answer,
            reason_code,
            reason,
            rule: Some(&verdict.id),
            guardrail: None,
            estimate: written.and_then(|rule| rule.budget).unwrap_or_default(),
            bad_cost: None,
            environment: self.asked.environment,
            other_errors: 0,
            context_violations: 0,
        }
    }

    fn by_default(&self) -> Decision<'a> {
        let allowed = Answer::Allow(super::Obligations::default());
        let (answer, reason_code, reason) =
            match (self.asked.request.phase, self.bundle.source().defaults.allow) {
                (Phase::Enqueue, _) => (
                    allowed,
                    ReasonCode::DefaultEnqueue,
                    "no rule speaks about enqueueing this action; its dispatch decides",
                ),
                (Phase::Dispatch, true) => {
                    (allowed, ReasonCode::DefaultAllow, "no rule matches and the bundle allows by default")
                }
                (Phase::Dispatch, false) => (
                    Answer::Deny(Disposition::Raise),
                    ReasonCode::DefaultDeny,
                    "no rule matches and the bundle denies by default",
                ),
            };
        self.without_rule(answer, reason_code, reason)
    }

    fn context_invalid(&self) -> Decision<'a> {
        self.without_rule(
            Answer::Deny(Disposition::Raise),
            ReasonCode::ContextInvalid,
            "the context does not fit the fields that the bundle declares",
        )
    }

    const fn without_rule(
        &self,
        answer: Answer<'a>,
        reason_code: ReasonCode,
        reason: &'a str,
    ) -> Decision<'a> {
        Decision {
            answer,
            reason_code,
            reason,
            rule: None,
            guardrail: None,
            estimate: Estimate { cost: None, compute: None, risk: None },
            bad_cost: None,
            environment: self.asked.environment,
            other_errors: 0,
            context_violations: 0,
        }
    }
}
