//! `key_by`: what a guardrail counts apart (design 1.7).

use super::form::{Field, Form};
use super::nearest::{listed, nearest};
use super::{Findings, path, shown};
use crate::model::guardrail::KeyDimension;
use crate::model::{Code, Field as Own};

/// More dimensions than this describe one request, not a key.
const MOST: usize = 16;

/// The dimensions by name; `application` is an older name of `app`.
pub(super) const DIMENSIONS: [(&str, KeyDimension); 17] = [
    ("global", KeyDimension::Global),
    ("tenant", KeyDimension::Field(Own::Tenant)),
    ("app", KeyDimension::Field(Own::App)),
    ("application", KeyDimension::Field(Own::App)),
    ("agent", KeyDimension::Field(Own::Agent)),
    ("user", KeyDimension::Field(Own::User)),
    ("run", KeyDimension::Field(Own::Run)),
    ("workflow", KeyDimension::Field(Own::Workflow)),
    ("pipeline", KeyDimension::Field(Own::Pipeline)),
    ("stage", KeyDimension::Field(Own::Stage)),
    ("handler", KeyDimension::Field(Own::Handler)),
    ("tool", KeyDimension::Field(Own::Tool)),
    ("provider", KeyDimension::Field(Own::Provider)),
    ("model", KeyDimension::Field(Own::Model)),
    ("environment", KeyDimension::Field(Own::Environment)),
    ("request", KeyDimension::Request),
    ("batch", KeyDimension::Batch),
];

/// The dimensions of `key_by`, or these.
pub(super) fn key_by(rules: &Form<'_>, default: &[KeyDimension], found: &mut Findings) -> Vec<KeyDimension> {
    let read = rules.get("key_by").and_then(|f| dimensions(f, found));
    read.unwrap_or_else(|| default.to_vec())
}

fn dimensions(field: Field<'_>, found: &mut Findings) -> Option<Vec<KeyDimension>> {
    let count = field.node.elements().map_or(1, <[_]>::len);
    if count > MOST {
        let remedy = format!("write at most {MOST}");
        field.bad_value(&format!("has {count} dimensions"), &remedy, found);
        return None;
    }
    let mut read: Vec<KeyDimension> = Vec::new();
    for element in field.one_or_many() {
        let dimension = dimension(element, found)?;
        if read.contains(&dimension) {
            element.bad_value("stands twice", "keep one of them", found);
        }
        read.push(dimension);
    }
    if read.is_empty() {
        field.bad_value("is an empty list", "write `global`, or leave it out", found);
        return None;
    }
    if read.len() > 1 && read.contains(&KeyDimension::Global) {
        let remedy = "write `global` alone, or the other dimensions alone";
        field.bad_value("counts everything together and apart", remedy, found);
    }
    Some(read)
}

fn dimension(field: Field<'_>, found: &mut Findings) -> Option<KeyDimension> {
    let text = field.text(found)?;
    if let Some((_, dimension)) = DIMENSIONS.iter().find(|(name, _)| *name == text) {
        return Some(dimension.clone());
    }
    let place = field.node.place;
    if let Some(rest) = text.strip_prefix("context.") {
        return match path::segments(rest) {
            Ok(segments) => Some(KeyDimension::Context(segments)),
            Err(problem) => {
                found.error_with(problem.code, place, problem.message, problem.suggestion);
                None
            }
        };
    }
    let names = DIMENSIONS.iter().map(|(name, _)| *name);
    let is_name = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '-'));
    let suggestion = match (text, nearest(text, names.clone())) {
        ("context", _) => "write `context.` and the path of a field".to_owned(),
        (_, Some(name)) => format!("write `{name}`"),
        (_, None) if is_name => format!("write `context.{text}` to mean a field of the context"),
        (_, None) => format!("write one of {}, or a path such as `context.region`", listed(names)),
    };
    let message = format!("{} is no dimension of a key", shown(text));
    found.error_with(Code::UnknownReference, place, message, suggestion);
    None
}
