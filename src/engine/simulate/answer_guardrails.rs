//! What guardrails add to answers as JSON, and the answers that are theirs alone: reports, retries
//! and what is left.

use super::answer::{origin, put_text, span};
use crate::compile::Compiled;
use crate::decide::{GuardrailTrace, RetryPlan};
use crate::guardrail::again::RetryAnswer;
use crate::guardrail::refused::{Measure, Room};
use crate::guardrail::retry::Plan;
use crate::guardrail::verdict::{Limit, Refusal, RefusalEffect};
use crate::model::guardrail::ErrorKind;
use crate::unit::Span;
use crate::value::number_to_json;
use serde_json::{Map, Value, json};

/// How much of each limit is left, by name.
pub(super) fn limits(limits: &[Limit<'_>]) -> Vec<Value> {
    limits.iter().map(|limit| self::limit(limit.guard.name.as_str(), &limit.room)).collect()
}

fn limit(guardrail: &str, room: &Room) -> Value {
    let amount = |amount: u64| number_to_json(room.measure.on_the_wire(amount));
    let mut all = Map::new();
    put_text(&mut all, "guardrail", guardrail);
    put_text(&mut all, "measure", measure(room.measure));
    for (name, value) in
        [("limit", room.limit), ("used", room.used), ("reserved", room.reserved), ("left", room.left())]
    {
        all.insert(name.into(), amount(value));
    }
    put_span(&mut all, "window", room.window);
    put_span(&mut all, "reset_after", room.reset_after);
    Value::Object(all)
}

const fn measure(measure: Measure) -> &'static str {
    match measure {
        Measure::ToolCalls => "TOOL_CALLS",
        Measure::LlmCalls => "LLM_CALLS",
        Measure::LlmTokens => "LLM_TOKENS",
        Measure::Cost => "COST",
        Measure::Compute => "COMPUTE",
        Measure::Duration => "DURATION_SECONDS",
        Measure::Units => "UNITS",
        Measure::InFlight => "IN_FLIGHT",
    }
}

/// Who refuses, the one that is reported first.
pub(super) fn refusals(refusals: &[Refusal<'_>]) -> Vec<Value> {
    refusals.iter().map(refusal).collect()
}

fn refusal(refusal: &Refusal<'_>) -> Value {
    let (effect, wait) = match refusal.effect {
        RefusalEffect::Throttle(wait) => ("THROTTLE", Some(wait)),
        RefusalEffect::Deny(_) => ("DENY", None),
    };
    let mut all = Map::new();
    put_text(&mut all, "guardrail", refusal.guard.name.as_str());
    put_text(&mut all, "effect", effect);
    put_text(&mut all, "reason_code", refusal.code.name());
    put_span(&mut all, "retry_after", wait);
    Value::Object(all)
}

/// The retry policy that an allowed action is under.
pub(super) fn retry_plan(plan: &RetryPlan<'_>) -> Value {
    let kinds: Vec<Value> = plan.rules.retry_on.iter().map(|kind| error_kind(*kind).into()).collect();
    let mut all = Map::new();
    put_text(&mut all, "guardrail", plan.guardrail.as_str());
    all.insert("max_retries".into(), plan.rules.max_retries.into());
    put_span(&mut all, "interval", Some(plan.rules.interval));
    all.insert("backoff_multiplier".into(), number_to_json(plan.rules.multiplier));
    put_span(&mut all, "max_interval", Some(plan.rules.max_interval));
    if !kinds.is_empty() {
        all.insert("retry_on".into(), kinds.into());
    }
    Value::Object(all)
}

const fn error_kind(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Transient => "TRANSIENT",
        ErrorKind::RateLimited => "RATE_LIMITED",
        ErrorKind::Timeout => "TIMEOUT",
        ErrorKind::Permanent => "PERMANENT",
    }
}

/// How every guardrail fared, as the reply to `Explain` has it.
#[must_use]
pub fn account(guardrails: &[GuardrailTrace<'_>]) -> Value {
    guardrails.iter().map(trace).collect()
}

fn trace(trace: &GuardrailTrace<'_>) -> Value {
    let wait = trace.refusal.as_ref().and_then(|refusal| match refusal.effect {
        RefusalEffect::Throttle(wait) => Some(wait),
        RefusalEffect::Deny(_) => None,
    });
    let name = trace.guard.name.as_str();
    let limits: Vec<Value> = trace.rooms.iter().map(|room| limit(name, room)).collect();
    let mut all = Map::new();
    put_text(&mut all, "guardrail", name);
    all.insert("shadow".into(), trace.guard.is_shadow().into());
    all.insert("would_refuse".into(), trace.refusal.is_some().into());
    put_span(&mut all, "retry_after", wait);
    if !limits.is_empty() {
        all.insert("limits".into(), limits.into());
    }
    put_text(&mut all, "breaker_state", trace.breaker.map_or("", |state| state.name()));
    Value::Object(all)
}

/// What became of a report, with the shortest lease that was renewed.
pub(super) fn reported(result: &str, within: Option<Span>) -> Value {
    let mut all = Map::new();
    put_text(&mut all, "result", result);
    put_span(&mut all, "report_within", within);
    Value::Object(all)
}

/// Whether and when to try again.
pub(super) fn retry(answer: &RetryAnswer<'_>, bundle: &Compiled, environment: &str) -> Value {
    let delay = match answer.plan {
        Plan::Again { delay, .. } if delay != Span::default() => Some(delay),
        Plan::Again { .. } | Plan::Fail(_) => None,
    };
    let code = answer.plan.code();
    let mut all = Map::new();
    put_text(&mut all, "decision", answer.plan.verdict());
    put_span(&mut all, "delay", delay);
    put_text(&mut all, "reason_code", code.name());
    put_text(&mut all, "reason", answer.plan.reason());
    put_text(&mut all, "guardrail", answer.policy.map_or("", |policy| policy.name.as_str()));
    all.insert("bundle".into(), origin(bundle, environment));
    Value::Object(all)
}

/// The limits in force, and what is left of them.
pub(super) fn left(limits: &[Limit<'_>], bundle: &Compiled, environment: &str) -> Value {
    json!({"limits": self::limits(limits), "bundle": origin(bundle, environment)})
}

fn put_span(all: &mut Map<String, Value>, name: &str, value: Option<Span>) {
    all.extend(value.map(|value| (name.into(), span(value).into())));
}
