//! `Authorize`: one action, one decision.

use tonic::Status;

use super::convert::{self, Checked, Limits, Violations};
use crate::data_plane::{Answer, DataPlane};
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeRequest,
) -> Result<pb::AuthorizeResponse, Status> {
    decide(plane, limits, sent, convert::response)
}

/// The same, written as it travels.
pub(super) fn write(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeRequest,
    out: &mut Vec<u8>,
) -> Result<(), Status> {
    decide(plane, limits, sent, |answer| convert::append(answer, out))
}

fn decide<T>(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeRequest,
    tell: impl FnOnce(&Answer<'_>) -> T,
) -> Result<T, Status> {
    let checked = Checked::new(sent, limits)?;
    plane.authorize(&checked.request(), |answer| match answer.decision.bad_cost {
        Some(bad) => Err(Violations::unit_cost(&bad.path.to_string()).into()),
        None => Ok(tell(&answer)),
    })
}
