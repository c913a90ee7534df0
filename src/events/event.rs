//! The kinds of events, and what each of them says.

use tollgate_engine::model::ReasonCode;
use uuid::Uuid;

/// Something that happened. `docs/events.md` has a row for each kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A guardrail refused or a rule denied.
    Triggered(Triggered),
    /// A breaker went from one state to another.
    Breaker {
        /// What it became.
        to: Breaker,
        /// What it was, by the name of the state.
        from: &'static str,
        /// Which key of which guardrail.
        of: KeyOf,
    },
    /// A key that refused somebody admits again.
    ThrottleCleared(KeyOf),
    /// A guardrail came, went or was operated.
    Guardrail {
        /// What became of it.
        change: GuardrailChange,
        /// Its name.
        guardrail: Box<str>,
        /// The key that was operated; `None`: all of it.
        key: Option<Box<str>>,
        /// Which operator it was, in their own words; nothing where it was a bundle.
        operator: Operator,
    },
    /// A bundle was put in force.
    BundleSwapped {
        /// Its version.
        version: Box<str>,
        /// Its digest.
        digest: Box<str>,
        /// The version and the digest of the one before; `None` for the first of the process.
        before: Option<(Box<str>, Box<str>)>,
    },
    /// A question to people was asked, answered or given up.
    Approval(Approval),
    /// An emergency stop was set, cleared, or is over.
    Stop(Stop),
    /// The decision log cannot be written, for this reason; or, without one, it can be again.
    DecisionLog {
        /// Why it cannot.
        failing: Option<Box<str>>,
    },
}

/// A guardrail refused or a rule denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triggered {
    /// Who refused.
    pub source: Source<Box<str>>,
    /// The name of the effect: `DENY` or `THROTTLE`.
    pub effect: &'static str,
    /// Why.
    pub reason_code: ReasonCode,
    /// Which decision it was.
    pub decision_id: Uuid,
    /// The tenant that asked, or nothing.
    pub tenant: Box<str>,
    /// The agent that asked, or nothing.
    pub agent: Box<str>,
    /// What it asked for.
    pub action: Box<str>,
}

/// Who refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<N, K = N> {
    /// A rule, by its id.
    Rule(N),
    /// A guardrail.
    Guardrail {
        /// Its name.
        name: N,
        /// The key that is full.
        key: K,
    },
}

/// Who did something by hand, and why, as they gave it; either may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operator {
    /// Who.
    pub by: Box<str>,
    /// Why.
    pub reason: Box<str>,
}

/// Which key of which guardrail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyOf {
    /// The guardrail's name.
    pub guardrail: Box<str>,
    /// The key: its values between slashes, or the digest of one that is long.
    pub key: Box<str>,
    /// The tenant that the key is of, where the guardrail counts tenants apart.
    pub tenant: Option<Box<str>>,
}

/// What a breaker became by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breaker {
    /// It refuses until its cooldown is over.
    Opened,
    /// It lets probes through.
    HalfOpen,
    /// It admits again.
    Closed,
}

/// What became of a guardrail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuardrailChange {
    /// A new bundle brought it.
    Added,
    /// A new bundle says something else of it.
    Changed,
    /// A new bundle has it no longer.
    Removed,
    /// An operator forced a breaker open.
    ForcedOpen,
    /// An operator closed a breaker.
    Closed,
    /// An operator made a breaker admit everything.
    Disabled,
    /// An operator emptied it.
    Reset,
}

/// What became of an emergency stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopChange {
    /// An operator set it.
    Set,
    /// An operator ended it.
    Cleared,
    /// Its time is over.
    Expired,
}

/// An emergency stop, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What became of it.
    pub change: StopChange,
    /// Its id.
    pub stop_id: Uuid,
    /// What it is about, as it was written.
    pub selector: Box<str>,
    /// The name of what it does: `DENY` or `ALLOW`.
    pub effect: &'static str,
    /// Why it was set.
    pub reason: Box<str>,
    /// Who set or cleared it, or nothing.
    pub by: Box<str>,
}

