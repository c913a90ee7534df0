//! Holds what came of a step against what is expected of it.

use super::breakers;
use super::expect::{Entry, Expected, Mismatch, mismatches};
use super::expectable::expectable;
use super::references;
use super::shape::COUNTED;
use super::world::World;
use crate::model::Place;
use crate::read::request::RequestDocument;
use serde_json::{Map, Value, json};

/// What came of a step.
pub(super) struct Answers<'a> {
    /// Its answers, in the order of its repetitions.
    pub(super) answers: Vec<&'a Value>,
    /// The requests that they are about.
    pub(super) requests: Vec<&'a RequestDocument>,
}

/// How many mismatches are told of one step; the others are of its repetitions.
const MOST_MISMATCHES: usize = 12;

/// What is not as expected, and the first answer of which something is not; `None`: all is. A call
/// that is refused is as expected only where that is expected.
pub(super) fn judge(
    expected: &[Entry],
    place: Place,
    came: &Answers<'_>,
    world: &World<'_>,
) -> Option<(Vec<Mismatch>, Option<usize>)> {
    let unknown = references::unknown(expected, world.bundle);
    if !unknown.is_empty() {
        return Some((unknown, None));
    }
    let mut found = vec![];
    let (of_step, of_answers): (Vec<Entry>, Vec<Entry>) =
        expected.iter().cloned().partition(|entry| ["counts", "breaker"].contains(&&*entry.name));
    let mut left = json!({"counts": counts(&came.answers)});
    let breakers = breakers::states(world, &of_step, &came.requests);
    if let Value::Object(all) = &mut left {
        all.insert("breaker".into(), breakers);
    }
    found.extend(mismatches(&of_step, &left));
    let mut first = None;
    let expects_refusal = expected.iter().any(names_refusal);
    for (number, answer) in came.answers.iter().enumerate() {
        let mut own = mismatches(&of_answers, &expectable(answer));
        if let (Some(error), false) = (answer.get("error").and_then(Value::as_str), expects_refusal) {
            own.insert(0, refused(error, place));
        }
        if came.answers.len() > 1 {
            own.iter_mut().for_each(|one| one.path = format!("#{}.{}", number + 1, one.path));
        }
        first = first.or_else(|| (!own.is_empty()).then_some(number));
        found.extend(own);
    }
    found.truncate(MOST_MISMATCHES);
    (!found.is_empty()).then_some((found, first))
}

fn names_refusal(entry: &Entry) -> bool {
    let counts_it = |entry: &Entry| match &entry.expected {
        Expected::Fields(counts) => counts.iter().any(|count| &*count.name == "INVALID_ARGUMENT"),
        _ => false,
    };
    match &*entry.name {
        "error" => true,
        "counts" => counts_it(entry),
        _ => false,
    }
}

fn refused(error: &str, place: Place) -> Mismatch {
    Mismatch { path: "error".into(), place, expected: "nothing".into(), got: error.into() }
}

/// How many answers there are of each effect, result or decision; 0 of those that there are none of.
fn counts(answers: &[&Value]) -> Value {
    let mut all: Map<String, Value> = COUNTED.iter().map(|(name, _)| ((*name).into(), 0.into())).collect();
    let responses =
        answers.iter().flat_map(|answer| match answer.get("responses").and_then(Value::as_array) {
            Some(responses) => responses.iter().collect(),
            None => vec![*answer],
        });
    for answer in responses {
        let names = ["effect", "result", "decision", "error"];
        let kind = names.iter().find_map(|name| answer.get(name).and_then(Value::as_str));
        if let Some(count) = kind.and_then(|kind| all.get_mut(kind)) {
            *count = count.as_u64().unwrap_or(0).saturating_add(1).into();
        }
    }
    Value::Object(all)
}
