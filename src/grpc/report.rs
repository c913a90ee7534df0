//! `Report` and `ReportBatch`: how actions ended that were allowed.

use tonic::Status;

use super::convert::decision::duration;
use super::convert::report::{Report, report};
use super::convert::{Limits, Violations};
use crate::data_plane::{DataPlane, Reported};
use crate::pb;

pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: &pb::ReportRequest,
) -> Result<pb::ReportResponse, Status> {
    let (id, report) = report(sent, limits)?;
    let reported = match report {
        Report::Ended(outcome) => plane.report(id, &outcome),
        Report::InProgress => plane.renew(id),
    };
    Ok(response(reported))
}

/// All reports are checked before the first is applied, so that a batch that is refused has
/// changed nothing and can be sent again.
pub(super) fn answer_batch(
    plane: &DataPlane,
    limits: &Limits,
    sent: &pb::ReportBatchRequest,
) -> Result<pb::ReportBatchResponse, Status> {
    let (items, most) = (sent.reports.len(), limits.batch_items);
    if items > most {
        let what = format!("has {items} elements; at most {most} are taken; send several batches");
        return Err(Violations::one("reports", what).into());
    }
    let mut wrong = Violations::default();
    for (index, sent) in sent.reports.iter().enumerate() {
        if let Err(own) = report(sent, limits) {
            wrong.adopt("reports", index, own);
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.into());
    }
    let responses = sent.reports.iter().map(|sent| answer(plane, limits, sent));
    Ok(pb::ReportBatchResponse { responses: responses.collect::<Result<_, _>>()? })
}

fn response(reported: Reported) -> pb::ReportResponse {
    let (result, report_within) = match reported {
        Reported::Applied => (pb::ReportResult::Applied, None),
        Reported::Duplicate => (pb::ReportResult::Duplicate, None),
        Reported::Renewed(shortest) => (pb::ReportResult::Renewed, Some(duration(shortest))),
        Reported::Unknown => (pb::ReportResult::Unknown, None),
    };
    pb::ReportResponse { result: result.into(), report_within }
}
