//! What a caller reports about an action that it was allowed (design 2.1, 2.2).

use tollgate_engine::guardrail::At;
use tollgate_engine::guardrail::open::{Once, Renewed, Reported as Settled};
use tollgate_engine::guardrail::report::Outcome;
use tollgate_engine::guardrail::settle::HORIZON;
use tollgate_engine::unit::Span;
use uuid::Uuid;

use super::answer::Arm;
use super::{DataPlane, local, mark};

/// What is kept of a decision until it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Kept {
    /// Which bundle decided.
    pub arm: Arm,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reported {
    /// It is the first of its decision, and counts.
    Applied,
    /// The decision was reported before.
    Duplicate,
    /// The leases that the decision still holds run anew; the shortest of them.
    Renewed(Span),
    /// Nobody knows the decision, it was no ALLOW, or it is too long ago.
    Unknown,
}

impl Reported {
    /// The name in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "APPLIED",
            Self::Duplicate => "DUPLICATE",
            Self::Renewed(_) => "RENEWED",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl DataPlane {
    /// Settles a decision with how its action ended, the first time that it is reported.
    pub fn report(&self, decision: Uuid, outcome: &Outcome) -> Reported {
        let reported = local::with(self, |parts| {
            let (at, id) = (self.at(), decision.as_u128());
            let guards = &parts.snapshot.guards;
            let reported = match self.open.report(&self.live.ledger, guards, id, outcome, at) {
                Settled::Applied(kept, _, events) => {
                    self.outcomes.ended(kept.arm.name(), outcome, mark::has_errors(decision));
                    self.happened(guards, &events);
                    Reported::Applied
                }
                Settled::Duplicate => Reported::Duplicate,
                Settled::Unknown => self.took_nothing(decision, outcome, at),
            };
            self.log_report(parts.pen, decision, Some(outcome), reported, at);
            reported
        });
        self.outcomes.reported(reported.name());
        reported
    }

    /// The report of a decision that is not kept: that of an action which took nothing says so
    /// itself.
    fn took_nothing(&self, decision: Uuid, outcome: &Outcome, at: At) -> Reported {
        let Some(age) = self.mark.age(decision, at.wall, HORIZON) else { return Reported::Unknown };
        match self.open.settle_once(decision.as_u128(), at.now.before(age), at.now) {
            Once::First => {
                self.outcomes.ended(Arm::Stable.name(), outcome, mark::has_errors(decision));
                Reported::Applied
            }
            Once::Before => Reported::Duplicate,
            Once::Unknown => Reported::Unknown,
        }
    }

    /// Renews the leases of an action that still runs.
    pub fn renew(&self, decision: Uuid) -> Reported {
        let reported = local::with(self, |parts| {
            let (guards, at) = (&parts.snapshot.guards, self.at());
            let reported = match self.open.renew(&self.live.ledger, guards, decision.as_u128(), at.now) {
                Renewed::Renewed(shortest) => Reported::Renewed(shortest),
                Renewed::Duplicate => Reported::Duplicate,
                Renewed::Unknown => Reported::Unknown,
            };
            self.log_report(parts.pen, decision, None, reported, at);
            reported
        });
        self.outcomes.reported(reported.name());
        reported
    }
}
