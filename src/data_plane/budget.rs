//! Budget: the limits in force for a request, and what is left of them.

use tollgate_engine::decide::Request;
use tollgate_engine::guardrail::verdict::Limit;

use super::answer::{Arm, BundleRef};
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
            let verdict =
                self.desk(snapshot, serving).budget(request, self.at(), tools).map_err(BadCostName::of)?;
            Ok(answer(&verdict.limits))
        })
    }
}
