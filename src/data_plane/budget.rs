//! Budget: the limits in force for a request, and what is left of them.

use tollgate_engine::decide::{Request, Visit, find_guardrails};
use tollgate_engine::guardrail::Facts;
use tollgate_engine::guardrail::budget::Expected;
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::verdict::Limit;

use super::answer::{Arm, BundleRef};
use super::guarding::flush;
use super::local::Parts;
use super::retry::BadCostName;
use super::{DataPlane, local};

/// The limits in force for a request.
#[derive(Debug)]
pub struct BudgetAnswer<'a> {
    /// What is left, by name.
    pub limits: &'a [Limit<'a>],
    /// The environment it was read in.
    pub environment: &'a str,
    /// Which bundle says so.
    pub arm: Arm,
    /// That bundle; `None` when there is none.
    pub bundle: Option<BundleRef<'a>>,
}

impl DataPlane {
    /// Looks how the guardrails that are about a request stand, and gives that to `then`. Charges
    /// nothing.
    ///
    /// # Errors
    /// The request field that says what the action costs is no number of units.
    pub fn budget<R>(
        &self,
        request: &Request<'_>,
        then: impl FnOnce(BudgetAnswer<'_>) -> R,
    ) -> Result<R, BadCostName> {
        local::with(self, |Parts { snapshot, tools, .. }| {
            let environment = request.environment_or(&self.options.environment);
            let answer = |limits: &[Limit<'_>]| {
                let (arm, bundle) = (snapshot.arm(), snapshot.bundle());
                then(BudgetAnswer { limits, environment, arm, bundle })
            };
            let Some(serving) = &snapshot.serving else { return Ok(answer(&[])) };
            find_guardrails(&serving.compiled, request, &self.options.environment, &mut tools.scratch);
            let call = flush(request, Flush::Alone(0));
            let visit = Visit { guards: &serving.guards, environment, flush: call };
            let mut asks = std::mem::take(&mut tools.asks).recycle();
            let draw = &mut tools.draw;
            visit.look(request, &tools.scratch, draw, &mut asks).map_err(BadCostName::of)?;
            let facts = Facts { expected: Expected::nothing(), first_attempt: false };
            let verdict = self.live.ledger.peek(&asks, &facts, self.at(), draw);
            tools.asks = asks.recycle();
            Ok(answer(&verdict.limits))
        })
    }
}
