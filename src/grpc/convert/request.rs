//! `AuthorizeRequest` to the engine's request, which borrows from it.

use prost::Message as _;
use tollgate_engine::decide::{Action, Estimate, Grant, Question, Request, Subject};
use tollgate_engine::model::{ActionKind, Phase};
use tollgate_engine::unit::Span;

use super::context::{Walk, too_long};
use super::violation::{Place, Violations};
use super::{Limits, amount};
use crate::pb;

/// A request within all bounds.
#[derive(Debug)]
pub struct Checked {
    subject: pb::Subject,
    action: pb::Action,
    context: pb::Struct,
    kind: Option<ActionKind>,
    phase: Phase,
    estimate: Estimate,
    time_left: Option<Span>,
    /// Everything else; what stands above is taken out of it.
    rest: pb::AuthorizeRequest,
}

impl Checked {
    /// Checks every bound of design 1.8.
    ///
    /// # Errors
    /// Names each field that does not fit, the bound, and what to send instead.
    pub fn new(sent: pb::AuthorizeRequest, limits: &Limits) -> Result<Self, Violations> {
        Self::check(sent, limits, true)
    }

    /// The same of a request that may ask about no action in particular.
    ///
    /// # Errors
    /// As [`Checked::new`].
    pub fn without_action(sent: pb::AuthorizeRequest, limits: &Limits) -> Result<Self, Violations> {
        Self::check(sent, limits, false)
    }

    fn check(mut sent: pb::AuthorizeRequest, limits: &Limits, of_action: bool) -> Result<Self, Violations> {
        let mut check = Check { limits, bytes: 0, wrong: Violations::default() };
        check.names(&sent);
        let mut walk = Walk::new(limits);
        if let Some(context) = &mut sent.context {
            walk.context(context, &mut check.wrong);
        }
        check.bytes += walk.bytes;
        check.size(&sent);
        let wrong = &mut check.wrong;
        let checked = Self {
            kind: kind(sent.action.as_ref().map_or(0, |action| action.kind), wrong),
            phase: phase(sent.phase, wrong),
            estimate: amount::estimate(sent.estimate.as_ref(), wrong),
            time_left: amount::time_left(sent.time_left.as_ref(), wrong),
            subject: sent.subject.take().unwrap_or_default(),
            action: sent.action.take().unwrap_or_default(),
            context: sent.context.take().unwrap_or_default(),
            rest: sent,
        };
        if of_action && checked.action.name.is_empty() {
            let what = "is required; name what is to be done";
            check.wrong.add(Place::Field("action.name"), what);
        }
        if check.wrong.is_empty() { Ok(checked) } else { Err(check.wrong) }
    }

    /// The request as the engine reads it.
    #[must_use]
    pub fn request(&self) -> Request<'_> {
        let (subject, action, rest) = (&self.subject, &self.action, &self.rest);
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
                kind: self.kind,
                tool: &action.tool,
                provider: &action.provider,
                model: &action.model,
                pipeline: &action.pipeline,
                stage: &action.stage,
                handler: &action.handler,
                tags: &action.tags,
            },
            context: &self.context,
            environment: &rest.environment,
            mode: &rest.mode,
            phase: self.phase,
            priority: rest.priority,
            estimate: self.estimate,
            request_id: &rest.request_id,
            batch_id: &rest.batch_id,
            attempt: rest.attempt,
            grants: &rest.grants,
            grant: Grant::None,
            dry_run: rest.dry_run,
            time_left: self.time_left,
            question: Question::MayRun,
        }
    }
}

