//! What a rule or a guardrail is about (design 1.4): all fields required, the values of one
//! field alternatives.

use super::Field;

/// A list of alternatives for one field. Never empty; a field left out is `None` around it.
pub type Patterns = Vec<Pattern>;

/// A text to compare with, byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// This text and no other.
    Exact(Box<str>),
    /// A glob, checked when it was read: `*`, `?`, `[a-z]`, `{a,b}`, `\` escapes.
    Glob(crate::condition::glob::Glob),
}

/// Which phases a rule or guardrail takes part in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phases {
    /// Only when the action is dispatched: the default.
    Dispatch,
    /// Only when it is enqueued.
    Enqueue,
    /// Both.
    Any,
}

/// What a rule or a guardrail is about. An empty target matches everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// `subject.agent`
    pub agents: Option<Patterns>,
    /// `action.name`
    pub actions: Option<Patterns>,
    /// `action.kind`
    pub kinds: Option<Patterns>,
    /// `action.tool`
    pub tools: Option<Patterns>,
    /// `action.provider`
    pub providers: Option<Patterns>,
    /// `action.model`
    pub models: Option<Patterns>,
    /// `subject.tenant`
    pub tenants: Option<Patterns>,
    /// `subject.app`
    pub apps: Option<Patterns>,
    /// `subject.user`
    pub users: Option<Patterns>,
    /// `subject.workflow`
    pub workflows: Option<Patterns>,
    /// `action.pipeline`
    pub pipeline_ids: Option<Patterns>,
    /// `action.stage`
    pub stage_names: Option<Patterns>,
    /// `action.handler`
    pub stage_handler_names: Option<Patterns>,
    /// `environment`
    pub environments: Option<Patterns>,
    /// The mode that was requested.
    pub modes: Option<Patterns>,
    /// Any of the subject's roles.
    pub roles: Option<Patterns>,
    /// Any of the action's tags.
    pub tags_include: Option<Patterns>,
    /// None of the action's tags.
    pub tags_exclude: Option<Patterns>,
    /// The phases.
    pub phases: Phases,
}

impl Target {
    /// What it asks for, field by field; `None` where it asks nothing. What it excludes is not among them.
    #[must_use]
    pub const fn wanted(&self) -> [(Field, &Option<Patterns>); 17] {
        [
            (Field::Agent, &self.agents),
            (Field::Action, &self.actions),
            (Field::Kind, &self.kinds),
            (Field::Tool, &self.tools),
            (Field::Provider, &self.providers),
            (Field::Model, &self.models),
            (Field::Tenant, &self.tenants),
            (Field::App, &self.apps),
            (Field::User, &self.users),
            (Field::Workflow, &self.workflows),
            (Field::Pipeline, &self.pipeline_ids),
            (Field::Stage, &self.stage_names),
            (Field::Handler, &self.stage_handler_names),
            (Field::Environment, &self.environments),
            (Field::Mode, &self.modes),
            (Field::Roles, &self.roles),
            (Field::Tags, &self.tags_include),
        ]
    }
}

impl Default for Target {
    fn default() -> Self {
        Self {
            agents: None,
            actions: None,
            kinds: None,
            tools: None,
            providers: None,
            models: None,
            tenants: None,
            apps: None,
            users: None,
            workflows: None,
            pipeline_ids: None,
            stage_names: None,
            stage_handler_names: None,
            environments: None,
            modes: None,
            roles: None,
            tags_include: None,
            tags_exclude: None,
            phases: Phases::Dispatch,
        }
    }
}
