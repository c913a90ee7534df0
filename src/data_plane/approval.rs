//! The approval that a decision asks for.

use tollgate_engine::decide::{Decision, Request};
use tollgate_engine::id::RuleId;
use tollgate_engine::model::Approval;
use tollgate_engine::time::WallTime;

use super::DataPlane;
use super::answer::OpenApproval;
use super::approvals::{Asked, Full, Question};

/// Why a request is denied when nobody can be asked any more.
pub(super) const APPROVALS_FULL: &str = "people have to approve it, and too many approvals are open already; \
     ask again when some are answered, see `tollgate approvals`";

impl DataPlane {
    /// Asks people, unless the request only looks or they are asked already.
    pub(super) fn ask_people<'a>(
        &self,
        request: &Request<'_>,
        decision: &Decision<'_>,
        rule: &RuleId,
        wanted: &'a Approval,
        now: WallTime,
    ) -> Result<OpenApproval<'a>, Full> {
        let asked = Asked::of(request, decision.environment, rule, &wanted.bind);
        let opened = if request.dry_run {
            None
        } else {
            let question = Question {
                digest: asked.digest,
                rule,
                approval: wanted,
                user: request.subject.user,
                asked: &asked.json,
            };
            let entry = self.approvals.open(&question, now, || self.clock.secret_id(now))?;
            Some((entry.id, entry.opened_at, entry.news.expires_at))
        };
        Ok(OpenApproval {
            id: opened.map(|(id, ..)| id),
            opened_at: opened.map(|(_, opened_at, _)| opened_at),
            expires_at: opened.map(|(.., expires_at)| expires_at),
            approvers: wanted.approvers,
            role: &wanted.role,
            uses: wanted.uses,
            request_digest: asked.digest.to_string(),
            instance: self.instance,
        })
    }
}
