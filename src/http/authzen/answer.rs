//! Decisions in AuthZEN's words.

use serde_json::{Map, Value, json};
use tollgate_engine::decide::{Answer as Effect, Obligations};
use tollgate_engine::model::Caps;
use tollgate_engine::unit::{Money, Span};

use crate::data_plane::Answer;

/// The answer to one evaluation.
pub(super) fn evaluation(answer: &Answer<'_>) -> Value {
    json!({ "decision": answer.is_allowed(), "context": context(answer) })
}

/// The answer to an evaluation that could not be read.
pub(super) fn error(message: &str) -> Value {
    json!({ "decision": false, "context": { "error": { "status": 400, "message": message } } })
}

fn context(answer: &Answer<'_>) -> Value {
    let decision = &answer.decision;
    let seconds = |span: Span| json!(span.seconds());
    let (retry_after, obligations) = match &decision.answer {
        Effect::Allow(own) => (None, obligations(own)),
        Effect::Throttle(wait) => (Some(seconds(*wait)), None),
        Effect::Deny(_) | Effect::RequireApproval(_) => (None, None),
    };
    let approval = answer.approval.as_ref().and_then(|open| open.id);
    object([
        ("decision_id", Some(json!(answer.decision_id.to_string()))),
        ("effect", Some(json!(answer.effect_name()))),
        ("reason_code", Some(json!(decision.reason_code.name()))),
        ("reason", Some(json!(decision.reason))),
        ("rule_id", decision.rule.map(|rule| json!(rule.as_str()))),
        ("guardrail", decision.guardrail.map(|name| json!(name.as_str()))),
        ("retry_after", retry_after),
        ("approval_id", approval.map(|id| json!(id.to_string()))),
        ("obligations", obligations),
        ("report_within", answer.verdict.report_within.map(seconds)),
        ("bundle_version", answer.bundle.map(|bundle| json!(bundle.version))),
    ])
}

/// What the caller has to keep; spans are seconds.
fn obligations(own: &Obligations<'_>) -> Option<Value> {
    let seconds = |span: Span| json!(span.seconds());
    let limits = (own.limits != Caps::default()).then(|| {
        let count = |count: u64| json!(count);
        object([
            ("max_tool_calls", own.limits.max_tool_calls.map(count)),
            ("max_llm_calls", own.limits.max_llm_calls.map(count)),
            ("max_llm_tokens", own.limits.max_llm_tokens.map(count)),
            ("max_cost", own.limits.max_cost.map(|cost: Money| json!(cost.units()))),
            ("max_compute", own.limits.max_compute.map(count)),
            ("max_duration_seconds", own.limits.max_duration.map(seconds)),
        ])
    });
    let all = object([
        ("mode", (!own.mode.is_empty()).then(|| json!(own.mode))),
        ("timeout_seconds", own.timeout.map(seconds)),
        ("limits", limits),
        ("max_retries", own.retry.map(|plan| json!(plan.rules.max_retries))),
    ]);
    Some(all).filter(|all| all.as_object().is_some_and(|all| !all.is_empty()))
}

fn object<const N: usize>(entries: [(&str, Option<Value>); N]) -> Value {
    let set = entries.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect::<Map<_, _>>())
}
