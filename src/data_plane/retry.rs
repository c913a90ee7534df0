//! RetryDecision: whether and when an action that failed is tried again (design 2.2).

use tollgate_engine::decide::{BadCost, Request, Visit, find_guardrails};
use tollgate_engine::guardrail::Facts;
use tollgate_engine::guardrail::budget::Expected;
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::retry::{Attempt, Plan};
use tollgate_engine::id::GuardrailName;
use tollgate_engine::model::{Estimate, ReasonCode};

use super::answer::{Arm, BundleRef};
use super::guarding::flush;
use super::local::{Parts, Tools};
use super::snapshot::{Serving, Snapshot};
use super::{DataPlane, local};

/// Whether and when to try again.
#[derive(Clone, Copy, Debug)]
pub struct RetryAnswer<'a> {
    /// Whether and when.
    pub plan: Plan,
    /// The policy that was followed.
    pub policy: Option<&'a GuardrailName>,
    /// The environment it was decided in.
    pub environment: &'a str,
    /// Which bundle decided.
    pub arm: Arm,
    /// That bundle; `None` when there is none.
    pub bundle: Option<BundleRef<'a>>,
}

impl DataPlane {
    /// Plans a retry, and gives the answer to `then`. Only a retry that is granted is counted.
    ///
    /// # Errors
    /// The request field that says what the action costs is no number of units.
    pub fn retry<R>(
        &self,
        request: &Request<'_>,
        attempt: &Attempt,
        then: impl FnOnce(RetryAnswer<'_>) -> R,
    ) -> Result<R, BadCostName> {
        local::with(self, |Parts { snapshot, tools, .. }| {
            let environment = request.environment_or(&self.options.environment);
            let (plan, policy) = match &snapshot.serving {
                Some(serving) => {
                    self.plan(serving, request, environment, attempt, tools).map_err(BadCostName::of)?
                }
                None => (Plan::Fail(ReasonCode::NoBundle), None),
            };
            self.outcomes.retried(verdict(plan));
            Ok(then(told(snapshot, plan, policy, environment)))
        })
    }

    fn plan<'a>(
        &'a self,
        serving: &'a Serving,
        request: &Request<'a>,
        environment: &'a str,
        attempt: &Attempt,
        tools: &mut Tools,
    ) -> Result<(Plan, Option<&'a GuardrailName>), BadCost<'a>> {
        let at = self.at();
        find_guardrails(&serving.compiled, request, &self.options.environment, &mut tools.scratch);
        let call = flush(request, Flush::Alone(0));
        let visit = Visit { guards: &serving.guards, environment, flush: call };
        let mut asks = std::mem::take(&mut tools.asks).recycle();
        let looked = visit.look(request, &tools.scratch, &mut tools.draw, &mut asks);
        let timeout = visit.timeout(&tools.scratch);
        let facts = Facts {
            expected: Expected {
                kind: request.action.kind(),
                estimate: request.estimate,
                rule: Estimate::default(),
                timeout,
            },
            first_attempt: false,
        };
        let answer = looked.map(|()| self.live.ledger.retry(&asks, &facts, attempt, at, &mut tools.draw));
        tools.asks = asks.recycle();
        answer.map(|answer| (answer.plan, answer.policy.map(|guard| &guard.name)))
    }
}

/// The verdict, as the wire names it.
#[must_use]
pub const fn verdict(plan: Plan) -> &'static str {
    match plan {
        Plan::Again { delay, .. } if delay.nanos() == 0 => "RETRY",
        Plan::Again { .. } => "RETRY_AFTER",
        Plan::Fail(_) => "FAIL",
    }
}

fn told<'a>(
    snapshot: &'a Snapshot,
    plan: Plan,
    policy: Option<&'a GuardrailName>,
    environment: &'a str,
) -> RetryAnswer<'a> {
    RetryAnswer { plan, policy, environment, arm: snapshot.arm(), bundle: snapshot.bundle() }
}

/// The name of a field whose value is no number of units.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: a rate limit reads its cost here; send a whole number from 0 to 2^53")]
pub struct BadCostName {
    /// The field of the request.
    pub field: String,
}

impl BadCostName {
    /// The name of this field.
    #[must_use]
    pub fn of(bad: BadCost<'_>) -> Self {
        Self { field: bad.path.to_string() }
    }
}
