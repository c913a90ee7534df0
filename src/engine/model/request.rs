//! What a caller asks, borrowed from wherever it came from.

use super::{ActionKind, Phase, ReasonCode};
use crate::id::RuleId;
use crate::unit::{Money, Span};
use crate::value::{Fields, Seq};

/// One question: may this action run? In every text, empty means absent.
///
/// The edges (gRPC, command line, test cases) check bounds and make it; the engine trusts it to
/// be within them.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// On whose behalf.
    pub subject: Subject<'a>,
    /// What it wants to do.
    pub action: Action<'a>,
    /// Free attributes that rules may test.
    pub context: &'a dyn Fields,
    /// Where it runs; empty: `context.environment` where that is a text, else the server's own.
    pub environment: &'a str,
    /// The mode that the caller asks for.
    pub mode: &'a str,
    /// When it asks.
    pub phase: Phase,
    /// The priority of the action, where the caller gives one.
    pub priority: Option<i32>,
    /// What it expects to use.
    pub estimate: Estimate,
    /// The name of the action over all its attempts.
    pub request_id: &'a str,
    /// The flush that it belongs to.
    pub batch_id: &'a str,
    /// 0 on the first attempt.
    pub attempt: u32,
    /// The grants that came with it, texts.
    pub grants: &'a dyn Seq,
    /// What became of them.
    pub grant: Grant<'a>,
    /// Look, and charge nothing.
    pub dry_run: bool,
    /// What is left of the caller's own deadline.
    pub time_left: Option<Span>,
    /// What is asked about the action.
    pub question: Question,
}

/// What is asked about an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Question {
    /// Whether it may run.
    #[default]
    MayRun,
    /// Whether it is within its limits: no rule is asked, and a rate limit that reads its cost
    /// from nowhere charges so many units.
    WithinLimits {
        /// What it costs.
        units: u64,
    },
}

/// What became of the grants that came with a request. The engine knows no keys: who calls it
/// verifies them, for the rule that asks for approval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grant<'a> {
    /// None was presented, or none was looked at yet.
    #[default]
    None,
    /// None of them holds; why the last one does not, for programs and for people.
    Refused(ReasonCode, &'a str),
    /// One of them holds for this rule, as long as this rule decides.
    Accepted(&'a RuleId),
}

/// On whose behalf an action runs.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The agent.
    pub agent: &'a str,
    /// The user.
    pub user: &'a str,
    /// The tenant.
    pub tenant: &'a str,
    /// The application.
    pub app: &'a str,
    /// The workflow.
    pub workflow: &'a str,
    /// The run.
    pub run: &'a str,
    /// The roles, texts.
    pub roles: &'a dyn Seq,
}

/// What a caller wants to do.
#[derive(Clone, Copy, Debug)]
pub struct Action<'a> {
    /// Its name; never empty.
    pub name: &'a str,
    /// Its kind; `None`: derived from the other fields.
    pub kind: Option<ActionKind>,
    /// The tool it calls.
    pub tool: &'a str,
    /// The provider of the model.
    pub provider: &'a str,
    /// The model.
    pub model: &'a str,
    /// The pipeline.
    pub pipeline: &'a str,
    /// The stage.
    pub stage: &'a str,
    /// The handler of the stage.
    pub handler: &'a str,
    /// Its tags, texts.
    pub tags: &'a dyn Seq,
}

/// What an action is expected to use; absent amounts are unknown.
#[derive(Clone, Copy, Debug, Default)]
pub struct Estimate {
    /// Money.
    pub cost: Option<Money>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// Compute units.
    pub compute: Option<u64>,
    /// Time.
    pub duration: Option<Span>,
}

impl Action<'_> {
    /// The kind: as given, else derived from what is set (design 1.2).
    #[must_use]
    pub fn kind(&self) -> ActionKind {
        let set = |text: &str| !text.is_empty();
        match self.kind {
            Some(kind) => kind,
            None if set(self.tool) => ActionKind::Tool,
            None if set(self.provider) || set(self.model) => ActionKind::Llm,
            None if set(self.stage) || set(self.handler) => ActionKind::Stage,
            None => ActionKind::Other,
        }
    }
}

impl<'a> Request<'a> {
    /// Whether being allowed by a grant uses it up: at enqueue, and in a dry run, a grant is only
    /// looked at.
    #[must_use]
    pub const fn spends_grants(&self) -> bool {
        !self.dry_run && matches!(self.phase, Phase::Dispatch)
    }

    /// The environment it is decided in: its own, else its context's, else the server's.
    #[must_use]
    pub fn environment_or(&self, servers: &'a str) -> &'a str {
        if !self.environment.is_empty() {
            return self.environment;
        }
        match self.context.field("environment") {
            Some(crate::value::View::Str(text)) if !text.is_empty() => text,
            Some(_) | None => servers,
        }
    }
}
