//! Field paths of conditions and keys (design 1.5.1).

use super::nearest::{listed, nearest};
use super::shown;
use crate::model::condition::Usage;
use crate::model::{Code, Field, Path};
use crate::value::{Const, ConstMap};

/// What is wrong with a piece of text, before a place is put to it.
#[derive(Debug, PartialEq)]
pub(super) struct Problem {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) suggestion: String,
}

impl Problem {
    pub(super) fn new(code: Code, message: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self { code, message: message.into(), suggestion: suggestion.into() }
    }
}

/// Reads a path: `risk_score`, `request.agent`, `context.a.b`, `data.x`, `usage.cost`.
pub(super) fn parse(text: &str) -> Result<Path, Problem> {
    let sign = |c: char| matches!(c, '<' | '>' | '=' | '!' | '~' | '|');
    if let Some(c) = text.chars().find(|c| sign(*c)) {
        let message = format!("{} has a `{c}` inside a path", shown(text));
        let remedy = "write the path as the key, and `{\">=\": ...}` as the value";
        return Err(Problem::new(Code::BadOperator, message, remedy));
    }
    if let Some(field) = Field::named(text) {
        return Ok(Path::Either(field));
    }
    let (head, rest) = text.split_once('.').map_or((text, None), |(h, r)| (h, Some(r)));
    match (head, rest) {
        ("request" | "context" | "data" | "usage", None) => {
            let message = format!("`{head}` names no field");
            Err(Problem::new(Code::BadValue, message, format!("write `{head}.` and a name")))
        }
        ("request", Some(name)) => named(name, "request", &Field::ALL).map(Path::Request),
        ("usage", Some(name)) => named(name, "usage", &Usage::ALL).map(Path::Usage),
        ("context", Some(rest)) => segments(rest).map(Path::Context),
        ("data", Some(rest)) => segments(rest).map(Path::Data),
        _ => segments(text).map(Path::Context),
    }
}

fn named<T: Copy>(name: &str, of: &str, all: &[(&'static str, T)]) -> Result<T, Problem> {
    if let Some((_, value)) = all.iter().find(|(known, _)| *known == name) {
        return Ok(*value);
    }
    let names = || all.iter().map(|(name, _)| *name);
    let suggestion = match nearest(name, names()) {
        Some(near) => format!("write `{of}.{near}`"),
        None => format!("it has {}", listed(names())),
    };
    let message = format!("{} is no field of `{of}`", shown(name));
    Err(Problem::new(Code::UnknownField, message, suggestion))
}

/// A path where only the context can be meant, so that `context.` says nothing more.
pub(super) fn in_context(text: &str) -> &str {
    text.strip_prefix("context.").unwrap_or(text)
}

/// The segments of a dotted path.
pub(super) fn segments(text: &str) -> Result<Vec<Box<str>>, Problem> {
    let segments: Vec<Box<str>> = text.split('.').map(Into::into).collect();
    if segments.iter().any(|s| s.trim().is_empty()) {
        let message = format!("the path {} has an empty part", shown(text));
        return Err(Problem::new(Code::BadValue, message, "write names with one dot between them"));
    }
    Ok(segments)
}

/// Whether a `data` path stands in the bundle; where it does not, `suggest` looks for the nearest
/// name, which is slow when it is done for each of a million mistakes.
pub(super) fn check_data(path: &Path, data: &ConstMap, suggest: bool) -> Result<(), Problem> {
    let Path::Data(segments) = path else {
        return Ok(());
    };
    let mut here = data;
    let mut passed = String::from("data");
    for (i, segment) in segments.iter().enumerate() {
        let Some(value) = here.get(segment) else {
            let names = here.keys().map(|k| &**k).take(if suggest { usize::MAX } else { 0 });
            let suggestion = match nearest(segment, names) {
                Some(name) => format!("write `{passed}.{name}`"),
                None => format!("add it to `{passed}`"),
            };
            let message = format!("{} is not in {}", shown(segment), shown(&passed));
            return Err(Problem::new(Code::UnknownReference, message, suggestion));
        };
        passed = format!("{passed}.{segment}");
        match value {
            Const::Map(entries) => here = entries,
            Const::Null | Const::Bool(_) | Const::Number(_) | Const::Str(_) | Const::List(_) => {
                if i + 1 < segments.len() {
                    let message = format!("{} is {}", shown(&passed), value.view().type_name());
                    let remedy = "only maps have fields";
                    return Err(Problem::new(Code::UnknownReference, message, remedy));
                }
            }
        }
    }
    Ok(())
}

/// The path as conditions spell it: bare where a bare name means the same.
pub(super) fn spelled(path: &Path) -> String {
    match path {
        Path::Request(field) => format!("request.{}", field.name()),
        Path::Either(field) => field.name().to_owned(),
        Path::Data(segments) => format!("data.{}", segments.join(".")),
        Path::Usage(usage) => {
            let name = Usage::ALL.iter().find(|(_, u)| u == usage).map_or("", |(name, _)| name);
            format!("usage.{name}")
        }
        Path::Context(segments) => {
            let bare = segments.join(".");
            let first = segments.first().map_or("", |s| s);
            let reserved = matches!(first, "request" | "context" | "data" | "usage");
            if reserved || Field::named(&bare).is_some() { format!("context.{bare}") } else { bare }
        }
    }
}
