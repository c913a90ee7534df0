//! `RetryDecision`: whether and when to try again.

use tollgate_engine::guardrail::retry::Plan;
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
    let (decision, delay) = match answer.plan {
        Plan::Again { delay, .. } if delay.nanos() == 0 => (pb::RetryVerdict::Retry, None),
        Plan::Again { delay, .. } => (pb::RetryVerdict::RetryAfter, Some(duration(delay))),
        Plan::Fail(_) => (pb::RetryVerdict::Fail, None),
    };
    pb::RetryDecisionResponse {
        decision: decision.into(),
        delay,
        reason_code: answer.plan.code().number(),
        reason: answer.stopped.unwrap_or_else(|| answer.plan.reason()).to_owned(),
        guardrail: answer.policy.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        bundle: Some(bundle(answer.arm, answer.bundle, answer.environment)),
    }
}
