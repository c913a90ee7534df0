//! An answer of the data plane to `AuthorizeResponse`.

use prost_types::{Duration, Timestamp};
use tollgate_engine::decide::{Answer as Effect, Obligations};
use tollgate_engine::model::{Caps, Disposition};
use tollgate_engine::time::WallTime;
use tollgate_engine::unit::{Money, Span};

use super::guardrail::{limit, refusal, retry_plan};
use crate::data_plane::{Answer, Arm, BundleRef, OpenApproval};
use crate::pb;

/// The answer as it travels.
#[must_use]
pub fn response(answer: &Answer<'_>) -> pb::AuthorizeResponse {
    let decision = &answer.decision;
    let (effect, disposition, next_action) = numbers(&decision.answer);
    pb::AuthorizeResponse {
        decision_id: answer.decision_id.to_string(),
        request_id: answer.request_id.to_owned(),
        effect,
        disposition,
        reason_code: decision.reason_code.number(),
        reason: decision.reason.to_owned(),
        rule_id: decision.rule.map(|rule| rule.as_str().to_owned()).unwrap_or_default(),
        next_action,
        obligations: obligations(&decision.answer),
        approval: answer.approval.as_ref().map(approval),
        bundle: Some(bundle(answer.arm, answer.bundle, decision.environment)),
        decided_at: Some(timestamp(answer.decided_at)),
        guardrail: decision.guardrail.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        retry_after: retry_after(&decision.answer),
        limits: answer.verdict.limits.iter().map(limit).collect(),
        report_within: answer.verdict.report_within.map(duration),
        refusals: answer.verdict.refusals.iter().map(refusal).collect(),
    }
}

/// The effect, the disposition and the next action, by their numbers.
pub(super) fn numbers(effect: &Effect<'_>) -> (i32, i32, i32) {
    let (effect, disposition, next_action) = match effect {
        Effect::Allow(_) => (pb::Effect::Allow, pb::Disposition::Unspecified, pb::NextAction::Proceed),
        Effect::Deny(Disposition::Raise) => (pb::Effect::Deny, pb::Disposition::Raise, pb::NextAction::None),
        Effect::Deny(Disposition::Drop) => (pb::Effect::Deny, pb::Disposition::Drop, pb::NextAction::None),
        Effect::RequireApproval(_) => {
            (pb::Effect::RequireApproval, pb::Disposition::Unspecified, pb::NextAction::RequestApproval)
        }
        Effect::Throttle(_) => (pb::Effect::Throttle, pb::Disposition::Unspecified, pb::NextAction::Retry),
    };
    (effect.into(), disposition.into(), next_action.into())
}

pub(super) fn obligations(effect: &Effect<'_>) -> Option<pb::Obligations> {
    let Effect::Allow(Obligations { mode, limits, timeout, retry }) = effect else { return None };
    Some(pb::Obligations {
        mode: (*mode).to_owned(),
        limits: (*limits != Caps::default()).then(|| caps(limits)),
        timeout: timeout.map(duration),
        retry: retry.map(|plan| retry_plan(&plan)),
    })
}

pub(super) const fn retry_after(effect: &Effect<'_>) -> Option<Duration> {
    match effect {
        Effect::Throttle(wait) => Some(duration(*wait)),
        Effect::Allow(_) | Effect::Deny(_) | Effect::RequireApproval(_) => None,
    }
}

fn caps(caps: &Caps) -> pb::Caps {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    pb::Caps {
        max_tool_calls: caps.max_tool_calls.map(count),
        max_llm_calls: caps.max_llm_calls.map(count),
        max_llm_tokens: caps.max_llm_tokens.map(count),
        max_cost: caps.max_cost.map(Money::units),
        max_compute: caps.max_compute.map(count),
        max_duration: caps.max_duration.map(duration),
    }
}

pub(super) fn approval(open: &OpenApproval<'_>) -> pb::Approval {
    pb::Approval {
        id: open.id.map(|id| id.to_string()).unwrap_or_default(),
        expires_at: open.expires_at.map(timestamp),
        approvers: open.approvers,
        role: open.role.to_owned(),
        request_digest: open.request_digest.clone(),
        instance: open.instance.to_string(),
        uses: open.uses,
        opened_at: open.opened_at.map(timestamp),
    }
}

/// Which bundle an answer comes from, as it travels.
#[must_use]
pub fn bundle(arm: Arm, bundle: Option<BundleRef<'_>>, environment: &str) -> pb::BundleInfo {
    pb::BundleInfo {
        version: bundle.map(|bundle| bundle.version.to_owned()).unwrap_or_default(),
        digest: bundle.map(|bundle| bundle.digest.to_owned()).unwrap_or_default(),
        arm: arm_number(arm),
        stale: bundle.is_some_and(|bundle| bundle.stale),
        environment: environment.to_owned(),
    }
}

pub(super) fn arm_number(arm: Arm) -> i32 {
    match arm {
        Arm::Stable => pb::Arm::Stable.into(),
        Arm::Builtin => pb::Arm::Builtin.into(),
    }
}

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A span as it travels.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "2^64 / 10^9 fits, and what is left is below 10^9"
)]
pub const fn duration(span: Span) -> Duration {
    let (seconds, nanos) = (span.nanos() / NANOS_PER_SECOND, span.nanos() % NANOS_PER_SECOND);
    Duration { seconds: seconds as i64, nanos: nanos as i32 }
}

/// A time as it travels.
pub(super) fn timestamp(time: WallTime) -> Timestamp {
    const NANOS_PER_SECOND: i64 = 1_000_000_000;
    Timestamp {
        seconds: time.nanos().div_euclid(NANOS_PER_SECOND),
        nanos: i32::try_from(time.nanos().rem_euclid(NANOS_PER_SECOND)).unwrap_or_default(),
    }
}
