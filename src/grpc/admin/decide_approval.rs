//! `DecideApproval`: the signed answer of an approver.

use tollgate_engine::sign::Envelope;
use tonic::Status;

use crate::data_plane::DataPlane;
use crate::data_plane::approvals::Undecided;
use crate::grpc::convert::{Violations, approval};
use crate::grpc::wait_approval;
use crate::pb;

/// What may be said about a decision.
const COMMENT_BYTES: usize = 1_024;

pub(super) fn answer(
    plane: &DataPlane,
    sent: &pb::DecideApprovalRequest,
) -> Result<pb::DecideApprovalResponse, Status> {
    let id = approval::id(&sent.approval_id)?;
    let mut wrong = Violations::default();
    if sent.comment.len() > COMMENT_BYTES {
        let what = format!("has {} bytes; at most {COMMENT_BYTES} are taken", sent.comment.len());
        wrong = Violations::one("comment", what);
    }
    let Some(envelope) = Envelope::parse(&sent.envelope).filter(|_| wrong.is_empty()) else {
        if wrong.is_empty() {
            wrong = Violations::one("envelope", "is no signed envelope; see `tollgate grant`");
        }
        return Err(wrong.into());
    };
    let decided = plane.decide_approval(id, &envelope, &sent.comment);
    let entry = decided.map_err(|why| refusal(id, why))?;
    let approval = Some(approval::record(plane.approvals(), &entry));
    Ok(pb::DecideApprovalResponse { approval })
}

fn refusal(id: uuid::Uuid, why: Undecided) -> Status {
    let no_answer = |what: &str| Violations::one("envelope", what).into();
    match why {
        Undecided::Unknown => wait_approval::unknown(id),
        Undecided::Over => Status::failed_precondition(format!(
            "the approval `{id}` is not open any longer; see how it ended with `tollgate approvals --all`"
        )),
        Undecided::OtherApproval => {
            no_answer("is signed, but not for this approval as it stands; fetch it again and sign that")
        }
        Undecided::NoAnswer => no_answer("is signed, but neither a grant nor a denial"),
        Undecided::Unsigned => no_answer("has no signature"),
        Undecided::Signature(why) => {
            Status::permission_denied(format!("the answer does not count: {}", why.sentence()))
        }
    }
}
