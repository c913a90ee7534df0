//! An answer of the data plane written as it travels, without building a message first: on a stream
//! that is most of what an answer costs. [`super::response`] says the same and is what tests hold
//! this against.

use prost::Message;
use prost::encoding::{encode_varint, encoded_len_varint};

use super::decision::{approval, arm_number, duration, numbers, obligations, retry_after, timestamp};
use super::guardrail::{limit, refusal};
use crate::data_plane::Answer;

/// Fields of bytes, of numbers.
const BYTES: u64 = 2;
const VARINT: u64 = 0;

/// Appends the message.
pub fn append(answer: &Answer<'_>, out: &mut Vec<u8>) {
    let (decision, verdict) = (&answer.decision, &answer.verdict);
    let (effect, disposition, next_action) = numbers(&decision.answer);
    let mut id = uuid::Uuid::encode_buffer();
    text(out, 1, answer.decision_id.hyphenated().encode_lower(&mut id));
    text(out, 2, answer.request_id);
    number(out, 3, effect);
    number(out, 4, disposition);
    number(out, 5, decision.reason_code.number());
    text(out, 6, decision.reason);
    text(out, 7, decision.rule.map(|rule| rule.as_str()).unwrap_or_default());
    text(out, 8, decision.guardrail.map(|name| name.as_str()).unwrap_or_default());
    number(out, 9, next_action);
    message(out, 10, retry_after(&decision.answer).as_ref());
    message(out, 11, obligations(&decision.answer).as_ref());
    message(out, 12, answer.approval.as_ref().map(approval).as_ref());
    for one in &verdict.limits {
        message(out, 13, Some(&limit(one)));
    }
    message(out, 14, verdict.report_within.map(duration).as_ref());
    bundle(out, 15, answer);
    message(out, 16, Some(&timestamp(answer.decided_at)));
    for one in &verdict.refusals {
        message(out, 17, Some(&refusal(one)));
    }
}

/// `BundleInfo`, of which each answer has one.
fn bundle(out: &mut Vec<u8>, field: u64, answer: &Answer<'_>) {
    let (version, digest, stale) = match answer.bundle {
        Some(bundle) => (bundle.version, bundle.digest, bundle.stale),
        None => ("", "", false),
    };
    let environment = answer.decision.environment;
    let texts = text_len(version) + text_len(digest) + text_len(environment);
    key(out, field, BYTES);
    // The arm and whether it is stale are a key and a small number each.
    encode_varint((texts + 2 + if stale { 2 } else { 0 }) as u64, out);
    text(out, 1, version);
    text(out, 2, digest);
    number(out, 3, arm_number(answer.arm));
    number(out, 4, stale.into());
    text(out, 5, environment);
}

fn key(out: &mut Vec<u8>, field: u64, kind: u64) {
    encode_varint(field << 3 | kind, out);
}

fn text(out: &mut Vec<u8>, field: u64, text: &str) {
    if !text.is_empty() {
        key(out, field, BYTES);
        encode_varint(text.len() as u64, out);
        out.extend_from_slice(text.as_bytes());
    }
}

/// What a text takes as a field with a small number.
fn text_len(text: &str) -> usize {
    if text.is_empty() { 0 } else { 1 + encoded_len_varint(text.len() as u64) + text.len() }
}

/// Numbers of enums, which are not negative.
fn number(out: &mut Vec<u8>, field: u64, number: i32) {
    if number != 0 {
        key(out, field, VARINT);
        encode_varint(u64::from(number.unsigned_abs()), out);
    }
}

fn message<M: Message>(out: &mut Vec<u8>, field: u64, message: Option<&M>) {
    if let Some(message) = message {
        key(out, field, BYTES);
        encode_varint(message.encoded_len() as u64, out);
        // A vector has room for any message.
        let _ = message.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::data_plane::{DataPlane, Offer, Options, Outcome};
    use crate::grpc::convert::{Checked, Limits, response};
    use crate::pb;

    const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.2.3
guardrails:
  - {name: few, type: rate_limit, rules: {limit: 1, window_seconds: 60}, targeting: {actions: [few]}}
  - {name: money, type: budget, rules: {max_cost: 1, default_estimate: {cost: 0.6}}, targeting: {actions: [few]}}
rules:
  - {id: ask, action: ask, effect: require_approval, approval: {approvers: 2, role: boss}, reason: Two must agree}
  - {id: drop, action: drop, effect: deny, disposition: drop, reason: Never}
  - id: draft
    action: draft
    effect: modify
    modify: {mode: draft, limits: {max_tool_calls: 5, max_cost: 0.5}, timeout_seconds: 1.5}
    reason: Only drafts
  - {id: draft-may, action: draft, effect: allow, reason: They may}
  - {id: few, action: few, effect: allow, reason: Now and then}
"#;

    fn compare(plane: &DataPlane, action: &str) -> pb::AuthorizeResponse {
        let sent = pb::AuthorizeRequest {
            action: Some(pb::Action { name: action.into(), ..Default::default() }),
            request_id: format!("request-{action}"),
            ..Default::default()
        };
        let checked = Checked::new(sent, &Limits::default()).unwrap();
        plane.authorize(&checked.request(), |answer| {
            let (mut written, want) = (Vec::new(), response(&answer));
            append(&answer, &mut written);
            assert_eq!(written, want.encode_to_vec(), "{want:?}");
            want
        })
    }

    #[test]
    fn it_says_what_the_message_says() {
        let plane = DataPlane::new(Options::default(), Clock::system()).unwrap();
        assert_eq!(compare(&plane, "early").bundle.unwrap().arm(), pb::Arm::Builtin);
        let offer = Offer { name: "b.yaml".into(), files: vec![("b.yaml".into(), BUNDLE.into())] };
        match plane.offer(&offer) {
            Outcome::Applied => {}
            other => panic!("{other:?}"),
        }
        assert!(compare(&plane, "ask").approval.is_some());
        assert_eq!(compare(&plane, "drop").disposition(), pb::Disposition::Drop);
        assert!(compare(&plane, "draft").obligations.unwrap().limits.is_some());
        let first = compare(&plane, "few");
        assert!(first.limits.len() == 2 && first.report_within.is_some(), "{first:?}");
        let second = compare(&plane, "few");
        assert!(second.refusals.len() == 2 && second.retry_after.is_some(), "{second:?}");
        assert_eq!(compare(&plane, "unknown").effect(), pb::Effect::Deny);
    }
}
