//! Authorize: rules, then obligations.

use super::{Decision, Request};
use crate::compile::Compiled;
use crate::time::WallTime;

/// Room to work in, kept by the caller from one decision to the next so that none allocates.
#[derive(Debug, Default)]
pub struct Scratch {}

/// Decides (design 1.6). Allocates nothing for `conditions`; does no I/O; reads no clock.
pub fn authorize<'a>(
    _bundle: &'a Compiled,
    _request: &Request<'a>,
    _servers_environment: &'a str,
    _now: WallTime,
    _scratch: &mut Scratch,
) -> Decision<'a> {
    unimplemented!()
}

/// How one rule fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It decided.
    Decided,
    /// A `modify` rule that matched an allowed action.
    Matched,
    /// Its target or a condition does not hold.
    False,
    /// A field that it reads is absent.
    Absent,
    /// A condition could not be evaluated, and the rule did not decide.
    Error,
    /// It matched, and a rule before it decided.
    Outranked,
    /// It is switched off.
    Disabled,
}

/// The account of one rule.
#[derive(Clone, Debug)]
pub struct RuleTrace<'a> {
    /// The rule.
    pub rule: &'a crate::id::RuleId,
    /// How it fared.
    pub outcome: RuleOutcome,
    /// The target field or condition that made it so; empty where none did.
    pub condition: String,
    /// What the request holds there.
    pub actual: Option<serde_json::Value>,
    /// Why it could not be evaluated; empty unless it erred.
    pub error: String,
}

/// A decision with the account of every rule that was considered.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The decision, the same that [`authorize`] gives.
    pub decision: Decision<'a>,
    /// The rules by rank, at most [`MAX_TRACES`].
    pub rules: Vec<RuleTrace<'a>>,
}

/// How many rules an explanation accounts for at most.
pub const MAX_TRACES: usize = 1_000;

/// Decides, and says of every rule how it fared.
pub fn explain<'a>(
    _bundle: &'a Compiled,
    _request: &Request<'a>,
    _servers_environment: &'a str,
    _now: WallTime,
    _scratch: &mut Scratch,
) -> Explanation<'a> {
    unimplemented!()
}
