//! `ListApprovals`: what people are asked, page by page.

use prost::Message as _;
use tonic::Status;
use uuid::Uuid;

use crate::data_plane::DataPlane;
use crate::data_plane::approvals::Entry;
use crate::grpc::convert::{Violations, approval};
use crate::pb;

/// Most clients take 4 MiB and no more.
const MOST_BYTES: usize = 3 << 20;

pub(super) fn answer(
    plane: &DataPlane,
    sent: &pb::ListApprovalsRequest,
) -> Result<pb::ListApprovalsResponse, Status> {
    let only = match sent.approval_id.as_str() {
        "" => None,
        text => Some(approval::id(text)?),
    };
    let after = match sent.page_token.as_str() {
        "" => None,
        text => Some(Uuid::try_parse(text).map_err(|_| {
            Violations::one("page_token", "is none that an answer gave; leave it out to begin anew")
        })?),
    };
    let approvals = plane.approvals();
    let fits = |entry: &Entry| {
        let state = i32::from(approval::state(&entry.news.standing));
        only.is_none_or(|id| entry.id == id)
            && after.is_none_or(|after| entry.id > after)
            && (sent.states.is_empty() || sent.states.contains(&state))
    };
    let all = approvals.list(plane.clock().wall());
    let records = all.iter().filter(|entry| fits(entry)).map(|entry| approval::record(approvals, entry));
    Ok(page(records, usize::try_from(sent.page_size).unwrap_or(usize::MAX)))
}

/// As many as fit, at least one.
fn page(records: impl Iterator<Item = pb::ApprovalRecord>, wanted: usize) -> pb::ListApprovalsResponse {
    let mut answer = pb::ListApprovalsResponse::default();
    let mut bytes = 0_usize;
    for record in records {
        bytes = bytes.saturating_add(record.encoded_len());
        let full = wanted != 0 && answer.approvals.len() >= wanted;
        if full || (bytes > MOST_BYTES && !answer.approvals.is_empty()) {
            let last = answer.approvals.last().and_then(|last| last.approval.as_ref());
            answer.next_page_token = last.map(|last| last.id.clone()).unwrap_or_default();
            break;
        }
        answer.approvals.push(record);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(count: usize, bytes: usize) -> impl Iterator<Item = pb::ApprovalRecord> {
        (0..count).map(move |number| pb::ApprovalRecord {
            approval: Some(pb::Approval { id: number.to_string(), ..Default::default() }),
            asked: "x".repeat(bytes),
            ..Default::default()
        })
    }

    #[test]
    fn a_page_ends_where_it_is_full_and_says_so() {
        for (count, bytes, wanted, want) in [
            (0, 0, 0, (0, "")),
            (3, 10, 0, (3, "")),
            (3, 10, 3, (3, "")),
            (3, 10, 2, (2, "1")),
            (9, 1 << 20, 0, (2, "1")),
            (2, 4 << 20, 0, (1, "0")),
        ] {
            let got = page(records(count, bytes), wanted);
            let got = (got.approvals.len(), got.next_page_token.as_str());
            assert_eq!(got, want, "{count} of {bytes} bytes, {wanted} wanted");
        }
    }
}
