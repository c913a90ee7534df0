//! Approvals as they travel.

use uuid::Uuid;

use super::decision::timestamp;
use super::violation::Violations;
use crate::data_plane::Approvals;
use crate::data_plane::approvals::{Entry, News, Standing};
use crate::pb;

/// The id of an approval in a request.
///
/// # Errors
/// It is no UUID.
pub fn id(text: &str) -> Result<Uuid, Violations> {
    Uuid::try_parse(text).map_err(|_| {
        Violations::one("approval_id", "is no id of an approval; send the one that Authorize gave")
    })
}

/// What who waits is told.
#[must_use]
pub fn news(news: &News) -> pb::WaitApprovalResponse {
    let lasts = matches!(news.standing, Standing::Pending | Standing::Granted(_));
    pb::WaitApprovalResponse {
        state: state(&news.standing).into(),
        grant: match &news.standing {
            Standing::Granted(grant) => grant.to_string(),
            Standing::Pending | Standing::Denied | Standing::Expired | Standing::Void => String::new(),
        },
        expires_at: lasts.then(|| timestamp(news.expires_at)),
        comment: news.comment.to_string(),
    }
}

/// What who decides is shown.
#[must_use]
pub fn record(approvals: &Approvals, entry: &Entry) -> pb::ApprovalRecord {
    pb::ApprovalRecord {
        approval: Some(pb::Approval {
            id: entry.id.to_string(),
            expires_at: Some(timestamp(entry.news.expires_at)),
            approvers: entry.approval.approvers,
            role: entry.approval.role.to_string(),
            request_digest: entry.digest.to_string(),
            instance: approvals.instance().to_string(),
            uses: entry.approval.uses,
            opened_at: Some(timestamp(entry.opened_at)),
        }),
        state: state(&entry.news.standing).into(),
        rule_id: entry.rule.to_string(),
        asked: String::from_utf8_lossy(&entry.asked).into_owned(),
        user: entry.user.to_string(),
        signed_by: approvals.signed_by(entry),
        comment: entry.news.comment.to_string(),
    }
}

/// How it stands.
#[must_use]
pub const fn state(standing: &Standing) -> pb::ApprovalState {
    match standing {
        Standing::Pending => pb::ApprovalState::Pending,
        Standing::Granted(_) => pb::ApprovalState::Granted,
        Standing::Denied => pb::ApprovalState::Denied,
        Standing::Expired => pb::ApprovalState::Expired,
        Standing::Void => pb::ApprovalState::Void,
    }
}
