//! One question, one answer.

use tollgate_engine::decide::{Decided, Decision, Read, Request, Tools};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::{At, Verdict};
use tollgate_engine::model::ReasonCode;

use super::answer::{Answer, deny};
use super::logged::Taken;
use super::snapshot::Snapshot;
use super::{DataPlane, local, mark, record};

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
            let at = self.at();
            let draw = parts.tools.draw.state();
            parts.pen.done();
            let answer = if parts.pen.has_room(Some(request), parts.snapshot.guardrails()) {
                // The flush of a single request is over with it: nothing is counted for it.
                self.answer(parts.snapshot, request, at, Flush::Alone(0), parts.tools)
            } else {
                parts.pen.refused();
                let environment = request.environment_or(&self.options.environment);
                self.unlogged(parts.snapshot, request.request_id, environment, at)
            };
            let nanos = self.clock.moment().since(at.now).nanos();
            if !request.dry_run {
                record::decision(parts.tally, parts.snapshot, &answer, Some(request), nanos);
                self.tell_of_decision(parts.refusals, parts.snapshot, &answer, request, at);
            }
            let taken = Taken { at, nanos, draw, batch: None };
            self.log_decision(parts.pen, parts.snapshot, &answer, Some(request), taken);
            then(answer)
        })
    }

    /// Decides one request; `call` is the flush of those that name none.
    pub(super) fn answer<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &Request<'a>,
        at: At,
        call: Flush<'a>,
        tools: &mut Tools,
    ) -> Answer<'a> {
        let Some(serving) = &snapshot.serving else {
            let decision = self.without_bundle(snapshot, request, at);
            let decided = Decided { decision, verdict: Verdict::default(), read: Read::default() };
            return self.finish(snapshot, request, at, decided);
        };
        let decided = self.desk(snapshot, serving).authorize(request, at, call, &mut self.grants(at), tools);
        self.finish(snapshot, request, at, decided)
    }

    /// Denies: no guardrails are known that could hold an action that a stop lets pass.
    pub(super) fn without_bundle<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &Request<'a>,
        at: At,
    ) -> Decision<'a> {
        let environment = request.environment_or(&self.options.environment);
        let stopped = snapshot.stops.deny(request, environment, at.now);
        stopped.unwrap_or_else(|| deny(ReasonCode::NoBundle, NO_BUNDLE, environment))
    }

    /// Adds to a decision what the engine cannot know.
    pub(super) fn finish<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &Request<'a>,
        at: At,
        Decided { decision, verdict, read }: Decided<'a>,
    ) -> Answer<'a> {
        let decision_id = mark::with_errors(self.clock.decision_id(at.wall), decision.has_errors());
        let decision_id = self.sampled(decision_id, &decision);
        let (decision, approval) = self.with_approval(request, decision, decision_id, at.wall);
        let mut answer = Answer {
            decision_id,
            request_id: request.request_id,
            decided_at: at.wall,
            arm: snapshot.arm_of(decision.reason_code),
            bundle: snapshot.bundle(),
            decision,
            verdict,
            approval,
            read,
        };
        if !request.dry_run {
            self.open(&mut answer, at);
        }
        answer
    }
}
