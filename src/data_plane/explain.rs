//! The same decision with the account of every rule and guardrail.

use tollgate_engine::decide::{Decided, GuardrailTrace, Request, RuleTrace};
use tollgate_engine::guardrail::Verdict;
use tollgate_engine::model::ReasonCode;

use super::answer::{Answer, deny};
use super::authorize::NO_BUNDLE;
use super::local::Parts;
use super::{DataPlane, local};

impl DataPlane {
    /// Decides as [`DataPlane::authorize`] would, and says of every rule and guardrail how it fared. Looks
    /// only: nothing is counted, no approval is opened.
    pub fn explain<R>(
        &self,
        request: &Request<'_>,
        then: impl FnOnce(Answer<'_>, Vec<RuleTrace<'_>>, Vec<GuardrailTrace<'_>>) -> R,
    ) -> R {
        local::with(self, |Parts { snapshot, tools, .. }| {
            let at = self.at();
            let request = Request { dry_run: true, ..*request };
            let (decided, rules, guardrails) = match &snapshot.serving {
                Some(serving) => {
                    let told = self.desk(serving).explain(&request, at, &mut self.grants(at), tools);
                    (told.decided, told.rules, told.guardrails)
                }
                None => {
                    let environment = request.environment_or(&self.options.environment);
                    let decision = deny(ReasonCode::NoBundle, NO_BUNDLE, environment);
                    (Decided { decision, verdict: Verdict::default() }, Vec::new(), Vec::new())
                }
            };
            then(self.finish(snapshot, &request, at, decided), rules, guardrails)
        })
    }
}
