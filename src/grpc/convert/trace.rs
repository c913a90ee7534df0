//! The account of a rule to `RuleTrace`.

use tollgate_engine::decide::{RuleOutcome, RuleTrace};

use crate::pb;

/// The account as it travels.
#[must_use]
pub fn rule_trace(trace: RuleTrace<'_>) -> pb::RuleTrace {
    let outcome = match trace.outcome {
        RuleOutcome::Decided => pb::RuleOutcome::Decided,
        RuleOutcome::Matched => pb::RuleOutcome::Matched,
        RuleOutcome::False => pb::RuleOutcome::False,
        RuleOutcome::Absent => pb::RuleOutcome::Absent,
        RuleOutcome::Error => pb::RuleOutcome::Error,
        RuleOutcome::Outranked => pb::RuleOutcome::Outranked,
        RuleOutcome::Disabled => pb::RuleOutcome::Disabled,
    };
    pb::RuleTrace {
        rule_id: trace.rule.as_str().to_owned(),
        outcome: outcome.into(),
        condition: trace.condition,
        actual: trace.actual.map(pb::Value::from),
        error: trace.error,
    }
}
