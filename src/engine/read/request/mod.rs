//! A request as a document: what the command line and policy tests ask with, spelled as the
//! protocol spells it, in snake_case or camelCase (design 2.1).

mod fields;

pub use fields::{document, facts};

use super::form::Field;
use super::{Findings, SourceFile, tree};
use crate::model::request::{Action, Estimate, Grant, Question, Request, Subject};
use crate::model::{ActionKind, Finding, Phase};
use crate::unit::Span;
use crate::value::ConstMap;

/// A request of its own, not borrowed from anywhere. In every text, empty means absent.
#[derive(Clone, Debug, Default)]
pub struct RequestDocument {
    /// On whose behalf.
    pub subject: SubjectDocument,
    /// What it wants to do.
    pub action: ActionDocument,
    /// Free attributes that rules may test.
    pub context: ConstMap,
    /// Where it runs.
    pub environment: Box<str>,
    /// The mode that the caller asks for.
    pub mode: Box<str>,
    /// When it asks.
    pub phase: Phase,
    /// The priority of the action.
    pub priority: Option<i32>,
    /// What it expects to use.
    pub estimate: Estimate,
    /// The flush that it belongs to.
    pub batch_id: Box<str>,
    /// The name of the action over all its attempts.
    pub request_id: Box<str>,
    /// 0 on the first attempt.
    pub attempt: u32,
    /// Grants of approvals.
    pub grants: Vec<Box<str>>,
    /// Look, and charge nothing.
    pub dry_run: bool,
    /// What is left of the caller's own deadline.
    pub time_left: Option<Span>,
}

/// On whose behalf an action runs.
#[derive(Clone, Debug, Default)]
pub struct SubjectDocument {
    /// The agent.
    pub agent: Box<str>,
    /// The user.
    pub user: Box<str>,
    /// The tenant.
    pub tenant: Box<str>,
    /// The application.
    pub app: Box<str>,
    /// The workflow.
    pub workflow: Box<str>,
    /// The run.
    pub run: Box<str>,
    /// The roles.
    pub roles: Vec<Box<str>>,
}

/// What a caller wants to do.
#[derive(Clone, Debug, Default)]
pub struct ActionDocument {
    /// Its name; never empty.
    pub name: Box<str>,
    /// Its kind; `None`: derived from the other fields.
    pub kind: Option<ActionKind>,
    /// The tool it calls.
    pub tool: Box<str>,
    /// The provider of the model.
    pub provider: Box<str>,
    /// The model.
    pub model: Box<str>,
    /// The pipeline.
    pub pipeline: Box<str>,
    /// The stage.
    pub stage: Box<str>,
    /// The handler of the stage.
    pub handler: Box<str>,
    /// Its tags.
    pub tags: Vec<Box<str>>,
}

/// The bounds of a request (design 1.8).
#[derive(Clone, Debug)]
pub struct RequestBounds {
    /// Bytes: 1 MiB.
    pub bytes: usize,
    /// Values of the context, those inside of lists and maps included: 256.
    pub context_values: usize,
    /// Levels of the context: 8. A value right in the context is on the first.
    pub context_depth: usize,
    /// Bytes of a text: 64 KiB.
    pub string_bytes: usize,
    /// Bytes of a name (and of an id, a role, a tag): 256.
    pub name_bytes: usize,
    /// Roles, and tags: 256.
    pub list_items: usize,
    /// Grants: 8.
    pub grants: usize,
}

impl Default for RequestBounds {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            context_values: 256,
            context_depth: 8,
            string_bytes: 64 << 10,
            name_bytes: 256,
            list_items: 256,
            grants: 8,
        }
    }
}

/// What came of reading a request.
#[derive(Debug)]
pub struct Reading {
    /// The request; `None` when something is wrong.
    pub request: Option<RequestDocument>,
    /// All that was found, in the order of the source.
    pub findings: Vec<Finding>,
}

/// Reads a file that holds one request, YAML or JSON.
#[must_use]
pub fn read(file: &SourceFile<'_>, bounds: &RequestBounds) -> Reading {
    let limits = tree::Limits {
        bytes: bounds.bytes,
        // the request, its context, and one level more, whose message names the bound
        depth: bounds.context_depth.saturating_add(3),
        nodes: 100_000,
        alias_nodes: 1_000,
        string_bytes: bounds.string_bytes,
        // a protobuf Struct can hold them, so that tests must be able to ask
        non_finite: true,
    };
    let mut found = Findings::new(vec![file.name.into()]);
    let node = tree::parse(file, 0, &limits, &mut tree::Used::default(), &mut found);
    let request = node.and_then(|node| document(Field::document("the document", &node), bounds, &mut found));
    let whole = found.format_errors() == 0;
    Reading { request: request.filter(|_| whole), findings: found.into_sorted() }
}

impl RequestDocument {
    /// The request as the engine reads it.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        let (subject, action) = (&self.subject, &self.action);
        Request {
            subject: Subject {
                agent: &subject.agent,
                user: &subject.user,
                tenant: &subject.tenant,
                app: &subject.app,
                workflow: &subject.workflow,
                run: &subject.run,
                roles: &subject.roles,
            },
            action: Action {
                name: &action.name,
                kind: action.kind,
                tool: &action.tool,
                provider: &action.provider,
                model: &action.model,
                pipeline: &action.pipeline,
                stage: &action.stage,
                handler: &action.handler,
                tags: &action.tags,
            },
            context: &self.context,
            environment: &self.environment,
            mode: &self.mode,
            phase: self.phase,
            priority: self.priority,
            estimate: self.estimate,
            request_id: &self.request_id,
            batch_id: &self.batch_id,
            attempt: self.attempt,
            grants: &self.grants,
            grant: Grant::None,
            dry_run: self.dry_run,
            time_left: self.time_left,
            question: Question::MayRun,
        }
    }
}
