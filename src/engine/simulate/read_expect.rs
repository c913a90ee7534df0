//! Reads `expect`: names are checked against what an answer can hold, so that a misspelt one
//! does not pass as something that nobody looked at.

use super::expect::{Entry, Expected, seconds};
use super::shape::Holds;
use crate::model::Code;
use crate::read::form::Field;
use crate::read::tree::{Content, Entry as Written};
use crate::read::{Findings, listed, nearest, shown};
use serde_json::Value;

/// The entries of a map of expectations.
pub(super) fn fields(field: Field<'_>, known: &[(&str, Holds)], found: &mut Findings) -> Vec<Entry> {
    let Some(entries) = field.node.entries() else {
        field.wrong_type("write a map of what the answer holds", found);
        return vec![];
    };
    entries
        .iter()
        .filter_map(|entry| match known.iter().find(|(name, _)| *name == &*entry.key) {
            Some((_, holds)) => Some(one(entry, *holds, found)),
            None => {
                unknown(entry, known, found);
                None
            }
        })
        .collect()
}

fn unknown(entry: &Written, known: &[(&str, Holds)], found: &mut Findings) {
    let message = format!("an answer has no {}", shown(&entry.key));
    let names = || known.iter().map(|(name, _)| *name);
    let inside = known.iter().find(|(_, holds)| holds.fields().iter().any(|(name, _)| *name == &*entry.key));
    let remedy = match (nearest(&entry.key, names()), inside) {
        (_, Some((outer, _))) => format!("write `{outer}: {{{}: …}}`", entry.key),
        (Some(name), None) => format!("write `{name}`"),
        (None, None) => format!("it has {}", listed(names())),
    };
    found.error_with(Code::UnknownField, entry.place, message, remedy);
}

fn one(entry: &Written, holds: Holds, found: &mut Findings) -> Entry {
    let field = Field { name: &entry.key, element: false, place: entry.place, node: &entry.node };
    Entry { name: (*entry.key).into(), place: entry.place, expected: expected(field, holds, found) }
}

fn expected(field: Field<'_>, holds: Holds, found: &mut Findings) -> Expected {
    match (&field.node.content, holds) {
        (Content::Null, _) => Expected::Absent,
        (Content::List(each), Holds::InOrder(known)) => {
            let one = |node| expected(field.element(node), Holds::Fields(known), found);
            Expected::InOrder(each.iter().map(one).collect())
        }
        (Content::List(any), _) => {
            Expected::AnyOf(any.iter().map(|node| expected(field.element(node), holds, found)).collect())
        }
        (Content::Map(_), Holds::Fields(known)) => Expected::Fields(fields(field, known, found)),
        (Content::Map(guardrails), Holds::ByGuardrail(known)) => Expected::Fields(
            guardrails.iter().map(|guardrail| one(guardrail, Holds::Fields(known), found)).collect(),
        ),
        (Content::Map(breakers), Holds::Breakers) => Expected::Fields(
            breakers.iter().map(|breaker| one(breaker, Holds::BreakerState, found)).collect(),
        ),
        (Content::Map(keys), Holds::BreakerState) => {
            Expected::Fields(keys.iter().map(|key| one(key, Holds::BreakerOfKey, found)).collect())
        }
        (Content::Map(ends), Holds::Number | Holds::Span) => range(ends, holds, found),
        (content, Holds::Number | Holds::Span) => match amount(content, holds) {
            Some(n) if matches!(holds, Holds::Span) => Expected::Span(n),
            Some(n) => Expected::Is(crate::value::number_to_json(n)),
            None => wrong(field, holds, found),
        },
        (Content::Bool(value), Holds::Bool) => Expected::Is((*value).into()),
        (Content::Text(text), Holds::Text) => Expected::Is(Value::String(text.to_string())),
        (
            Content::Text(text),
            Holds::Name(_) | Holds::ReasonCode | Holds::BreakerState | Holds::BreakerOfKey,
        ) => name(text, field, holds, found),
        (_, _) => wrong(field, holds, found),
    }
}

fn name(text: &str, field: Field<'_>, holds: Holds, found: &mut Findings) -> Expected {
    let names = holds.names();
    if !names.contains(&text) {
        let remedy = match nearest(text, names.iter().copied()) {
            Some(name) => format!("write `{name}`"),
            None => format!("it is one of {}", listed(names.iter().copied())),
        };
        field.bad_value(&format!("is never {}", shown(text)), &remedy, found);
    }
    Expected::Is(text.into())
}

/// `{min, max}`, both included, each of them optional.
fn range(ends: &[Written], holds: Holds, found: &mut Findings) -> Expected {
    let (mut min, mut max) = (None, None);
    for end in ends {
        let value = amount(&end.node.content, holds);
        match &*end.key {
            "min" => min = value,
            "max" => max = value,
            _ => {
                let message = format!("{} is no end of a range", shown(&end.key));
                found.error_with(Code::UnknownField, end.place, message, "write `min` and `max`");
                continue;
            }
        }
        if value.is_none() {
            let field = Field { name: &end.key, element: false, place: end.place, node: &end.node };
            wrong(field, holds, found);
        }
    }
    Expected::Range(min, max)
}

/// A number; of a span its seconds, as a number or with a unit.
fn amount(content: &Content, holds: Holds) -> Option<f64> {
    match (content, holds) {
        (Content::Number(n), _) => Some(*n),
        (Content::Text(text), Holds::Span) => seconds(text),
        (_, _) => None,
    }
}

fn wrong(field: Field<'_>, holds: Holds, found: &mut Findings) -> Expected {
    let remedy = match holds {
        Holds::Text => "write text, in quotes where it looks like a number",
        Holds::Name(_) | Holds::ReasonCode => "write a name",
        Holds::Number => "write a number, or a range `{min, max}`",
        Holds::Bool => "write `true` or `false`",
        Holds::Span => "write a time such as `30s` or `250ms`, or a range `{min, max}`",
        Holds::Fields(_) => "write a map",
        Holds::ByGuardrail(_) => "write a map by the names of guardrails",
        Holds::InOrder(_) => "write a list with a map for each response",
        Holds::Breakers => "write a map by the names of circuit breakers",
        Holds::BreakerState => "write a state, or a map of states by key",
        Holds::BreakerOfKey => "write a state",
    };
    field.wrong_type(remedy, found);
    Expected::Absent
}
