//! `RetryDecision`: whether and when to try again.

use tollgate_engine::guardrail::retry::Plan;
use tollgate_engine::model::ReasonCode;
use tonic::Status;

use super::convert::decision::{bundle, duration};
use super::convert::report::attempt;
use super::convert::{Checked, Limits, Violations};
use crate::data_plane::{DataPlane, RetryAnswer};
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    mut sent: pb::RetryDecisionRequest,
) -> Result<pb::RetryDecisionResponse, Status> {
    let attempt = attempt(&sent, limits)?;
    let facts = pb::AuthorizeRequest {
        subject: sent.subject.take(),
        action: sent.action.take(),
        context: sent.context.take(),
        environment: sent.environment,
        mode: sent.mode,
        phase: sent.phase,
        priority: sent.priority,
        estimate: sent.estimate,
        request_id: sent.request_id,
        attempt: sent.attempt,
        time_left: sent.time_left,
        ..pb::AuthorizeRequest::default()
    };
    let checked = Checked::new(facts, limits)?;
    let planned = plane.retry(&checked.request(), &attempt, |answer| response(&answer));
    planned.map_err(|bad| Violations::unit_cost(&bad.field).into())
}

fn response(answer: &RetryAnswer<'_>) -> pb::RetryDecisionResponse {
    let (decision, delay, code) = match answer.plan {
        Plan::Again { delay, code } if delay.nanos() == 0 => (pb::RetryVerdict::Retry, None, code),
        Plan::Again { delay, code } => (pb::RetryVerdict::RetryAfter, Some(duration(delay)), code),
        Plan::Fail(code) => (pb::RetryVerdict::Fail, None, code),
    };
    pb::RetryDecisionResponse {
        decision: decision.into(),
        delay,
        reason_code: code.number(),
        reason: answer.stopped.unwrap_or_else(|| reason(code)).to_owned(),
        guardrail: answer.policy.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        bundle: Some(bundle(answer.arm, answer.bundle, answer.environment)),
    }
}

/// Why, for people.
const fn reason(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::RetryBackoff => "the policy grants another attempt after its delay",
        ReasonCode::RetryServerHint => "another attempt is granted when the other side said",
        ReasonCode::RetryPermanent => "an error of this kind never goes away",
        ReasonCode::RetryAttemptsExhausted => "as many attempts were made as the policy grants",
        ReasonCode::RetryKindNotRetryable => "the policy does not retry errors of this kind",
        ReasonCode::RetryServerRefused => "the other side gave a time that cannot be followed",
        ReasonCode::RetryServerDelayTooLong => "the other side asks for a longer wait than the policy takes",
        ReasonCode::RetryDeadline => "the delay is longer than the time that is left",
        ReasonCode::RetryBudgetExhausted => "too many of these actions are retries already",
        ReasonCode::RetryNoPolicy => "no retry policy is about this action",
        ReasonCode::RetryBreakerOpen => "the circuit breaker will still be open",
        ReasonCode::RetryRunBudgetExhausted => "the budget is used up",
        ReasonCode::EmergencyStop => "an operator has stopped actions of this kind",
        ReasonCode::NoBundle => "no policy bundle is loaded yet",
        _ => "it is not to be tried again",
    }
}
