//! One question, one answer.

use tollgate_engine::decide::{self, Answer as Effect, Decision, Grant, Request, Scratch};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::{At, Verdict};
use tollgate_engine::model::ReasonCode;

use super::answer::{Answer, deny};
use super::approval::{Granted, Ruled};
use super::guarding::flush;
use super::local::Tools;
use super::snapshot::{Serving, Snapshot};
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
            let at = self.at();
            // The flush of a single request is over with it: nothing is counted for it.
            let answer = self.answer(parts.snapshot, request, at, Flush::Alone(0), parts.tools);
            let nanos = self.clock.moment().since(at.now).nanos();
            if !request.dry_run {
                record::decision(parts.tally, parts.snapshot, &answer, Some(request), nanos);
            }
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
            let environment = request.environment_or(&self.options.environment);
            let decision = deny(ReasonCode::NoBundle, NO_BUNDLE, environment);
            return self.finish(snapshot, request, at, decision, Verdict::default());
        };
        let Ruled { mut decision, granted } = self.by_rules(serving, request, at, &mut tools.scratch);
        let flush = flush(request, call);
        let verdict = self.guard(serving, request, &mut decision, granted, at, flush, tools);
        self.finish(snapshot, request, at, decision, verdict)
    }

    /// What the rules say, grants considered.
    pub(super) fn by_rules<'a>(
        &'a self,
        serving: &'a Serving,
        request: &Request<'a>,
        at: At,
        scratch: &mut Scratch,
    ) -> Ruled<'a> {
        let usage = self.usage(serving, request, at);
        let servers = self.options.environment.as_str();
        let mut decide = |request: &Request<'a>| {
            decide::authorize(&serving.compiled, request, servers, at.wall, usage.as_ref(), scratch)
        };
        let decision = decide(request);
        let (Effect::RequireApproval(wanted), Some(rule)) = (&decision.answer, decision.rule) else {
            return Ruled { decision, granted: None };
        };
        if request.grants.is_empty() {
            return Ruled { decision, granted: None };
        }
        match self.redeem(request, &decision, rule, wanted, at.wall) {
            Ok(token) => {
                let granted = Some(Granted { token, rule, wanted });
                Ruled { decision: decide(&Request { grant: Grant::Accepted(rule), ..*request }), granted }
            }
            Err(why) => Ruled { decision: approval::refused(decision, why), granted: None },
        }
    }

    /// Adds to a decision what the engine cannot know.
    pub(super) fn finish<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request: &Request<'a>,
        at: At,
        decision: Decision<'a>,
        verdict: Verdict<'a>,
    ) -> Answer<'a> {
        let (decision, approval) = self.with_approval(request, decision, at.wall);
        let mut answer = Answer {
            decision_id: self.clock.decision_id(at.wall),
            request_id: request.request_id,
            decided_at: at.wall,
            arm: snapshot.arm(),
            bundle: snapshot.bundle(),
            decision,
            verdict,
            approval,
        };
        if !request.dry_run {
            self.open(&mut answer, snapshot, at);
        }
        answer
    }
}
