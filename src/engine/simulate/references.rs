//! Names of guardrails in expectations that the bundle does not have: what is expected of nothing
//! would pass as something that nobody looked at.

use super::expect::{Entry, Expected, Mismatch};
use crate::compile::Compiled;
use crate::model::guardrail::Rules;
use crate::read::{listed, nearest};

/// The maps of an answer that are by guardrail, and whether only circuit breakers are in them.
const BY_GUARDRAIL: [(&str, bool); 3] = [("limits", false), ("refusals", false), ("breaker", true)];

/// The expectations about guardrails that do not exist.
pub(super) fn unknown(expected: &[Entry], bundle: &Compiled) -> Vec<Mismatch> {
    let mut found = vec![];
    for entry in expected {
        match &entry.expected {
            Expected::Fields(inner) => {
                if let Some((_, breakers)) = BY_GUARDRAIL.iter().find(|(name, _)| *name == &*entry.name) {
                    found.extend(inner.iter().filter_map(|one| missing(&entry.name, one, bundle, *breakers)));
                }
            }
            Expected::InOrder(each) => {
                for one in each {
                    if let Expected::Fields(inner) = one {
                        found.extend(unknown(inner, bundle));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn missing(map: &str, one: &Entry, bundle: &Compiled, breakers: bool) -> Option<Mismatch> {
    let fits = |rules: &Rules| !breakers || matches!(rules, Rules::CircuitBreaker(_));
    let names =
        || bundle.enabled_guardrails().filter(|own| fits(&own.rules)).map(|own| own.name.value.as_str());
    let known =
        bundle.guardrails().iter().any(|own| own.name.value.as_str() == &*one.name && fits(&own.rules));
    if known {
        return None;
    }
    let expected = if breakers { "a circuit breaker of the bundle" } else { "a guardrail of the bundle" };
    let got = match nearest(&one.name, names()) {
        Some(name) => format!("no such name; write `{name}`"),
        None if names().next().is_none() => "no such name; the bundle has none".into(),
        None => format!("no such name; it has {}", listed(names())),
    };
    Some(Mismatch { path: format!("{map}.{}", one.name), place: one.place, expected: expected.into(), got })
}
