//! `Budget`: the limits in force, and what is left of them.

use tonic::Status;

use super::convert::decision::bundle;
use super::convert::guardrail::limit;
use super::convert::{Checked, Limits, Violations};
use crate::data_plane::DataPlane;
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::BudgetRequest,
) -> Result<pb::BudgetResponse, Status> {
    let facts = pb::AuthorizeRequest {
        subject: sent.subject,
        action: sent.action,
        context: sent.context,
        environment: sent.environment,
        mode: sent.mode,
        phase: sent.phase,
        priority: sent.priority,
        estimate: sent.estimate,
        ..pb::AuthorizeRequest::default()
    };
    let checked = Checked::without_action(facts, limits)?;
    let looked = plane.budget(&checked.request(), |answer| pb::BudgetResponse {
        limits: answer.limits.iter().map(limit).collect(),
        bundle: Some(bundle(answer.arm, answer.bundle, answer.environment)),
    });
    looked.map_err(|bad| Violations::unit_cost(&bad.field).into())
}
