//! `Authorize`: one action, one decision.

use tonic::Status;

use super::convert::{self, Checked, Limits, Violations};
use crate::data_plane::DataPlane;
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeRequest,
) -> Result<pb::AuthorizeResponse, Status> {
    let checked = Checked::new(sent, limits)?;
    plane.authorize(&checked.request(), |answer| match answer.decision.bad_cost {
        Some(bad) => Err(Violations::unit_cost(&bad.path.to_string()).into()),
        None => Ok(convert::response(&answer)),
    })
}