/// Where a question to people stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Where it stands now.
    pub state: ApprovalState,
    /// The id of the approval.
    pub approval_id: Uuid,
    /// The rule that asks.
    pub rule_id: Box<str>,
    /// The decision that asked, where it is known.
    pub decision_id: Option<Uuid>,
    /// The tenant that asked, or nothing.
    pub tenant: Box<str>,
    /// The agent that asked, or nothing.
    pub agent: Box<str>,
    /// What it asked for.
    pub action: Box<str>,
}

/// Where a question to people stands, as `WaitApproval` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApprovalState {
    /// It was asked.
    Pending,
    /// Enough people agreed.
    Granted,
    /// Somebody said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// What was asked is not asked any longer.
    Void,
}

macro_rules! kinds {
    ($($(#[doc = $help:literal])+ $kind:ident $name:literal,)*) => {
        /// The type of an event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[doc = $help])+ $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// A guardrail refused or a rule denied.
    PolicyTriggered "policy.triggered",
    /// A breaker opened.
    BreakerOpened "breaker.opened",
    /// A breaker lets probes through.
    BreakerHalfOpen "breaker.half_open",
    /// A breaker closed.
    BreakerClosed "breaker.closed",
    /// A key that refused somebody admits again.
    ThrottleCleared "throttle.cleared",
    /// A new bundle brought a guardrail.
    GuardrailAdded "guardrail.added",
    /// A new bundle changed a guardrail.
    GuardrailChanged "guardrail.changed",
    /// A new bundle has a guardrail no longer.
    GuardrailRemoved "guardrail.removed",
    /// An operator forced a breaker open.
    GuardrailForcedOpen "guardrail.forced_open",
    /// An operator closed a breaker.
    GuardrailClosed "guardrail.closed",
    /// An operator disabled a breaker.
    GuardrailDisabled "guardrail.disabled",
    /// An operator emptied a guardrail.
    GuardrailReset "guardrail.reset",
    /// A bundle was put in force.
    BundleSwapped "bundle.swapped",
    /// People are asked.
    ApprovalPending "approval.pending",
    /// Enough people agreed.
    ApprovalGranted "approval.granted",
    /// Somebody said no.
    ApprovalDenied "approval.denied",
    /// Nobody answered in time.
    ApprovalExpired "approval.expired",
    /// What was asked is not asked any longer.
    ApprovalVoid "approval.void",
    /// An operator set an emergency stop.
    StopSet "stop.set",
    /// An operator ended an emergency stop.
    StopCleared "stop.cleared",
    /// The time of an emergency stop is over.
    StopExpired "stop.expired",
    /// The decision log cannot be written.
    LogFailing "decision_log.failing",
    /// The decision log can be written again.
    LogRecovered "decision_log.recovered",
}

impl Event {
    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Triggered(_) => Kind::PolicyTriggered,
            Self::Breaker { to, .. } => match to {
                Breaker::Opened => Kind::BreakerOpened,
                Breaker::HalfOpen => Kind::BreakerHalfOpen,
                Breaker::Closed => Kind::BreakerClosed,
            },
            Self::ThrottleCleared(_) => Kind::ThrottleCleared,
            Self::Guardrail { change, .. } => match change {
                GuardrailChange::Added => Kind::GuardrailAdded,
                GuardrailChange::Changed => Kind::GuardrailChanged,
                GuardrailChange::Removed => Kind::GuardrailRemoved,
                GuardrailChange::ForcedOpen => Kind::GuardrailForcedOpen,
                GuardrailChange::Closed => Kind::GuardrailClosed,
                GuardrailChange::Disabled => Kind::GuardrailDisabled,
                GuardrailChange::Reset => Kind::GuardrailReset,
            },
            Self::BundleSwapped { .. } => Kind::BundleSwapped,
            Self::Approval(approval) => match approval.state {
                ApprovalState::Pending => Kind::ApprovalPending,
                ApprovalState::Granted => Kind::ApprovalGranted,
                ApprovalState::Denied => Kind::ApprovalDenied,
                ApprovalState::Expired => Kind::ApprovalExpired,
                ApprovalState::Void => Kind::ApprovalVoid,
            },
            Self::Stop(stop) => match stop.change {
                StopChange::Set => Kind::StopSet,
                StopChange::Cleared => Kind::StopCleared,
                StopChange::Expired => Kind::StopExpired,
            },
            Self::DecisionLog { failing: Some(_) } => Kind::LogFailing,
            Self::DecisionLog { failing: None } => Kind::LogRecovered,
        }
    }

    /// The guardrail that it is about.
    #[must_use]
    pub fn guardrail(&self) -> Option<&str> {
        match self {
            Self::Triggered(Triggered { source: Source::Guardrail { name, .. }, .. }) => Some(name),
            Self::Breaker { of, .. } | Self::ThrottleCleared(of) => Some(&of.guardrail),
            Self::Guardrail { guardrail, .. } => Some(guardrail),
            Self::Triggered(_)
            | Self::BundleSwapped { .. }
            | Self::Approval(_)
            | Self::Stop(_)
            | Self::DecisionLog { .. } => None,
        }
    }

    /// The tenant that it is about.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        let tenant = match self {
            Self::Triggered(triggered) => Some(&*triggered.tenant),
            Self::Approval(approval) => Some(&*approval.tenant),
            Self::Breaker { of, .. } | Self::ThrottleCleared(of) => of.tenant.as_deref(),
            Self::Guardrail { .. }
            | Self::BundleSwapped { .. }
            | Self::Stop(_)
            | Self::DecisionLog { .. } => None,
        };
        tenant.filter(|tenant| !tenant.is_empty())
    }

    /// Shows what it says, field by field; fields that are empty are left out.
    pub fn each_field(&self, show: &mut dyn FnMut(&'static str, &str)) {
        let mut show = |name, text: &str| {
            if !text.is_empty() {
                show(name, text);
            }
        };
        show("guardrail", self.guardrail().unwrap_or_default());
        show("tenant", self.tenant().unwrap_or_default());
        match self {
            Self::Triggered(triggered) => triggered.each_field(&mut show),
            Self::Breaker { from, of, .. } => {
                show("key", &of.key);
                show("from", from);
            }
            Self::ThrottleCleared(of) => show("key", &of.key),
            Self::Guardrail { key, operator, .. } => {
                show("key", key.as_deref().unwrap_or_default());
                show("reason", &operator.reason);
                show("by", &operator.by);
            }
            Self::BundleSwapped { version, digest, before } => {
                show("version", version);
                show("digest", digest);
                if let Some((version, digest)) = before {
                    show("previous_version", version);
                    show("previous_digest", digest);
                }
            }
            Self::Approval(approval) => approval.each_field(&mut show),
            Self::Stop(stop) => stop.each_field(&mut show),
            Self::DecisionLog { failing } => show("why", failing.as_deref().unwrap_or_default()),
        }
    }
}

impl Triggered {
    fn each_field(&self, show: &mut impl FnMut(&'static str, &str)) {
        match &self.source {
            Source::Rule(id) => show("rule_id", id),
            Source::Guardrail { key, .. } => show("key", key),
        }
        show("effect", self.effect);
        show("reason_code", self.reason_code.name());
        show("decision_id", &self.decision_id.to_string());
        show("agent", &self.agent);
        show("action", &self.action);
    }
}

impl Stop {
    fn each_field(&self, show: &mut impl FnMut(&'static str, &str)) {
        show("stop_id", &self.stop_id.to_string());
        show("selector", &self.selector);
        show("effect", self.effect);
        show("reason", &self.reason);
        show("by", &self.by);
    }
}

impl Approval {
    fn each_field(&self, show: &mut impl FnMut(&'static str, &str)) {
        show("approval_id", &self.approval_id.to_string());
        show("rule_id", &self.rule_id);
        if let Some(id) = self.decision_id {
            show("decision_id", &id.to_string());
        }
        show("agent", &self.agent);
        show("action", &self.action);
    }
}
