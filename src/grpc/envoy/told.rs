//! What access logs and later filters of Envoy are told of a decision.

use serde_json::{Map, Value, json};

use crate::data_plane::Answer;
use crate::pb::Struct;

/// The dynamic metadata of an answer.
pub(super) fn metadata(answer: &Answer<'_>) -> Struct {
    let decision = &answer.decision;
    let rule = decision.rule.map(|rule| json!(rule.as_str()));
    let guardrail = decision.guardrail.map(|name| json!(name.as_str()));
    let all = [
        ("arm", Some(json!(answer.arm.name()))),
        ("bundle_version", answer.bundle.map(|bundle| json!(bundle.version))),
        ("decision_id", Some(json!(answer.decision_id.to_string()))),
        ("effect", Some(json!(answer.effect_name()))),
        ("guardrail", guardrail),
        ("reason_code", Some(json!(decision.reason_code.name()))),
        ("rule_id", rule),
    ];
    let told: Map<String, Value> =
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    told.into()
}
