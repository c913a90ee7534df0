//! `Explain`: the decision with the account of every rule.

use tonic::Status;

use super::convert::{self, Checked, Limits, Violations, trace};
use crate::data_plane::DataPlane;
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::ExplainRequest,
) -> Result<pb::ExplainResponse, Status> {
    let Some(request) = sent.request else {
        return Err(Violations::one("request", "is required; send what is to be explained").into());
    };
    let checked = Checked::new(request, limits)?;
    Ok(plane.explain(&checked.request(), |answer, rules| pb::ExplainResponse {
        decision: Some(convert::response(&answer)),
        rules: rules.into_iter().map(trace::rule_trace).collect(),
        guardrails: Vec::new(),
    }))
}
