//! The answer to a request.

use super::BadCost;
use crate::guardrail::retry::RetryRules;
use crate::id::{GuardrailName, RuleId};
use crate::model::{Approval, Caps, Disposition, Estimate, ReasonCode};
use crate::unit::Span;

/// What was decided, and why. Borrows from the bundle and from the request.
#[derive(Clone, Debug)]
pub struct Decision<'a> {
    /// The answer, with what belongs to it.
    pub answer: Answer<'a>,
    /// Why, for programs.
    pub reason_code: ReasonCode,
    /// Why, for people.
    pub reason: &'a str,
    /// The rule that decided; `None` where a default or a guardrail did.
    pub rule: Option<&'a RuleId>,
    /// The guardrail that refused.
    pub guardrail: Option<&'a GuardrailName>,
    /// What the rule that allowed says the action uses.
    pub estimate: Estimate,
    /// The cost that could not be read.
    pub bad_cost: Option<BadCost<'a>>,
    /// The environment it was decided in.
    pub environment: &'a str,
    /// Rules whose condition erred without deciding, as far as they were evaluated.
    pub other_errors: u32,
    /// Fields of the context that do not fit what the bundle declares.
    pub context_violations: u32,
}

impl<'a> Decision<'a> {
    /// Allows what only guardrails are asked about.
    pub(super) fn no_rule_asked(environment: &'a str) -> Self {
        Self {
            answer: Answer::Allow(Obligations::default()),
            reason_code: ReasonCode::DefaultAllow,
            reason: "only limits were asked about, and none refuses",
            rule: None,
            guardrail: None,
            estimate: Estimate { cost: None, compute: None, risk: None },
            bad_cost: None,
            environment,
            other_errors: 0,
            context_violations: 0,
        }
    }

    /// Whether a condition could not be evaluated on the way to it.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.other_errors > 0 || self.reason_code == ReasonCode::ConditionError
    }
}

/// The effect of a decision, with what is its own.
#[derive(Clone, Debug)]
pub enum Answer<'a> {
    /// Go, within these.
    Allow(Obligations<'a>),
    /// Do not.
    Deny(Disposition),
    /// Wait for people.
    RequireApproval(&'a Approval),
    /// Not now; after this, perhaps.
    Throttle(Span),
}

/// What the caller must keep when it is allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Obligations<'a> {
    /// The mode to run in; empty: none was asked for or imposed.
    pub mode: &'a str,
    /// Caps that the caller keeps.
    pub limits: Caps,
    /// The longest that the action may take.
    pub timeout: Option<Span>,
    /// Whether and when to try again if it fails.
    pub retry: Option<RetryPlan<'a>>,
}

/// The retry policy that RetryDecision will follow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPlan<'a> {
    /// The guardrail that says it.
    pub guardrail: &'a GuardrailName,
    /// What it says.
    pub rules: &'a RetryRules,
}
