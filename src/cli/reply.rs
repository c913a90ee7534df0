//! Replies of a server as JSON: fields as in the proto file, enum values without prefix, durations
//! in seconds with an `s`, what is absent left out. The same form that `eval` prints.

pub mod operators;

use crate::pb;
use serde_json::{Map, Value, json};
use tollgate_engine::simulate::answer;
use tollgate_engine::unit::Span;
use tollgate_engine::value::number_to_json;

/// A decision.
pub fn decision(reply: &pb::AuthorizeResponse) -> Value {
    let mut all = Object::default();
    all.text("decision_id", &reply.decision_id);
    all.text("request_id", &reply.request_id);
    all.name("effect", reply.effect().as_str_name(), "EFFECT_");
    all.name("disposition", reply.disposition().as_str_name(), "DISPOSITION_");
    all.text("reason_code", &code(reply.reason_code()));
    all.text("reason", &reply.reason);
    all.text("rule_id", &reply.rule_id);
    all.text("guardrail", &reply.guardrail);
    all.name("next_action", reply.next_action().as_str_name(), "NEXT_ACTION_");
    all.span("retry_after", reply.retry_after);
    all.some("obligations", reply.obligations.as_ref().map(obligations));
    all.some("approval", reply.approval.as_ref().map(approval));
    all.list("limits", reply.limits.iter().map(limit).collect());
    all.span("report_within", reply.report_within);
    all.some("bundle", reply.bundle.as_ref().map(bundle));
    all.time("decided_at", reply.decided_at);
    all.list("refusals", reply.refusals.iter().map(refusal).collect());
    all.into()
}

/// A decision and how every rule fared.
pub fn explanation(reply: &pb::ExplainResponse) -> Value {
    json!({
        "decision": reply.decision.as_ref().map(decision),
        "rules": reply.rules.iter().map(rule).collect::<Value>(),
        "guardrails": reply.guardrails.iter().map(guardrail).collect::<Value>(),
    })
}

/// What became of a report.
pub fn report(reply: &pb::ReportResponse) -> Value {
    let mut all = Object::default();
    all.name("result", reply.result().as_str_name(), "REPORT_RESULT_");
    all.span("report_within", reply.report_within);
    all.into()
}

/// Whether and when to try again.
pub fn retry_decision(reply: &pb::RetryDecisionResponse) -> Value {
    let mut all = Object::default();
    all.name("decision", reply.decision().as_str_name(), "RETRY_VERDICT_");
    all.span("delay", reply.delay);
    all.text("reason_code", &code(reply.reason_code()));
    all.text("reason", &reply.reason);
    all.text("guardrail", &reply.guardrail);
    all.some("bundle", reply.bundle.as_ref().map(bundle));
    all.into()
}

/// The limits in force.
pub fn budget(reply: &pb::BudgetResponse) -> Value {
    let mut all = Object::default();
    all.some("limits", Some(reply.limits.iter().map(limit).collect()));
    all.some("bundle", reply.bundle.as_ref().map(bundle));
    all.into()
}

fn rule(trace: &pb::RuleTrace) -> Value {
    let mut all = Object::default();
    all.text("rule_id", &trace.rule_id);
    all.name("outcome", trace.outcome().as_str_name(), "RULE_OUTCOME_");
    all.text("condition", &trace.condition);
    all.some("actual", trace.actual.as_ref().map(Value::from));
    all.text("error", &trace.error);
    all.into()
}

fn guardrail(trace: &pb::GuardrailTrace) -> Value {
    let mut all = Object::default();
    all.text("guardrail", &trace.guardrail);
    all.some("shadow", Some(trace.shadow.into()));
    all.some("would_refuse", Some(trace.would_refuse.into()));
    all.span("retry_after", trace.retry_after);
    all.list("limits", trace.limits.iter().map(limit).collect());
    all.text("breaker_state", &trace.breaker_state);
    all.into()
}

fn obligations(obligations: &pb::Obligations) -> Value {
    let mut all = Object::default();
    all.text("mode", &obligations.mode);
    all.some("limits", obligations.limits.as_ref().map(caps));
    all.span("timeout", obligations.timeout);
    all.some("retry", obligations.retry.as_ref().map(retry));
    all.into()
}

fn caps(caps: &pb::Caps) -> Value {
    let mut all = Object::default();
    all.some("max_tool_calls", caps.max_tool_calls.map(Value::from));
    all.some("max_llm_calls", caps.max_llm_calls.map(Value::from));
    all.some("max_llm_tokens", caps.max_llm_tokens.map(Value::from));
    all.some("max_cost", caps.max_cost.map(number_to_json));
    all.some("max_compute", caps.max_compute.map(Value::from));
    all.span("max_duration", caps.max_duration);
    all.into()
}

