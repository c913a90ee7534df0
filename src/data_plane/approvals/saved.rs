//! Approvals as they are kept over a restart.

use serde::{Deserialize, Serialize};
use tollgate_engine::id::{Digest, RuleId};
use tollgate_engine::model::{Approval, Bind};
use tollgate_engine::sign::Envelope;
use tollgate_engine::time::WallTime;
use tollgate_engine::unit::Span;
use uuid::Uuid;

use super::pending::{Entry, News, Standing};
use super::spent::SavedSpent;

/// All that approvals need to go on after a restart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SavedApprovals {
    /// The instance that they are bound to.
    pub instance: u128,
    /// Those that are open, and those that ended and may still be asked about.
    pub approvals: Vec<SavedApproval>,
    /// The uses of grants.
    pub spent: Vec<SavedSpent>,
}

/// One approval. Times are nanoseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SavedApproval {
    id: u128,
    digest: String,
    rule_id: String,
    approvers: u32,
    role: String,
    expires_in: u64,
    uses: u32,
    bind: Option<Vec<Vec<String>>>,
    user: String,
    tenant: String,
    agent: String,
    action: String,
    asked: String,
    opened_at: i64,
    expires_at: i64,
    standing: SavedStanding,
    signed: Option<String>,
    comment: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
enum SavedStanding {
    Pending,
    Granted(String),
    Denied,
    Expired,
    Void,
}

impl SavedApproval {
    /// An approval as it is kept.
    pub fn of(entry: &Entry) -> Self {
        let Approval { approvers, role, expires_in, uses, bind } = &entry.approval;
        Self {
            id: entry.id.as_u128(),
            digest: entry.digest.to_string(),
            rule_id: entry.rule.as_str().into(),
            approvers: *approvers,
            role: role.to_string(),
            expires_in: expires_in.nanos(),
            uses: *uses,
            bind: match bind {
                Bind::All => None,
                Bind::Paths(paths) => Some(paths.iter().map(|path| texts(path)).collect()),
            },
            user: entry.user.to_string(),
            tenant: entry.tenant.to_string(),
            agent: entry.agent.to_string(),
            action: entry.action.to_string(),
            asked: String::from_utf8_lossy(&entry.asked).into_owned(),
            opened_at: entry.opened_at.nanos(),
            expires_at: entry.news.expires_at.nanos(),
            standing: match &entry.news.standing {
                Standing::Pending => SavedStanding::Pending,
                Standing::Granted(grant) => SavedStanding::Granted(grant.to_string()),
                Standing::Denied => SavedStanding::Denied,
                Standing::Expired => SavedStanding::Expired,
                Standing::Void => SavedStanding::Void,
            },
            signed: entry.signed.as_ref().map(Envelope::to_text),
            comment: entry.news.comment.to_string(),
        }
    }

    /// The approval that was kept; `None` when it is of no use to this version.
    pub fn entry(&self) -> Option<Entry> {
        let standing = match &self.standing {
            SavedStanding::Pending => Standing::Pending,
            SavedStanding::Granted(grant) => Standing::Granted(grant.as_str().into()),
            SavedStanding::Denied => Standing::Denied,
            SavedStanding::Expired => Standing::Expired,
            SavedStanding::Void => Standing::Void,
        };
        let path = |path: &Vec<String>| path.iter().map(|step| step.as_str().into()).collect();
        Some(Entry {
            id: Uuid::from_u128(self.id),
            digest: Digest::parse(&self.digest)?,
            rule: RuleId::parse(&self.rule_id)?,
            approval: Approval {
                approvers: self.approvers,
                role: self.role.as_str().into(),
                expires_in: Span::from_nanos(self.expires_in),
                uses: self.uses,
                bind: self
                    .bind
                    .as_ref()
                    .map_or(Bind::All, |paths| Bind::Paths(paths.iter().map(path).collect())),
            },
            user: self.user.as_str().into(),
            tenant: self.tenant.as_str().into(),
            agent: self.agent.as_str().into(),
            action: self.action.as_str().into(),
            asked: self.asked.as_bytes().into(),
            opened_at: WallTime::from_nanos(self.opened_at),
            news: News {
                standing,
                expires_at: WallTime::from_nanos(self.expires_at),
                comment: self.comment.as_str().into(),
            },
            signed: self.signed.as_deref().and_then(Envelope::parse),
        })
    }
}

fn texts(path: &[Box<str>]) -> Vec<String> {
    path.iter().map(ToString::to_string).collect()
}
