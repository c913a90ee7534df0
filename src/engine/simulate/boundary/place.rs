//! Where in a request a value belongs.

use super::values::Setting;
use crate::model::guardrail::KeyDimension;
use crate::model::{ActionKind, Field, Path, Phase};
use crate::read::request::{RequestBounds, RequestDocument};
use crate::unit::{Money, Span};
use crate::value::{Const, ConstMap};

/// A place in a request.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Place {
    /// One of its own fields.
    Field(Field),
    /// A path in its context.
    Context(Vec<Box<str>>),
    /// The flush that it belongs to.
    Batch,
}

impl Place {
    /// Where a condition reads; `None` where a request holds nothing of it.
    pub(super) fn of_path(path: &Path) -> Option<Self> {
        match path {
            Path::Request(field) | Path::Either(field) => Some(Self::Field(*field)),
            Path::Context(path) if !path.is_empty() => Some(Self::Context(path.clone())),
            Path::Context(_) | Path::Data(_) | Path::Usage(_) => None,
        }
    }

    /// What a dimension of a guardrail's key reads; each request has a name of its own anyway.
    pub(super) fn of_key(key: &KeyDimension) -> Option<Self> {
        match key {
            KeyDimension::Field(field) => Some(Self::Field(*field)),
            KeyDimension::Context(path) => Some(Self::Context(path.clone())),
            KeyDimension::Batch => Some(Self::Batch),
            KeyDimension::Global | KeyDimension::Request => None,
        }
    }

    /// Puts a value there, as far as requests may hold it.
    pub(super) fn set(&self, request: &mut RequestDocument, setting: &Setting) {
        let bounds = RequestBounds::default();
        match (self, setting) {
            (Self::Field(field), setting) => own(*field, request, setting, &bounds),
            (Self::Batch, Setting::Value(Const::Str(name))) => request.batch_id = name.clone(),
            (Self::Batch, _) => {}
            (Self::Context(path), Setting::Absent) => remove(&mut request.context, path),
            (Self::Context(path), Setting::Value(value)) => {
                if path.len() <= bounds.context_depth && count(&request.context) < bounds.context_values / 2 {
                    insert(&mut request.context, path, value);
                }
            }
        }
    }
}

fn own(field: Field, request: &mut RequestDocument, setting: &Setting, bounds: &RequestBounds) {
    let text = match setting {
        Setting::Value(Const::Str(text)) if text.len() <= bounds.name_bytes => text.clone(),
        Setting::Absent => Box::default(),
        Setting::Value(_) => return number(field, request, setting),
    };
    let (subject, action) = (&mut request.subject, &mut request.action);
    let list = || if text.is_empty() { vec![] } else { vec![text.clone()] };
    match field {
        Field::Agent => subject.agent = text,
        Field::User => subject.user = text,
        Field::Tenant => subject.tenant = text,
        Field::App => subject.app = text,
        Field::Workflow => subject.workflow = text,
        Field::Run => subject.run = text,
        Field::Roles => subject.roles = list(),
        Field::Action => action.name = text,
        Field::Kind => action.kind = ActionKind::ALL.into_iter().find(|kind| kind.name() == &*text),
        Field::Tool => action.tool = text,
        Field::Provider => action.provider = text,
        Field::Model => action.model = text,
        Field::Pipeline => action.pipeline = text,
        Field::Stage => action.stage = text,
        Field::Handler => action.handler = text,
        Field::Tags => action.tags = list(),
        Field::Environment => request.environment = text,
        Field::Mode => request.mode = text,
        Field::Phase => {
            let named = Phase::ALL.into_iter().find(|phase| phase.name() == &*text);
            request.phase = named.unwrap_or(request.phase);
        }
        _ => number(field, request, setting),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the casts saturate, and amounts are whole and not negative"
)]
fn number(field: Field, request: &mut RequestDocument, setting: &Setting) {
    let number = match setting {
        Setting::Value(Const::Number(number)) => Some(*number),
        Setting::Value(_) => return,
        Setting::Absent => None,
    };
    let amount = number.filter(|number| *number >= 0.0);
    let estimate = &mut request.estimate;
    match field {
        Field::Priority => request.priority = number.map(|number| number as i32),
        Field::Attempt => request.attempt = amount.unwrap_or_default() as u32,
        Field::EstimateCost => estimate.cost = amount.and_then(Money::from_units),
        Field::EstimateTokens => estimate.tokens = amount.map(|amount| amount as u64),
        Field::EstimateCompute => estimate.compute = amount.map(|amount| amount as u64),
        Field::EstimateDuration => estimate.duration = amount.and_then(Span::from_seconds),
        _ => {}
    }
}

fn insert(map: &mut ConstMap, path: &[Box<str>], value: &Const) {
    let Some((first, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        map.insert(first.clone(), value.clone());
        return;
    }
    let inner = map.entry(first.clone()).or_insert_with(|| Const::Map(ConstMap::new()));
    if !matches!(inner, Const::Map(_)) {
        *inner = Const::Map(ConstMap::new());
    }
    if let Const::Map(inner) = inner {
        insert(inner, rest, value);
    }
}

fn remove(map: &mut ConstMap, path: &[Box<str>]) {
    match path {
        [last] => drop(map.remove(last)),
        [first, rest @ ..] => {
            if let Some(Const::Map(inner)) = map.get_mut(first) {
                remove(inner, rest);
            }
        }
        [] => {}
    }
}

/// Values in all, those inside of lists and maps included.
fn count(map: &ConstMap) -> usize {
    let mut open: Vec<&Const> = map.values().collect();
    let mut count = 0;
    while let Some(value) = open.pop() {
        count += 1;
        match value {
            Const::List(items) => open.extend(items),
            Const::Map(inner) => open.extend(inner.values()),
            _ => {}
        }
    }
    count
}
