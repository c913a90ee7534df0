//! `AuthorizeBatch`: the actions of one flush, decided at one instant.

use tonic::Status;

use super::convert::{self, Checked, Limits, Violations};
use crate::data_plane::{DataPlane, Item};
use crate::pb;

/// An item that cannot be decided, with what can be given back of it.
struct Malformed {
    request_id: String,
    reason: String,
}

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: pb::AuthorizeBatchRequest,
) -> Result<pb::AuthorizeBatchResponse, Status> {
    let (items, most) = (sent.requests.len(), limits.batch_items);
    if items > most {
        let what = format!("has {items} elements; at most {most} are taken; send several batches");
        return Err(Violations::one("requests", what).into());
    }
    let checked: Vec<Result<Checked, Malformed>> =
        sent.requests.into_iter().map(|item| check(item, limits)).collect();
    let items: Vec<Item<'_>> = checked.iter().map(item).collect();
    let responses = plane.authorize_batch(&items, sent.all_or_nothing, |answers| {
        answers.iter().map(convert::response).collect()
    });
    Ok(pb::AuthorizeBatchResponse { responses })
}

fn check(sent: pb::AuthorizeRequest, limits: &Limits) -> Result<Checked, Malformed> {
    let fits = sent.request_id.len() <= limits.name_bytes;
    let request_id = if fits { sent.request_id.clone() } else { String::new() };
    Checked::new(sent, limits).map_err(|wrong| Malformed { request_id, reason: wrong.to_string() })
}

fn item(checked: &Result<Checked, Malformed>) -> Item<'_> {
    match checked {
        Ok(checked) => Item::Ask(checked.request()),
        Err(Malformed { request_id, reason }) => Item::Malformed { request_id, reason },
    }
}
