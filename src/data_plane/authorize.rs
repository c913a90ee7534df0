//! One question, one answer.

use tollgate_engine::decide::{self, Answer as Effect, Decision, Request, Scratch};
use tollgate_engine::model::{Disposition, ReasonCode};
use tollgate_engine::time::WallTime;

use super::answer::{Answer, OpenApproval, deny};
use super::approval::APPROVALS_FULL;
use super::approvals::Full;
use super::snapshot::Snapshot;
use super::{DataPlane, local, record};

/// Why everything is denied before the first bundle.
pub(super) const NO_BUNDLE: &str =
    "no policy bundle is loaded yet, so nothing is allowed; see `tollgate status`";

impl DataPlane {
    /// Decides, and gives the answer to `then`.
    ///
    /// The answer borrows from the snapshot that this thread holds; handing it on instead of
    /// returning it keeps the snapshot's reference count, which all threads share, untouched.
    pub fn authorize<R>(&self, request: &Request<'_>, then: impl FnOnce(Answer<'_>) -> R) -> R {
        local::with(self, |parts| {
            let started = self.clock.monotonic();
            let now = self.clock.wall();
            let answer = self.answer(parts.snapshot, request, now, parts.scratch);
            let nanos = self.clock.monotonic().saturating_sub(started);
            if !request.dry_run {
                record::decision(parts.tally, parts.snapshot, &answer, Some(request), nanos);
            }
            then(answer)
        })
    }

    pub(super) fn answer<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &Request<'a>,
        now: WallTime,
        scratch: &mut Scratch,
    ) -> Answer<'a> {
        let servers = self.options.environment.as_str();
        let decision = match &snapshot.serving {
            Some(serving) => decide::authorize(&serving.compiled, request, servers, now, scratch),
            None => deny(ReasonCode::NoBundle, NO_BUNDLE, request.environment_or(servers)),
        };
        self.finish(snapshot, request, now, decision)
    }

    /// Adds to a decision what the engine cannot know.
    pub(super) fn finish<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &Request<'a>,
        now: WallTime,
        decision: Decision<'a>,
    ) -> Answer<'a> {
        let (decision, approval) = self.with_approval(request, decision, now);
        Answer {
            decision_id: self.clock.decision_id(now),
            request_id: request.request_id,
            decided_at: now,
            arm: snapshot.arm(),
            bundle: snapshot.bundle(),
            decision,
            approval,
        }
    }

    fn with_approval<'a>(
        &self,
        request: &Request<'_>,
        decision: Decision<'a>,
        now: WallTime,
    ) -> (Decision<'a>, Option<OpenApproval<'a>>) {
        let (Effect::RequireApproval(wanted), Some(rule)) = (&decision.answer, decision.rule) else {
            return (decision, None);
        };
        match self.ask_people(request, &decision, rule, wanted, now) {
            Ok(approval) => (decision, Some(approval)),
            Err(Full) => {
                let answer = Effect::Deny(Disposition::Raise);
                let (reason_code, reason) = (ReasonCode::ApprovalsFull, APPROVALS_FULL);
                (Decision { answer, reason_code, reason, ..decision }, None)
            }
        }
    }
}
