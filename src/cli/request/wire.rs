//! A request as it is sent to a server.

use crate::pb;
use tollgate_engine::model::request::Estimate;
use tollgate_engine::model::{ActionKind, Phase};
use tollgate_engine::read::request::{ActionDocument, RequestDocument, SubjectDocument};
use tollgate_engine::unit::{Money, Span};
use tollgate_engine::value::{Const, ConstMap};

/// The message of the request.
pub fn to_wire(request: &RequestDocument) -> pb::AuthorizeRequest {
    let phase = match request.phase {
        Phase::Dispatch => pb::Phase::Dispatch,
        Phase::Enqueue => pb::Phase::Enqueue,
    };
    pb::AuthorizeRequest {
        subject: Some(subject(&request.subject)),
        action: Some(action(&request.action)),
        context: Some(context(&request.context)),
        environment: request.environment.to_string(),
        mode: request.mode.to_string(),
        phase: phase.into(),
        priority: request.priority,
        estimate: estimate(&request.estimate),
        batch_id: request.batch_id.to_string(),
        request_id: request.request_id.to_string(),
        attempt: request.attempt,
        grants: texts(&request.grants),
        dry_run: request.dry_run,
        time_left: request.time_left.map(duration),
    }
}

fn subject(subject: &SubjectDocument) -> pb::Subject {
    pb::Subject {
        agent: subject.agent.to_string(),
        user: subject.user.to_string(),
        tenant: subject.tenant.to_string(),
        app: subject.app.to_string(),
        workflow: subject.workflow.to_string(),
        run: subject.run.to_string(),
        roles: texts(&subject.roles),
    }
}

fn action(action: &ActionDocument) -> pb::Action {
    pb::Action {
        name: action.name.to_string(),
        kind: action.kind.map_or(pb::ActionKind::Unspecified, kind).into(),
        tool: action.tool.to_string(),
        provider: action.provider.to_string(),
        model: action.model.to_string(),
        pipeline: action.pipeline.to_string(),
        stage: action.stage.to_string(),
        handler: action.handler.to_string(),
        tags: texts(&action.tags),
    }
}

fn kind(kind: ActionKind) -> pb::ActionKind {
    match kind {
        ActionKind::Tool => pb::ActionKind::Tool,
        ActionKind::Llm => pb::ActionKind::Llm,
        ActionKind::Stage => pb::ActionKind::Stage,
        ActionKind::Task => pb::ActionKind::Task,
        ActionKind::Sleep => pb::ActionKind::Sleep,
        ActionKind::WaitSignal => pb::ActionKind::WaitSignal,
        ActionKind::Other => pb::ActionKind::Other,
    }
}

fn estimate(estimate: &Estimate) -> Option<pb::Estimate> {
    let count = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
    let wire = pb::Estimate {
        cost: estimate.cost.map(Money::units),
        tokens: estimate.tokens.map(count),
        compute: estimate.compute.map(count),
        duration: estimate.duration.map(duration),
    };
    (wire != pb::Estimate::default()).then_some(wire)
}

fn duration(span: Span) -> prost_types::Duration {
    let seconds = i64::try_from(span.nanos() / 1_000_000_000).unwrap_or(i64::MAX);
    let nanos = i32::try_from(span.nanos() % 1_000_000_000).unwrap_or_default();
    prost_types::Duration { seconds, nanos }
}

fn texts(texts: &[Box<str>]) -> Vec<String> {
    texts.iter().map(|text| text.to_string()).collect()
}

/// Numbers that JSON cannot say (NaN, infinities) travel too, so the values are taken one by one.
fn context(map: &ConstMap) -> pb::Struct {
    let entry = |key: &str, item| pb::Entry { key: key.into(), value: Some(value(item)) };
    pb::Struct { fields: map.iter().map(|(key, item)| entry(key, item)).collect() }
}

fn value(item: &Const) -> pb::Value {
    let kind = match item {
        Const::Null => pb::Kind::Null(prost_types::NullValue::NullValue.into()),
        Const::Bool(value) => pb::Kind::Bool(*value),
        Const::Number(number) => pb::Kind::Number(*number),
        Const::Str(text) => pb::Kind::Text(text.to_string()),
        Const::List(items) => pb::Kind::List(pb::ListValue { values: items.iter().map(value).collect() }),
        Const::Map(entries) => pb::Kind::Struct(context(entries)),
    };
    pb::Value { kind: Some(kind) }
}
