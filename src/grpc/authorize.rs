//! `Authorize`: one action, one decision.

use tonic::Status;

use super::convert::{self, Checked, Limits};
use crate::data_plane::DataPlane;
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeRequest,
) -> Result<pb::AuthorizeResponse, Status> {
    let checked = Checked::new(sent, limits)?;
    Ok(plane.authorize(&checked.request(), |answer| convert::response(&answer)))
}
