//! Authorize: a rule decides, then obligations are gathered (design 1.6).

use super::obligations::Merge;
use super::{Answer, Decision, Request};
use crate::compile::Compiled;
use crate::compile::rule::CompiledRule;
use crate::condition::slots::Slots;
use crate::condition::truth::Truth;
use crate::model::{Disposition, Phase, ReasonCode, Rule, RuleEffect};
use crate::time::WallTime;

/// Room to work in, kept by the caller from one decision to the next so that none allocates.
#[derive(Debug, Default)]
pub struct Scratch {
    slots: Slots<'static>,
    modifying: Vec<u32>,
}

/// Decides. Allocates nothing for `conditions`; does no I/O; reads no clock.
///
/// `servers_environment` is that of a request that names none.
pub fn authorize<'a>(
    bundle: &'a Compiled,
    request: &Request<'a>,
    servers_environment: &'a str,
    now: WallTime,
    scratch: &mut Scratch,
) -> Decision<'a> {
    let environment = request.environment_or(servers_environment);
    let mut slots = std::mem::take(&mut scratch.slots).recycle();
    bundle.slots.fill(request, environment, &mut slots);
    let question = Question { bundle, request, environment, slots: &slots, now };
    let decision = question.decide(&mut scratch.modifying);
    scratch.slots = slots.recycle();
    decision
}

/// A request in front of a bundle, with its slots filled.
#[derive(Clone, Copy)]
pub(super) struct Question<'q, 'a> {
    pub(super) bundle: &'a Compiled,
    pub(super) request: &'q Request<'a>,
    pub(super) environment: &'a str,
    pub(super) slots: &'q Slots<'a>,
    pub(super) now: WallTime,
}

/// A deciding rule that matched.
#[derive(Clone, Copy)]
pub(super) struct Chosen<'a> {
    pub(super) rule: &'a Rule,
    pub(super) by_error: bool,
}

impl<'a> Question<'_, 'a> {
    fn decide(&self, modifying: &mut Vec<u32>) -> Decision<'a> {
        let violations = self.bundle.fields.violations(self.request.context);
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
            let mut merge = Merge::of(self.bundle.source(), self.request);
            self.modifiers(modifying, &mut other_errors);
            for rank in modifying.iter() {
                if let Some(RuleEffect::Modify(modify)) = self.modifier(*rank).map(|r| &r.effect) {
                    merge.add(modify);
                }
            }
            *obligations = merge.finish(self.request.time_left);
        }
        Decision { other_errors, context_violations: violations, ..decision }
    }

    /// The deciding rule of the best rank that matches.
    pub(super) fn choose(&self, other_errors: &mut u32) -> Option<Chosen<'a>> {
        let rules = &self.bundle.deciding;
        let mut by_error = false;
        let rank = rules.index.first(self.request, self.environment, self.slots, &mut |rank| {
            let Some(rule) = rules.rules.get(rank as usize) else {
                return false;
            };
            match self.holds(rule) {
                Truth::True => {
                    by_error = false;
                    true
                }
                Truth::Error if rule.fails_closed => {
                    by_error = true;
                    true
                }
                Truth::Error => {
                    *other_errors += 1;
                    false
                }
                Truth::False | Truth::Absent => false,
            }
        })?;
        let rule = rules.rules.get(rank as usize).and_then(|rule| self.bundle.rule_source(rule))?;
        Some(Chosen { rule, by_error })
    }

    /// What target and conditions of a rule say together.
    pub(super) fn holds(&self, rule: &'a CompiledRule) -> Truth {
        if rule.needs.misfit(self.request, self.environment).is_some() {
            return Truth::False;
        }
        rule.conditions(self.slots, self.now)
    }

    /// Gathers the modify rules that match, by rank.
    fn modifiers(&self, ranks: &mut Vec<u32>, other_errors: &mut u32) {
        ranks.clear();
        let rules = &self.bundle.modifying;
        rules.index.each(self.request, self.environment, self.slots, &mut |rank| match rules
            .rules
            .get(rank as usize)
            .map(|rule| self.holds(rule))
        {
            Some(Truth::True) => ranks.push(rank),
            Some(Truth::Error) => *other_errors += 1,
            Some(Truth::False | Truth::Absent) | None => {}
        });
        ranks.sort_unstable();
    }

    pub(super) fn modifier(&self, rank: u32) -> Option<&'a Rule> {
        let rule = self.bundle.modifying.rules.get(rank as usize)?;
        self.bundle.rule_source(rule)
    }

    fn by_rule(&self, chosen: Chosen<'a>) -> Decision<'a> {
        let (answer, code) = match &chosen.rule.effect {
            RuleEffect::Deny(disposition) => (Answer::Deny(*disposition), ReasonCode::Rule),
            RuleEffect::RequireApproval(approval) => {
                let unverifiable = self.request.has_grants;
                let code =
                    if unverifiable { ReasonCode::GrantUnverifiable } else { ReasonCode::ApprovalRequired };
                (Answer::RequireApproval(approval), code)
            }
            RuleEffect::Allow | RuleEffect::Modify(_) => {
                (Answer::Allow(super::Obligations::default()), ReasonCode::Rule)
            }
        };
        let reason_code = if chosen.by_error { ReasonCode::ConditionError } else { code };
        Decision {
            answer,
            reason_code,
            reason: &chosen.rule.reason,
            rule: Some(&chosen.rule.id),
            environment: self.environment,
            other_errors: 0,
            context_violations: 0,
        }
    }

    fn by_default(&self) -> Decision<'a> {
        let allowed = Answer::Allow(super::Obligations::default());
        let (answer, reason_code, reason) = match (self.request.phase, self.bundle.source().defaults.allow) {
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
            environment: self.environment,
            other_errors: 0,
            context_violations: 0,
        }
    }
}
