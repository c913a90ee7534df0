//! The same decision with the account of every rule and guardrail.

use tollgate_engine::decide::{Decided, GuardrailTrace, Read, Request, RuleTrace};
use tollgate_engine::guardrail::Verdict;

use super::answer::Answer;
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
                    let desk = self.desk(snapshot, serving);
                    let told = desk.explain(&request, at, &mut self.grants(at), tools);
                    (told.decided, told.rules, told.guardrails)
                }
                None => {
                    let decision = self.without_bundle(snapshot, &request, at);
                    let (verdict, read) = (Verdict::default(), Read::default());
                    (Decided { decision, verdict, read }, Vec::new(), Vec::new())
                }
            };
            then(self.finish(snapshot, &request, at, decided), rules, guardrails)
        })
    }
}
