//! `Authorize`: one action, one decision.

use tonic::Status;

use super::convert::{self, Checked, Limits, Violations};
use super::traced::Told as _;
use crate::data_plane::DataPlane;
use crate::pb;
use crate::telemetry::traces::Span;

/// Writes the answer behind what is there.
pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeRequest,
    out: &mut Vec<u8>,
    span: &mut Option<Span>,
) -> Result<(), Status> {
    span.iter_mut().for_each(|span| sent.tell(span));
    let checked = Checked::new(sent, limits)?;
    plane.authorize(&checked.request(), |answer| match answer.decision.bad_cost {
        Some(bad) => Err(Violations::unit_cost(&bad.path.to_string()).into()),
        None => {
            span.iter_mut().for_each(|span| answer.tell(span));
            convert::append(&answer, out);
            Ok(())
        }
    })
}
