//! One question, one answer.

use tollgate_engine::decide::{self, Answer as Effect, Decision, Request, Scratch};
use tollgate_engine::model::ReasonCode;
use tollgate_engine::time::{Moment, WallTime};

use super::answer::{Answer, deny};
use super::snapshot::Snapshot;
use super::{DataPlane, approval, local, record};

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
            let ended = self.clock.monotonic();
            if !request.dry_run {
                let nanos = ended.saturating_sub(started);
                record::decision(parts.tally, parts.snapshot, &answer, Some(request), nanos);
                self.tell_of_denial(parts.refusals, &answer, request, Moment::from_nanos(ended));
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
        let approval = match decision.answer {
            Effect::RequireApproval(wanted) => Some(approval::open(self, request, &decision, wanted, now)),
            Effect::Allow(_) | Effect::Deny(_) => None,
        };
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
}
