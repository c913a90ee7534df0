//! What operators are told, as JSON.

use super::{Object, bundle, limit};
use crate::pb;
use serde_json::{Value, json};

/// Guardrails with what they hold.
pub fn guardrails(records: &[pb::GuardrailRecord], of: Option<&pb::BundleInfo>) -> Value {
    json!({"guardrails": records.iter().map(guardrail).collect::<Value>(), "bundle": of.map(bundle)})
}

/// A guardrail with what it holds.
pub fn guardrail(record: &pb::GuardrailRecord) -> Value {
    let mut all = Object::default();
    all.text("guardrail", &record.guardrail);
    all.text("type", &record.r#type);
    all.name("state", record.state().as_str_name(), "GUARDRAIL_STATE_");
    all.some("shadow", Some(record.shadow.into()));
    all.list("key_by", record.key_by.iter().map(|name| name.as_str().into()).collect());
    all.some("keys", Some(record.keys.into()));
    all.some("refusals", Some(record.refusals.into()));
    all.text("held", &record.held);
    all.list("hottest", record.hottest.iter().map(key).collect());
    all.into()
}

fn key(record: &pb::GuardrailKeyRecord) -> Value {
    let mut all = Object::default();
    all.list("values", record.values.iter().map(|value| value.as_str().into()).collect());
    all.text("text", &record.text);
    all.list("limits", record.limits.iter().map(limit).collect());
    all.text("breaker_state", &record.breaker_state);
    all.span("next_probe", record.next_probe);
    all.into()
}

/// Emergency stops.
pub fn stops(name: &str, stops: &[pb::Stop]) -> Value {
    json!({ name: stops.iter().map(stop).collect::<Value>() })
}

/// An emergency stop.
pub fn stop(stop: &pb::Stop) -> Value {
    let mut all = Object::default();
    all.text("id", &stop.id);
    all.name("effect", stop.effect().as_str_name(), "STOP_EFFECT_");
    all.text("selector", &stop.selector);
    all.text("reason", &stop.reason);
    all.text("by", &stop.by);
    all.time("set_at", stop.set_at);
    all.time("expires_at", stop.expires_at);
    all.into()
}
