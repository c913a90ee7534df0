//! Why an answer is as it is, a line for each rule and guardrail that has a say in it.

use super::expect::Mismatch;
use crate::decide::{RuleOutcome, RuleTrace};
use crate::value::to_json;
use serde_json::Value;

/// Traces of rules that a failing case shows at most.
const MOST_TRACES: usize = 8;

/// How the rules fared that the case names, and those that came near deciding.
pub(super) fn rules(traces: &[RuleTrace<'_>], mismatches: &[Mismatch]) -> Vec<String> {
    let named = |trace: &RuleTrace<'_>| mismatches.iter().any(|m| m.expected.contains(trace.rule.as_str()));
    let off_target = |trace: &RuleTrace<'_>| {
        matches!(trace.outcome, RuleOutcome::False | RuleOutcome::Absent) && trace.conditions.is_empty()
    };
    let mut rules: Vec<&RuleTrace<'_>> = traces.iter().collect();
    rules.sort_by_key(|trace| (!named(trace), off_target(trace), trace.outcome == RuleOutcome::Disabled));
    let left_out = |trace: &&RuleTrace<'_>| !named(trace) && off_target(trace);
    let near = rules.iter().take_while(|trace| !left_out(trace));
    near.take(MOST_TRACES).map(|trace| line(trace)).collect()
}

/// One rule in one line: `inbox-review`: false: `risk_score >= 60` (got 59).
fn line(trace: &RuleTrace<'_>) -> String {
    let outcome = match trace.outcome {
        RuleOutcome::Decided => "decided",
        RuleOutcome::Matched => "modified the answer",
        RuleOutcome::False => "does not hold",
        RuleOutcome::Absent => "reads an absent field",
        RuleOutcome::Error => "could not be evaluated",
        RuleOutcome::Outranked => "matched, but another decided",
        RuleOutcome::Disabled => "is disabled",
    };
    let mut line = format!("`{}` {outcome}", trace.rule);
    if !trace.condition.is_empty() {
        line.push_str(&format!(": {}", trace.condition));
    }
    if let Some(actual) = trace.actual {
        line.push_str(&format!(" (got {})", to_json(actual)));
    }
    if !trace.error.is_empty() {
        line.push_str(&format!(": {}", trace.error));
    }
    line
}

/// What the guardrails say in an answer: who refuses, and how much of each limit is used.
pub(super) fn guardrails(answer: &Value) -> Vec<String> {
    let list = |name: &str| answer.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let refusals = list("refusals").iter().map(|refusal| {
        let wait = refusal.get("retry_after").and_then(Value::as_str);
        let wait = wait.map_or_else(String::new, |wait| format!(", retry after {wait}"));
        format!("`{}` refuses: {}{wait}", field(refusal, "guardrail"), field(refusal, "reason_code"))
    });
    let limits = list("limits").iter().map(|room| {
        let reserved = match field(room, "reserved").as_str() {
            "0" => String::new(),
            reserved => format!(" and {reserved} reserved"),
        };
        let (used, limit) = (field(room, "used"), field(room, "limit"));
        let measure = field(room, "measure").to_lowercase().replace('_', " ");
        format!("`{}`: {used} of {limit} {measure} used{reserved}", field(room, "guardrail"))
    });
    refusals.chain(limits).collect()
}

fn field(of: &Value, name: &str) -> String {
    match of.get(name) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
