//! `ListGuardrails`: guardrails with what they hold, page by page.

use prost::Message as _;
use tonic::Status;

use crate::data_plane::DataPlane;
use crate::data_plane::operate::{NotHandled, Seen, Wanted};
use crate::grpc::convert::Violations;
use crate::grpc::convert::decision::bundle;
use crate::grpc::convert::operate::{NAME_BYTES, guardrail};
use crate::pb;

/// Most clients take 4 MiB and no more.
const MOST_BYTES: usize = 3 << 20;
/// Guardrails that are looked at for one answer.
const MOST: usize = 500;
/// Keys of each that are shown unless somebody says otherwise, and at most.
const KEYS: u32 = 10;
const MOST_KEYS: u32 = 100;

pub(super) fn answer(
    plane: &DataPlane,
    sent: &pb::ListGuardrailsRequest,
) -> Result<pb::ListGuardrailsResponse, Status> {
    let keys = sent.keys.unwrap_or(KEYS);
    if keys > MOST_KEYS {
        return Err(Violations::one("keys", format_args!("is {keys}; at most {MOST_KEYS} are shown")).into());
    }
    if sent.guardrail.len() > NAME_BYTES {
        return Err(Violations::one("guardrail", "is longer than the name of any guardrail").into());
    }
    let wanted = Wanted {
        only: &sent.guardrail,
        after: &sent.page_token,
        most: match usize::try_from(sent.page_size) {
            Ok(size @ 1..=MOST) => size,
            _ => MOST,
        },
        keys: usize::try_from(keys).unwrap_or(0),
    };
    plane.guardrails(&wanted, page).map_err(|why| match why {
        NotHandled::Unknown { .. } if sent.guardrail.is_empty() => {
            Violations::one("page_token", "is none that an answer gave; leave it out to begin anew").into()
        }
        other => Status::not_found(other.to_string()),
    })
}

/// As many as fit, at least one.
fn page(seen: Seen<'_>) -> pb::ListGuardrailsResponse {
    let mut answer = pb::ListGuardrailsResponse {
        bundle: Some(bundle(seen.arm, seen.bundle, seen.environment)),
        ..pb::ListGuardrailsResponse::default()
    };
    let (mut bytes, all) = (0_usize, seen.guardrails.len());
    for view in &seen.guardrails {
        let record = guardrail(view);
        bytes = bytes.saturating_add(record.encoded_len());
        if bytes > MOST_BYTES && !answer.guardrails.is_empty() {
            break;
        }
        answer.guardrails.push(record);
    }
    if seen.more || answer.guardrails.len() < all {
        let last = answer.guardrails.last();
        answer.next_page_token = last.map(|last| last.guardrail.clone()).unwrap_or_default();
    }
    answer
}