fn retry(plan: &pb::RetryPlan) -> Value {
    let mut all = Object::default();
    all.text("guardrail", &plan.guardrail);
    all.some("max_retries", Some(plan.max_retries.into()));
    all.span("interval", plan.interval);
    all.some("backoff_multiplier", Some(number_to_json(plan.backoff_multiplier)));
    all.span("max_interval", plan.max_interval);
    all.list(
        "retry_on",
        plan.retry_on().map(|kind| name(kind.as_str_name(), "ERROR_KIND_").into()).collect(),
    );
    all.into()
}

fn approval(approval: &pb::Approval) -> Value {
    let mut all = Object::default();
    all.text("id", &approval.id);
    all.time("expires_at", approval.expires_at);
    all.some("approvers", Some(approval.approvers.into()));
    all.text("role", &approval.role);
    all.text("request_digest", &approval.request_digest);
    all.text("instance", &approval.instance);
    all.some("uses", Some(approval.uses.into()));
    all.time("opened_at", approval.opened_at);
    all.into()
}

/// An approval as those see it who decide on it.
pub fn approval_record(record: &pb::ApprovalRecord) -> Value {
    let mut all = Object::default();
    all.some("approval", record.approval.as_ref().map(approval));
    all.name("state", record.state().as_str_name(), "APPROVAL_STATE_");
    all.text("rule_id", &record.rule_id);
    all.some("asked", serde_json::from_str(&record.asked).ok());
    all.text("user", &record.user);
    all.list("signed_by", record.signed_by.iter().map(|owner| owner.as_str().into()).collect());
    all.text("comment", &record.comment);
    all.into()
}

fn limit(limit: &pb::Limit) -> Value {
    let mut all = Object::default();
    all.text("guardrail", &limit.guardrail);
    all.name("measure", limit.measure().as_str_name(), "MEASURE_");
    for (name, amount) in
        [("limit", limit.limit), ("used", limit.used), ("reserved", limit.reserved), ("left", limit.left)]
    {
        all.some(name, Some(number_to_json(amount)));
    }
    all.span("window", limit.window);
    all.span("reset_after", limit.reset_after);
    all.into()
}

fn bundle(bundle: &pb::BundleInfo) -> Value {
    let mut all = Object::default();
    all.text("version", &bundle.version);
    all.text("digest", &bundle.digest);
    all.name("arm", bundle.arm().as_str_name(), "ARM_");
    all.some("stale", Some(bundle.stale.into()));
    all.text("environment", &bundle.environment);
    all.into()
}

fn refusal(refusal: &pb::Refusal) -> Value {
    let mut all = Object::default();
    all.text("guardrail", &refusal.guardrail);
    all.name("effect", refusal.effect().as_str_name(), "EFFECT_");
    all.text("reason_code", &code(refusal.reason_code()));
    all.span("retry_after", refusal.retry_after);
    all.into()
}

fn code(code: pb::ReasonCode) -> String {
    name(code.as_str_name(), "REASON_CODE_").to_lowercase()
}

/// The name of an enum value without the name of the enum; nothing for `_UNSPECIFIED`.
fn name<'a>(full: &'a str, prefix: &str) -> &'a str {
    match full.strip_prefix(prefix) {
        Some("UNSPECIFIED") => "",
        Some(name) => name,
        None => full,
    }
}

/// A JSON object that takes only what is there.
#[derive(Default)]
struct Object(Map<String, Value>);

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        Self::Object(object.0)
    }
}

impl Object {
    fn some(&mut self, name: &str, value: Option<Value>) {
        let is_empty = |value: &Value| value.as_object().is_some_and(Map::is_empty);
        self.0.extend(value.filter(|value| !is_empty(value)).map(|value| (name.into(), value)));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.some(name, (!text.is_empty()).then(|| text.into()));
    }

    fn name(&mut self, field: &str, full: &str, prefix: &str) {
        self.text(field, name(full, prefix));
    }

    fn list(&mut self, name: &str, items: Vec<Value>) {
        self.some(name, (!items.is_empty()).then_some(items.into()));
    }

    fn span(&mut self, name: &str, span: Option<prost_types::Duration>) {
        let shown = |span: prost_types::Duration| match std::time::Duration::try_from(span) {
            Ok(span) => answer::span(Span::from_nanos(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))),
            Err(_) => span.to_string(),
        };
        self.some(name, span.map(|span| shown(span).into()));
    }

    fn time(&mut self, name: &str, time: Option<prost_types::Timestamp>) {
        let shown = |time: prost_types::Timestamp| match jiff::Timestamp::new(time.seconds, time.nanos) {
            Ok(time) => time.to_string(),
            Err(_) => time.to_string(),
        };
        self.some(name, time.map(|time| shown(time).into()));
    }
}
