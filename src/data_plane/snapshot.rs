//! What serving threads read: swapped whole, never changed.

use std::sync::Arc;

use serde::Serialize;
use tollgate_engine::compile::Compiled;
use tollgate_engine::decide::Stops;
use tollgate_engine::guardrail::{Guard, Guards};
use tollgate_engine::model::ReasonCode;
use tollgate_engine::time::WallTime;

use super::answer::{Arm, BundleRef};

/// The state of the process towards its bundle (design 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// No bundle yet: every decision is a deny.
    NotReady,
    /// The newest content serves.
    Ready,
    /// The newest content was refused, or is not there; the last good bundle serves.
    ReadyLkg,
}

/// All that a decision depends on besides the request.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// The bundle that serves.
    pub serving: Option<Arc<Serving>>,
    /// Every guardrail that is live, by number.
    pub guards: Arc<Guards>,
    /// What operators have stopped.
    pub stops: Arc<Stops>,
}

/// A bundle in force.
#[derive(Debug)]
pub struct Serving {
    /// The bundle as requests read it.
    pub compiled: Compiled,
    /// Its guardrails as requests meet them, in its order; `None` for those that are not live.
    pub guards: Vec<Option<Arc<Guard>>>,
    /// Its semantic version, as text.
    pub version: String,
    /// Its digest, as text.
    pub digest: String,
    /// Where it came from.
    pub source: String,
    /// When it was put in force.
    pub loaded_at: WallTime,
    /// The same, by the clock that never goes back.
    pub loaded_at_monotonic: u64,
    /// What its records in the decision log are read with.
    pub edition: u32,
}

impl Snapshot {
    /// No bundle.
    #[must_use]
    pub fn empty() -> Self {
        Self { state: State::NotReady, serving: None, guards: Arc::default(), stops: Arc::default() }
    }

    /// How many guardrails may be about a request.
    #[must_use]
    pub fn guardrails(&self) -> usize {
        self.serving.as_ref().map_or(0, |serving| serving.guards.len())
    }

    /// Which bundle decides.
    #[must_use]
    pub const fn arm(&self) -> Arm {
        match self.serving {
            Some(_) => Arm::Stable,
            None => Arm::Builtin,
        }
    }

    /// Which bundle took a decision with this reason.
    #[must_use]
    pub fn arm_of(&self, reason: ReasonCode) -> Arm {
        if reason == ReasonCode::EmergencyStop { Arm::Builtin } else { self.arm() }
    }

    /// Whether these are labels that the bundle in force gives to decisions.
    #[must_use]
    pub fn names(&self, agent: &str, action: &str) -> bool {
        self.serving.as_ref().is_some_and(|serving| {
            serving.compiled.agent_label(agent) == agent && serving.compiled.action_label(action) == action
        })
    }

    /// The identity of the bundle that decides.
    #[must_use]
    pub fn bundle(&self) -> Option<BundleRef<'_>> {
        self.serving.as_ref().map(|serving| BundleRef {
            version: &serving.version,
            digest: &serving.digest,
            stale: self.state == State::ReadyLkg,
        })
    }
}
