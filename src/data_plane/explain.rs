//! The same decision with the account of every rule.

use tollgate_engine::decide::{self, Grant, Request, RuleTrace};
use tollgate_engine::guardrail::Verdict;
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::model::ReasonCode;

use super::answer::{Answer, deny};
use super::approval::Ruled;
use super::authorize::NO_BUNDLE;
use super::guarding::flush;
use super::{DataPlane, local};

impl DataPlane {
    /// Decides as [`DataPlane::authorize`] would, and says of every rule how it fared. Looks
    /// only: nothing is counted, no approval is opened.
    pub fn explain<R>(
        &self,
        request: &Request<'_>,
        then: impl FnOnce(Answer<'_>, Vec<RuleTrace<'_>>) -> R,
    ) -> R {
        local::with(self, |parts| {
            let at = self.at();
            let request = Request { dry_run: true, ..*request };
            let servers = self.options.environment.as_str();
            let Some(serving) = &parts.snapshot.serving else {
                let environment = request.environment_or(servers);
                let decision = deny(ReasonCode::NoBundle, NO_BUNDLE, environment);
                return then(
                    self.finish(parts.snapshot, &request, at, decision, Verdict::default()),
                    Vec::new(),
                );
            };
            let Ruled { mut decision, granted } =
                self.by_rules(serving, &request, at, &mut parts.tools.scratch);
            let grant = granted.map_or(Grant::None, |granted| Grant::Accepted(granted.rule));
            let request = Request { grant, ..request };
            let usage = self.usage(serving, &request, at);
            let told = decide::explain(
                &serving.compiled,
                &request,
                servers,
                at.wall,
                usage.as_ref(),
                &mut parts.tools.scratch,
            );
            let flush = flush(&request, Flush::Alone(0));
            let verdict = self.guard(serving, &request, &mut decision, granted, at, flush, parts.tools);
            then(self.finish(parts.snapshot, &request, at, decision, verdict), told.rules)
        })
    }
}