fn kind(number: i32, wrong: &mut Violations) -> Option<ActionKind> {
    match pb::ActionKind::try_from(number) {
        Ok(pb::ActionKind::Unspecified) => None,
        Ok(pb::ActionKind::Tool) => Some(ActionKind::Tool),
        Ok(pb::ActionKind::Llm) => Some(ActionKind::Llm),
        Ok(pb::ActionKind::Stage) => Some(ActionKind::Stage),
        Ok(pb::ActionKind::Task) => Some(ActionKind::Task),
        Ok(pb::ActionKind::Sleep) => Some(ActionKind::Sleep),
        Ok(pb::ActionKind::WaitSignal) => Some(ActionKind::WaitSignal),
        Ok(pb::ActionKind::Other) => Some(ActionKind::Other),
        Err(_) => {
            let what = format!("is {number}, which is no kind; send 0 to 7");
            wrong.add(Place::Field("action.kind"), what);
            None
        }
    }
}

fn phase(number: i32, wrong: &mut Violations) -> Phase {
    match pb::Phase::try_from(number) {
        Ok(pb::Phase::Unspecified | pb::Phase::Dispatch) => Phase::Dispatch,
        Ok(pb::Phase::Enqueue) => Phase::Enqueue,
        Err(_) => {
            let what = format!("is {number}, which is no phase; send 0 to 2");
            wrong.add(Place::Field("phase"), what);
            Phase::Dispatch
        }
    }
}

struct Check<'l> {
    limits: &'l Limits,
    /// An upper bound of the bytes on the wire.
    bytes: usize,
    wrong: Violations,
}

/// More than all tags, lengths and numbers outside of the context take.
const FIXED_BYTES: usize = 512;
/// What one element of a list of texts takes besides the text.
const ELEMENT_BYTES: usize = 8;

impl Check<'_> {
    fn names(&mut self, sent: &pb::AuthorizeRequest) {
        if let Some(subject) = &sent.subject {
            self.name("subject.agent", &subject.agent);
            self.name("subject.user", &subject.user);
            self.name("subject.tenant", &subject.tenant);
            self.name("subject.app", &subject.app);
            self.name("subject.workflow", &subject.workflow);
            self.name("subject.run", &subject.run);
            self.list("subject.roles", &subject.roles);
        }
        if let Some(action) = &sent.action {
            self.name("action.name", &action.name);
            self.name("action.tool", &action.tool);
            self.name("action.provider", &action.provider);
            self.name("action.model", &action.model);
            self.name("action.pipeline", &action.pipeline);
            self.name("action.stage", &action.stage);
            self.name("action.handler", &action.handler);
            self.list("action.tags", &action.tags);
        }
        self.name("environment", &sent.environment);
        self.name("mode", &sent.mode);
        self.name("batch_id", &sent.batch_id);
        self.name("request_id", &sent.request_id);
        self.grants(&sent.grants);
    }

    fn name(&mut self, field: &'static str, text: &str) {
        self.text(Place::Field(field), text, self.limits.name_bytes);
    }

    fn text(&mut self, place: Place<'_>, text: &str, most: usize) {
        self.bytes += text.len();
        if text.len() > most {
            self.wrong.add(place, too_long("is a text", text.len(), most));
        }
    }

    fn list(&mut self, field: &'static str, items: &[String]) {
        let most = self.limits.list_items;
        self.items(field, items, most, self.limits.name_bytes);
    }

    fn grants(&mut self, grants: &[String]) {
        self.items("grants", grants, self.limits.grants, self.limits.string_bytes);
    }

    fn items(&mut self, field: &'static str, items: &[String], most: usize, each: usize) {
        let place = Place::Field(field);
        if items.len() > most {
            let what = format!("has {} elements; at most {most} are taken", items.len());
            self.wrong.add(place, what);
            return;
        }
        self.bytes += items.len() * ELEMENT_BYTES;
        for (index, text) in items.iter().enumerate() {
            self.text(Place::Index(&place, index), text, each);
        }
    }

    /// Weighs the request exactly only where it could be too heavy.
    fn size(&mut self, sent: &pb::AuthorizeRequest) {
        let most = self.limits.request_bytes;
        if self.bytes + FIXED_BYTES > most {
            let bytes = sent.encoded_len();
            if bytes > most {
                let what = format!("has {bytes} bytes; at most {most} are taken");
                self.wrong.add(Place::Field("request"), what);
            }
        }
    }
}
