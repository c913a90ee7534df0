//! The same decision with the account of every rule.

use tollgate_engine::decide::{self, Request, RuleTrace};
use tollgate_engine::model::ReasonCode;

use super::answer::{Answer, deny};
use super::authorize::NO_BUNDLE;
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
            let now = self.clock.wall();
            let request = Request { dry_run: true, ..*request };
            let servers = self.options.environment.as_str();
            let (decision, rules) = match &parts.snapshot.serving {
                Some(serving) => {
                    let bundle = &serving.compiled;
                    let told = decide::explain(bundle, &request, servers, now, parts.scratch);
                    (told.decision, told.rules)
                }
                None => {
                    let environment = request.environment_or(servers);
                    (deny(ReasonCode::NoBundle, NO_BUNDLE, environment), Vec::new())
                }
            };
            then(self.finish(parts.snapshot, &request, now, decision), rules)
        })
    }
}
