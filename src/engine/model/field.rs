//! The request's own fields: what rules and conditions can name without the context.

/// One field of a request outside its context (design 1.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `subject.agent`
    Agent,
    /// `subject.user`
    User,
    /// `subject.tenant`
    Tenant,
    /// `subject.app`
    App,
    /// `subject.workflow`
    Workflow,
    /// `subject.run`
    Run,
    /// `subject.roles`, a list
    Roles,
    /// `action.name`
    Action,
    /// `action.kind`
    Kind,
    /// `action.tool`
    Tool,
    /// `action.provider`
    Provider,
    /// `action.model`
    Model,
    /// `action.pipeline`
    Pipeline,
    /// `action.stage`
    Stage,
    /// `action.handler`
    Handler,
    /// `action.tags`, a list
    Tags,
    /// `environment`
    Environment,
    /// `mode`
    Mode,
    /// `phase`
    Phase,
    /// `priority`, a number
    Priority,
    /// `attempt`, a number
    Attempt,
    /// `estimate.cost`, a number
    EstimateCost,
    /// `estimate.tokens`, a number
    EstimateTokens,
    /// `estimate.compute`, a number
    EstimateCompute,
    /// `estimate.duration`, in seconds
    EstimateDuration,
}

impl Field {
    /// Every field with the bare name that conditions use.
    pub const ALL: [(&'static str, Self); 25] = [
        ("agent", Self::Agent),
        ("user", Self::User),
        ("tenant", Self::Tenant),
        ("app", Self::App),
        ("workflow", Self::Workflow),
        ("run", Self::Run),
        ("roles", Self::Roles),
        ("action", Self::Action),
        ("kind", Self::Kind),
        ("tool", Self::Tool),
        ("provider", Self::Provider),
        ("model", Self::Model),
        ("pipeline", Self::Pipeline),
        ("stage", Self::Stage),
        ("handler", Self::Handler),
        ("tags", Self::Tags),
        ("environment", Self::Environment),
        ("mode", Self::Mode),
        ("phase", Self::Phase),
        ("priority", Self::Priority),
        ("attempt", Self::Attempt),
        ("estimate.cost", Self::EstimateCost),
        ("estimate.tokens", Self::EstimateTokens),
        ("estimate.compute", Self::EstimateCompute),
        ("estimate.duration", Self::EstimateDuration),
    ];

    /// The field of this bare name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, field)| *field)
    }

    /// The bare name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, f)| *f == self).map_or("", |(name, _)| name)
    }

    /// Its place among all fields, from 0.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Whether it is a list of texts.
    #[must_use]
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Roles | Self::Tags)
    }
}
