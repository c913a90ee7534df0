//! A decision as JSON, spelled as in the proto file: what `expect` is held against, and what
//! `tollgate eval` prints.
//!
//! Enum values are names without prefix, reason codes lower case, durations seconds with an `s`,
//! amounts numbers; what is absent is left out.

pub use super::answer_guardrails::account;
use super::answer_guardrails::{limits, refusals, retry_plan};
use crate::compile::Compiled;
use crate::decide::{Answer, Decided, Obligations, Request, RuleOutcome, RuleTrace};
use crate::model::{Approval, Caps, Disposition, ReasonCode};
use crate::time::WallTime;
use crate::unit::Span;
use crate::value::{number_to_json, to_json};
use serde_json::{Map, Value, json};

/// The decision as JSON.
#[must_use]
pub fn json(decided: &Decided<'_>, request: &Request<'_>, bundle: &Compiled, now: WallTime) -> Value {
    let Decided { decision, verdict, .. } = decided;
    let (effect, next_action) = match decision.answer {
        Answer::Allow(_) => ("ALLOW", "PROCEED"),
        Answer::Deny(_) => ("DENY", "NONE"),
        Answer::RequireApproval(_) => ("REQUIRE_APPROVAL", "REQUEST_APPROVAL"),
        Answer::Throttle(_) => ("THROTTLE", "RETRY"),
    };
    let mut all = Map::new();
    put_text(&mut all, "request_id", request.request_id);
    all.insert("effect".into(), effect.into());
    if let Answer::Deny(disposition) = decision.answer {
        all.insert("disposition".into(), disposition_name(disposition).into());
    }
    all.insert("reason_code".into(), decision.reason_code.name().into());
    put_text(&mut all, "reason", decision.reason);
    put_text(&mut all, "rule_id", decision.rule.map_or("", |rule| rule.as_str()));
    put_text(&mut all, "guardrail", decision.guardrail.map_or("", |name| name.as_str()));
    all.insert("next_action".into(), next_action.into());
    match &decision.answer {
        Answer::Allow(obligations) => put(&mut all, "obligations", self::obligations(obligations)),
        Answer::RequireApproval(approval) => put(&mut all, "approval", self::approval(approval, now)),
        Answer::Throttle(wait) => {
            all.insert("retry_after".into(), span(*wait).into());
        }
        Answer::Deny(_) => {}
    }
    put_list(&mut all, "limits", limits(&verdict.limits));
    if let Some(lease) = verdict.report_within {
        all.insert("report_within".into(), span(lease).into());
    }
    all.insert("bundle".into(), origin(bundle, decision.environment));
    all.insert("decided_at".into(), jiff::Timestamp::from(now).to_string().into());
    put_list(&mut all, "refusals", refusals(&verdict.refusals));
    Value::Object(all)
}

/// The answer to an item of a batch that cannot be decided.
pub(super) fn malformed(why: &str, environment: &str, bundle: &Compiled, now: WallTime) -> Value {
    json!({
        "effect": "DENY",
        "disposition": "RAISE",
        "reason_code": ReasonCode::InvalidRequest.name(),
        "reason": why,
        "next_action": "NONE",
        "bundle": origin(bundle, environment),
        "decided_at": jiff::Timestamp::from(now).to_string(),
    })
}

/// How every rule fared, as the reply to `Explain` has it.
#[must_use]
pub fn traces(rules: &[RuleTrace<'_>]) -> Value {
    rules.iter().map(trace).collect()
}

fn trace(trace: &RuleTrace<'_>) -> Value {
    let outcome = match trace.outcome {
        RuleOutcome::Decided => "DECIDED",
        RuleOutcome::Matched => "MATCHED",
        RuleOutcome::False => "FALSE",
        RuleOutcome::Absent => "ABSENT",
        RuleOutcome::Error => "ERROR",
        RuleOutcome::Outranked => "OUTRANKED",
        RuleOutcome::Disabled => "DISABLED",
    };
    let mut all = Map::new();
    all.insert("rule_id".into(), trace.rule.as_str().into());
    all.insert("outcome".into(), outcome.into());
    put_text(&mut all, "condition", &trace.condition);
    if let Some(actual) = trace.actual {
        all.insert("actual".into(), to_json(actual));
    }
    put_text(&mut all, "error", &trace.error);
    Value::Object(all)
}

/// A span as protobuf's JSON writes it: `30s`, `0.5s`.
#[must_use]
pub fn span(span: Span) -> String {
    let (whole, part) = (span.nanos() / 1_000_000_000, span.nanos() % 1_000_000_000);
    if part == 0 {
        return format!("{whole}s");
    }
    let part = format!("{part:09}");
    format!("{whole}.{}s", part.trim_end_matches('0'))
}

const fn disposition_name(disposition: Disposition) -> &'static str {
    match disposition {
        Disposition::Raise => "RAISE",
        Disposition::Drop => "DROP",
    }
}

fn obligations(obligations: &Obligations<'_>) -> Map<String, Value> {
    let mut all = Map::new();
    put_text(&mut all, "mode", obligations.mode);
    put(&mut all, "limits", caps(&obligations.limits));
    if let Some(timeout) = obligations.timeout {
        all.insert("timeout".into(), span(timeout).into());
    }
    if let Some(plan) = &obligations.retry {
        all.insert("retry".into(), retry_plan(plan));
    }
    all
}

fn caps(caps: &Caps) -> Map<String, Value> {
    [
        ("max_tool_calls", caps.max_tool_calls.map(Value::from)),
        ("max_llm_calls", caps.max_llm_calls.map(Value::from)),
        ("max_llm_tokens", caps.max_llm_tokens.map(Value::from)),
        ("max_cost", caps.max_cost.map(|cost| number_to_json(cost.units()))),
        ("max_compute", caps.max_compute.map(Value::from)),
        ("max_duration", caps.max_duration.map(|longest| span(longest).into())),
    ]
    .into_iter()
    .filter_map(|(name, cap)| Some((name.into(), cap?)))
    .collect()
}

fn approval(approval: &Approval, now: WallTime) -> Map<String, Value> {
    let lasts = i64::try_from(approval.expires_in.nanos()).unwrap_or(i64::MAX);
    let expires = WallTime::from_nanos(now.nanos().saturating_add(lasts));
    [
        ("expires_at", Value::from(jiff::Timestamp::from(expires).to_string())),
        ("approvers", approval.approvers.into()),
        ("role", (*approval.role).into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect()
}

/// Which bundle an answer comes from.
pub(super) fn origin(bundle: &Compiled, environment: &str) -> Value {
    json!({
        "version": bundle.source().version.to_string(),
        "digest": bundle.digest().to_string(),
        "arm": "STABLE",
        "stale": false,
        "environment": environment,
    })
}

fn put(all: &mut Map<String, Value>, name: &str, part: Map<String, Value>) {
    if !part.is_empty() {
        all.insert(name.into(), Value::Object(part));
    }
}

fn put_list(all: &mut Map<String, Value>, name: &str, list: Vec<Value>) {
    if !list.is_empty() {
        all.insert(name.into(), list.into());
    }
}

pub(super) fn put_text(all: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        all.insert(name.into(), text.into());
    }
}
