//! What a rule does when it decides (design 1.3).

use crate::unit::{Money, Span};

/// The name of an effect that takes part in selection; `modify` does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Do not: the strictest, so the first on a tie.
    Deny,
    /// Wait for people.
    RequireApproval,
    /// Go.
    Allow,
}

/// How a denied caller should fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// Loudly, where it was asked.
    #[default]
    Raise,
    /// Silently: leave the action out.
    Drop,
}

/// What a rule does, with what belongs to that effect alone.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleEffect {
    /// Let the action run.
    Allow,
    /// Refuse it.
    Deny(Disposition),
    /// Ask people.
    RequireApproval(Approval),
    /// Add obligations to an action that others allow.
    Modify(Modify),
}

/// Who must approve, and for how long an approval stands (design 1.4).
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// How many different people: 1 by default.
    pub approvers: u32,
    /// The role they need: `approver` by default.
    pub role: Box<str>,
    /// How long the question stays open: a day by default.
    pub expires_in: Span,
    /// How often a grant may be used: once by default.
    pub uses: u32,
    /// Which context the grant is bound to.
    pub bind: Bind,
}

impl Default for Approval {
    fn default() -> Self {
        Self {
            approvers: 1,
            role: "approver".into(),
            expires_in: Span::from_nanos(86_400_000_000_000),
            uses: 1,
            bind: Bind::All,
        }
    }
}

/// The part of the context that a grant is bound to.
#[derive(Clone, Debug, PartialEq)]
pub enum Bind {
    /// All of it.
    All,
    /// The values at these paths.
    Paths(Vec<Vec<Box<str>>>),
}

/// What a `modify` rule adds. Only metadata, never business data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modify {
    /// The mode to run in.
    pub mode: Option<Box<str>>,
    /// Caps that the caller keeps.
    pub limits: Caps,
    /// The longest that the action may take.
    pub timeout: Option<Span>,
}

/// Caps that the caller keeps; absent ones do not bind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Caps {
    /// Tool calls.
    pub max_tool_calls: Option<u64>,
    /// LLM calls.
    pub max_llm_calls: Option<u64>,
    /// LLM tokens.
    pub max_llm_tokens: Option<u64>,
    /// Money.
    pub max_cost: Option<Money>,
    /// Compute units.
    pub max_compute: Option<u64>,
    /// Time.
    pub max_duration: Option<Span>,
}

impl Caps {
    /// The smaller of each cap.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        fn least<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
            match (a, b) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, none) => one.or(none),
            }
        }
        Self {
            max_tool_calls: least(self.max_tool_calls, other.max_tool_calls),
            max_llm_calls: least(self.max_llm_calls, other.max_llm_calls),
            max_llm_tokens: least(self.max_llm_tokens, other.max_llm_tokens),
            max_cost: least(self.max_cost, other.max_cost),
            max_compute: least(self.max_compute, other.max_compute),
            max_duration: least(self.max_duration, other.max_duration),
        }
    }
}
