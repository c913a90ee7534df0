//! What the client of Envoy gets when something may not pass.

use serde_json::{Map, Value, json};
use tollgate_engine::decide::Answer as Effect;
use tollgate_engine::time::WallTime;

use super::header::{
    APPROVAL, CONTENT_TYPE, DECISION_ID, EFFECT, REASON_CODE, RETRY_AFTER, replacing, whole_seconds,
};
use crate::data_plane::{Answer, OpenApproval};
use crate::pb::envoy::service::auth::v3::DeniedHttpResponse;
use crate::pb::envoy::r#type::v3::{HttpStatus, StatusCode};

pub(super) fn response(answer: &Answer<'_>, status: StatusCode) -> DeniedHttpResponse {
    let wait = match answer.decision.answer {
        Effect::Throttle(wait) => Some(whole_seconds(wait).to_string()),
        Effect::Allow(_) | Effect::Deny(_) | Effect::RequireApproval(_) => None,
    };
    let approval = answer.approval.as_ref().and_then(|open| open.id).map(|id| id.to_string());
    let id = answer.decision_id.to_string();
    let set = [
        (CONTENT_TYPE, Some("application/json")),
        (DECISION_ID, Some(id.as_str())),
        (EFFECT, Some(answer.effect_name())),
        (REASON_CODE, Some(answer.decision.reason_code.name())),
        (APPROVAL, approval.as_deref()),
        (RETRY_AFTER, wait.as_deref()),
    ];
    let headers = set.into_iter().filter_map(|(name, value)| Some(replacing(name, value?)));
    DeniedHttpResponse {
        status: Some(HttpStatus { code: status.into() }),
        headers: headers.collect(),
        body: Value::Object(body(answer)).to_string(),
    }
}

/// Why, for programs and for people. It goes to who is outside: neither rule nor bundle is named.
pub(super) fn body(answer: &Answer<'_>) -> Map<String, Value> {
    let decision = &answer.decision;
    let mut body = Map::new();
    let mut put = |name: &str, value: Value| body.insert(name.to_owned(), value);
    put("decision_id", json!(answer.decision_id.to_string()));
    put("effect", json!(answer.effect_name()));
    put("reason_code", json!(decision.reason_code.name()));
    put("reason", json!(decision.reason));
    if let Effect::Throttle(wait) = decision.answer {
        put("retry_after_seconds", json!(wait.seconds()));
    }
    if let Some(open) = &answer.approval {
        put("approval", approval(open));
    }
    body
}

fn approval(open: &OpenApproval<'_>) -> Value {
    json!({
        "id": open.id.map(|id| id.to_string()),
        "expires_at": open.expires_at.and_then(date),
        "approvers": open.approvers,
        "role": open.role,
        "request_digest": open.request_digest,
        "instance": open.instance.to_string(),
    })
}

fn date(time: WallTime) -> Option<String> {
    jiff::Timestamp::from_nanosecond(time.nanos().into()).ok().map(|date| date.to_string())
}
