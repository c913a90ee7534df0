//! RetryDecision: whether and when an action that failed is tried again (design 2.2).

use tollgate_engine::decide::{BadCost, Request};
use tollgate_engine::guardrail::retry::{Attempt, Plan};
use tollgate_engine::id::GuardrailName;
use tollgate_engine::model::ReasonCode;

use super::answer::{Arm, BundleRef};
use super::local::Parts;
use super::{DataPlane, local};

/// Whether and when to try again.
#[derive(Clone, Copy, Debug)]
pub struct RetryAnswer<'a> {
    /// Whether and when.
    pub plan: Plan,
    /// The policy that was followed.
    pub policy: Option<&'a GuardrailName>,
    /// Why, in an operator's words, where one has stopped such actions.
    pub stopped: Option<&'a str>,
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
        local::with(self, |Parts { snapshot, tools, pen, .. }| {
            let environment = request.environment_or(&self.options.environment);
            let at = self.at();
            let stopped = snapshot.stops.deny(request, environment, at.now).map(|denied| denied.reason);
            let draw = tools.draw.state();
            pen.done();
            let has_room = pen.has_room(Some(request), 0);
            let (plan, policy) = match &snapshot.serving {
                _ if !has_room => {
                    pen.refused();
                    (Plan::Fail(ReasonCode::LogUnavailable), None)
                }
                _ if stopped.is_some() => (Plan::Fail(ReasonCode::EmergencyStop), None),
                Some(serving) => {
                    let answer = self.desk(snapshot, serving).retry(request, attempt, at, tools);
                    let answer = answer.map_err(BadCostName::of)?;
                    (answer.plan, answer.policy.map(|guard| &guard.name))
                }
                None => (Plan::Fail(ReasonCode::NoBundle), None),
            };
            self.outcomes.retried(plan.verdict());
            let arm = if stopped.is_some() { Arm::Builtin } else { snapshot.arm() };
            let stopped = stopped.filter(|_| has_room);
            let answer = RetryAnswer { plan, policy, stopped, environment, arm, bundle: snapshot.bundle() };
            self.log_retry(pen, snapshot, &answer, (request, attempt), (at, draw));
            Ok(then(answer))
        })
    }
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
