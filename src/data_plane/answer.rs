//! What a caller of the data plane gets.

use tollgate_engine::decide::{Answer as Effect, Decision, Read};
use tollgate_engine::guardrail::Verdict;
use tollgate_engine::model::{Disposition, Estimate, ReasonCode};
use tollgate_engine::time::WallTime;
use uuid::Uuid;

/// Which bundle decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Arm {
    /// The bundle in force.
    Stable,
    /// None: there is no bundle yet.
    Builtin,
}

impl Arm {
    /// The name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stable => "STABLE",
            Self::Builtin => "BUILTIN",
        }
    }
}

/// A decision with what the engine cannot know: its id, its time, whose bundle it was.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The id of this decision, a UUID of version 7.
    pub decision_id: Uuid,
    /// The request's own id, given back.
    pub request_id: &'a str,
    /// When it was decided.
    pub decided_at: WallTime,
    /// Which bundle decided.
    pub arm: Arm,
    /// That bundle; `None` when there is none.
    pub bundle: Option<BundleRef<'a>>,
    /// What was decided.
    pub decision: Decision<'a>,
    /// What the guardrails said.
    pub verdict: Verdict<'a>,
    /// What people are asked; only where the decision requires an approval.
    pub approval: Option<OpenApproval<'a>>,
    /// What the rules read besides the request.
    pub read: Read<'a>,
}

/// The identity of the bundle that decided.
#[derive(Clone, Copy, Debug)]
pub struct BundleRef<'a> {
    /// Its semantic version.
    pub version: &'a str,
    /// Its digest.
    pub digest: &'a str,
    /// Whether newer content exists that could not be used.
    pub stale: bool,
}

/// A question to people.
#[derive(Clone, Debug)]
pub struct OpenApproval<'a> {
    /// Its id, to wait on; none for a dry run.
    pub id: Option<Uuid>,
    /// When it was opened; none for a dry run.
    pub opened_at: Option<WallTime>,
    /// Until when it may be answered; none for a dry run.
    pub expires_at: Option<WallTime>,
    /// How many different people must agree.
    pub approvers: u32,
    /// The role they need.
    pub role: &'a str,
    /// How often their grant may be used.
    pub uses: u32,
    /// What they agree to: the digest that a grant is bound to.
    pub request_digest: String,
    /// Who asks: a grant holds for this instance only.
    pub instance: Uuid,
}

impl Answer<'_> {
    /// Whether the action may run.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self.decision.answer, Effect::Allow(_))
    }

    /// The name of the effect in logs and metrics.
    #[must_use]
    pub const fn effect_name(&self) -> &'static str {
        match self.decision.answer {
            Effect::Allow(_) => "ALLOW",
            Effect::Deny(_) => "DENY",
            Effect::RequireApproval(_) => "REQUIRE_APPROVAL",
            Effect::Throttle(_) => "THROTTLE",
        }
    }
}

/// A deny that no bundle speaks.
pub(super) const fn deny<'a>(reason_code: ReasonCode, reason: &'a str, environment: &'a str) -> Decision<'a> {
    Decision {
        answer: Effect::Deny(Disposition::Raise),
        reason_code,
        reason,
        rule: None,
        guardrail: None,
        estimate: Estimate { cost: None, compute: None, risk: None },
        bad_cost: None,
        environment,
        other_errors: 0,
        context_violations: 0,
    }
}
