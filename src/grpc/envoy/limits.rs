//! Guardrails in the words of Envoy's rate limits.

use serde_json::Value;
use tollgate_engine::decide::Answer as Effect;
use tollgate_engine::guardrail::refused::Measure;
use tollgate_engine::guardrail::verdict::Limit;
use tollgate_engine::model::ReasonCode;
use tollgate_engine::unit::Span;
use tonic::Status;

use super::header::{CONTENT_TYPE, DECISION_ID, REASON_CODE, RETRY_AFTER, header, whole_seconds};
use super::{denied, told};
use crate::data_plane::Answer;
use crate::grpc::convert::decision::duration;
use crate::pb::envoy::config::core::v3::HeaderValue;
use crate::pb::envoy::service::ratelimit::v3::RateLimitResponse;
use crate::pb::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit;
use crate::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus, RateLimit};

/// Windows that Envoy has a word for, in seconds. Its months and years have no length.
const UNITS: [(u64, Unit); 5] =
    [(1, Unit::Second), (60, Unit::Minute), (3_600, Unit::Hour), (86_400, Unit::Day), (604_800, Unit::Week)];

/// The answer to all descriptors: over the limit if any of them is.
pub(super) fn response(answers: &[Answer<'_>]) -> Result<RateLimitResponse, Status> {
    let without = |answer: &&Answer<'_>| answer.decision.reason_code == ReasonCode::NoBundle;
    if let Some(answer) = answers.iter().find(without) {
        return Err(Status::unavailable(answer.decision.reason));
    }
    let refused = answers.iter().find(|answer| is_over(answer));
    let Some(shown) = refused.or_else(|| answers.first()) else {
        return Err(Status::internal("nothing was decided"));
    };
    let all_pass = answers.iter().all(Answer::is_allowed);
    let mut headers: Vec<HeaderValue> = own_words(answers);
    let mut raw_body = Vec::new();
    if !all_pass {
        headers.push(header(CONTENT_TYPE, "application/json"));
        headers.push(header(DECISION_ID, &shown.decision_id.to_string()));
        headers.push(header(REASON_CODE, shown.decision.reason_code.name()));
        headers.extend(retry_after(answers).map(|wait| header(RETRY_AFTER, &wait.to_string())));
        raw_body = Value::Object(denied::body(shown)).to_string().into_bytes();
    }
    Ok(RateLimitResponse {
        overall_code: (if all_pass { Code::Ok } else { Code::OverLimit }).into(),
        statuses: answers.iter().map(status).collect(),
        response_headers_to_add: headers,
        request_headers_to_add: Vec::new(),
        raw_body,
        dynamic_metadata: Some(told::metadata(shown)),
    })
}

/// Whether it is itself refused, and not only because another descriptor is.
fn is_over(answer: &Answer<'_>) -> bool {
    !answer.is_allowed() && answer.decision.reason_code != ReasonCode::BatchRefused
}

fn status(answer: &Answer<'_>) -> DescriptorStatus {
    let code = if is_over(answer) { Code::OverLimit } else { Code::Ok };
    let tightest = tightest(answer);
    // Without a limit there is always room.
    let left = tightest.map_or(u64::MAX, |limit| limit.room.left());
    DescriptorStatus {
        code: code.into(),
        current_limit: tightest.and_then(current),
        limit_remaining: u32::try_from(left).unwrap_or(u32::MAX),
        duration_until_reset: tightest.and_then(|limit| limit.room.reset_after).map(duration),
    }
}

/// The rate limit that leaves least room.
fn tightest<'l, 'a>(answer: &'l Answer<'a>) -> Option<&'l Limit<'a>> {
    let rates = answer.verdict.limits.iter().filter(|limit| limit.room.measure == Measure::Units);
    rates.min_by_key(|limit| limit.room.left())
}

/// A limit in Envoy's words, where it has them.
fn current(limit: &Limit<'_>) -> Option<RateLimit> {
    let unit = unit(limit.room.window?)?;
    Some(RateLimit {
        requests_per_unit: u32::try_from(limit.room.limit).ok()?,
        unit: unit.into(),
        name: limit.guard.name.as_str().to_owned(),
    })
}

fn unit(window: Span) -> Option<Unit> {
    let known = UNITS.iter().find(|(seconds, _)| Some(window.nanos()) == seconds.checked_mul(1_000_000_000));
    known.map(|(_, unit)| *unit)
}

/// The tightest limits that Envoy has no word for, as the draft on RateLimit headers has them.
fn own_words(answers: &[Answer<'_>]) -> Vec<HeaderValue> {
    let odd = answers.iter().filter_map(tightest).filter(|limit| current(limit).is_none());
    let mut odd: Vec<&Limit<'_>> = odd.collect();
    odd.sort_by_key(|limit| (limit.guard.name.as_str(), limit.room.left()));
    odd.dedup_by_key(|limit| limit.guard.name.as_str());
    odd.truncate(MOST_TOLD);
    if odd.is_empty() {
        return Vec::new();
    }
    let name = |limit: &Limit<'_>| limit.guard.name.as_str().replace(['"', '\\'], "_");
    let policy = |limit: &&Limit<'_>| {
        let window = limit.room.window.map(|window| format!(";w={}", whole_seconds(window)));
        format!("\"{}\";q={}{}", name(limit), limit.room.limit, window.unwrap_or_default())
    };
    let state = |limit: &&Limit<'_>| {
        let reset = limit.room.reset_after.map(|reset| format!(";t={}", whole_seconds(reset)));
        format!("\"{}\";r={}{}", name(limit), limit.room.left(), reset.unwrap_or_default())
    };
    let list = |one: &dyn Fn(&&Limit<'_>) -> String| odd.iter().map(one).collect::<Vec<_>>().join(", ");
    vec![header("ratelimit-policy", &list(&policy)), header("ratelimit", &list(&state))]
}

/// Limits that headers tell of at most.
const MOST_TOLD: usize = 16;

/// The longest wait of those that are refused; `None` where waiting does not help one of them.
fn retry_after(answers: &[Answer<'_>]) -> Option<u64> {
    let refused = answers.iter().filter(|answer| is_over(answer));
    let waits = refused.map(|answer| match answer.decision.answer {
        Effect::Throttle(wait) => Some(whole_seconds(wait)),
        Effect::Allow(_) | Effect::Deny(_) | Effect::RequireApproval(_) => None,
    });
    waits.collect::<Option<Vec<u64>>>()?.into_iter().max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_unit_or_none() {
        for (seconds, want) in [
            (1.0, Some(Unit::Second)),
            (60.0, Some(Unit::Minute)),
            (3_600.0, Some(Unit::Hour)),
            (86_400.0, Some(Unit::Day)),
            (604_800.0, Some(Unit::Week)),
            (90.0, None),
            (0.5, None),
            (2_592_000.0, None),
        ] {
            assert_eq!(Span::from_seconds(seconds).and_then(unit), want, "{seconds}");
        }
    }
}
