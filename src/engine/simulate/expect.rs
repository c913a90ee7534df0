//! What a case expects of an answer, and how the two are compared.

use crate::model::Place;
use serde_json::Value;

/// What is expected of one value of an answer. Only what is named is looked at.
#[derive(Clone, Debug, PartialEq)]
pub enum Expected {
    /// `null`: there is none.
    Absent,
    /// This text, number or boolean.
    Is(Value),
    /// This many seconds.
    Span(f64),
    /// A number, or seconds, from the first to the second, both included.
    Range(Option<f64>, Option<f64>),
    /// Any of these.
    AnyOf(Vec<Self>),
    /// A map whose entries of these names are as expected.
    Fields(Vec<Entry>),
    /// A list of as many, each as expected.
    InOrder(Vec<Self>),
}

/// One entry of a map that is expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The name.
    pub name: Box<str>,
    /// Where it stands.
    pub place: Place,
    /// What is expected there.
    pub expected: Expected,
}

/// One expectation that an answer does not meet.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// Which value of the answer: `obligations.mode`.
    pub path: String,
    /// Where it is expected.
    pub place: Place,
    /// What is expected.
    pub expected: String,
    /// What the answer holds.
    pub got: String,
}

/// All entries that the answer does not meet.
#[must_use]
pub fn mismatches(entries: &[Entry], answer: &Value) -> Vec<Mismatch> {
    let mut found = vec![];
    compare(entries, answer, "", &mut found);
    found
}

fn compare(entries: &[Entry], answer: &Value, path: &str, found: &mut Vec<Mismatch>) {
    for entry in entries {
        let path = if path.is_empty() { entry.name.to_string() } else { format!("{path}.{}", entry.name) };
        let got = answer.get(&*entry.name);
        match (&entry.expected, got) {
            (Expected::Fields(inner), Some(got @ Value::Object(_))) => compare(inner, got, &path, found),
            // Of a map that is not there, everything is absent.
            (Expected::Fields(inner), None) => compare(inner, &Value::Null, &path, found),
            (Expected::InOrder(each), Some(Value::Array(got))) if each.len() == got.len() => {
                in_order(entry, each, got, &path, found);
            }
            (expected, got) if holds(expected, got) => {}
            (expected, got) => found.push(Mismatch {
                path,
                place: entry.place,
                expected: expected.to_string(),
                got: got.map_or_else(|| "nothing".into(), shown),
            }),
        }
    }
}

fn in_order(entry: &Entry, each: &[Expected], got: &[Value], path: &str, found: &mut Vec<Mismatch>) {
    for (number, (expected, got)) in (1..).zip(each.iter().zip(got)) {
        let path = format!("{path}#{number}");
        match expected {
            Expected::Fields(inner) => compare(inner, got, &path, found),
            expected if holds(expected, Some(got)) => {}
            expected => {
                let (expected, got) = (expected.to_string(), shown(got));
                found.push(Mismatch { path, place: entry.place, expected, got });
            }
        }
    }
}

fn holds(expected: &Expected, got: Option<&Value>) -> bool {
    let Some(got) = got else { return absent_is_fine(expected) };
    // Of a list it is enough that one element is as expected.
    if let (Expected::Is(_), Value::Array(got)) = (expected, got) {
        return got.iter().any(|got| holds(expected, Some(got)));
    }
    match expected {
        Expected::Absent => got.is_null(),
        Expected::Is(value) => same(value, got),
        Expected::Span(seconds) => number(got).is_some_and(|n| n.to_bits() == seconds.to_bits()),
        Expected::Range(min, max) => {
            number(got).is_some_and(|n| min.is_none_or(|min| n >= min) && max.is_none_or(|max| n <= max))
        }
        Expected::AnyOf(any) => any.iter().any(|expected| holds(expected, Some(got))),
        Expected::Fields(entries) => mismatches(entries, got).is_empty(),
        Expected::InOrder(_) => false,
    }
}

fn absent_is_fine(expected: &Expected) -> bool {
    match expected {
        Expected::Absent => true,
        Expected::AnyOf(any) => any.iter().any(absent_is_fine),
        Expected::Fields(entries) => entries.iter().all(|entry| absent_is_fine(&entry.expected)),
        Expected::Is(_) | Expected::Span(_) | Expected::Range(..) | Expected::InOrder(_) => false,
    }
}

/// Equal, whether a number is written as 1 or 1.0.
fn same(expected: &Value, got: &Value) -> bool {
    match (expected.as_f64(), got.as_f64()) {
        (Some(expected), Some(got)) => expected.to_bits() == got.to_bits(),
        _ => expected == got,
    }
}

/// A number, or the seconds of a span.
fn number(got: &Value) -> Option<f64> {
    got.as_f64().or_else(|| got.as_str().and_then(seconds))
}

/// Reads a length of time: `5s`, `4999ms`, `1.5m`, `2h`, `1d`.
#[must_use]
pub fn seconds(text: &str) -> Option<f64> {
    let units =
        [("ms", 1e-3), ("us", 1e-6), ("ns", 1e-9), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    let (digits, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let count: f64 = digits.parse().ok().filter(|_| plain)?;
    // Rounded to nanoseconds, so that `4999ms` and `4.999s` are one number.
    crate::unit::Span::from_seconds(count * unit).map(crate::unit::Span::seconds)
}

impl std::fmt::Display for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent => f.write_str("nothing"),
            Self::Is(value) => f.write_str(&shown(value)),
            Self::Span(seconds) => write!(f, "{seconds}s"),
            Self::Range(Some(min), Some(max)) => write!(f, "{min} to {max}"),
            Self::Range(Some(min), None) => write!(f, "at least {min}"),
            Self::Range(None, Some(max)) => write!(f, "at most {max}"),
            Self::Range(None, None) => f.write_str("a number"),
            Self::AnyOf(any) => {
                let any: Vec<_> = any.iter().map(ToString::to_string).collect();
                write!(f, "any of {}", any.join(", "))
            }
            Self::Fields(_) => f.write_str("a map"),
            Self::InOrder(each) => write!(f, "a list of {}", each.len()),
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(name: &str, expected: Expected) -> Entry {
        Entry { name: name.into(), place: Place::default(), expected }
    }

    #[test]
    fn each_way_to_expect_something() {
        use Expected::{Absent, AnyOf, Fields, Is, Range, Span};
        let answer =
            json!({"effect": "ALLOW", "obligations": {"timeout": "0.25s", "limits": {"max_cost": 2}}});
        let timeout = |expected| entry("obligations", Fields(vec![entry("timeout", expected)]));
        for (expected, want) in [
            (entry("effect", Is(json!("ALLOW"))), true),
            (entry("effect", Is(json!("DENY"))), false),
            (entry("effect", AnyOf(vec![Is(json!("DENY")), Is(json!("ALLOW"))])), true),
            (entry("effect", Absent), false),
            (entry("rule_id", Absent), true),
            (entry("rule_id", AnyOf(vec![Absent, Is(json!("x"))])), true),
            (entry("rule_id", Is(json!("x"))), false),
            (timeout(Span(0.25)), true),
            (timeout(Span(0.3)), false),
            (timeout(Range(Some(0.25), None)), true),
            (timeout(Range(None, Some(0.2))), false),
            (entry("obligations", Absent), false),
            (entry("approval", Fields(vec![entry("role", Absent)])), true),
            (entry("approval", Fields(vec![entry("role", Is(json!("x")))])), false),
            (
                entry(
                    "obligations",
                    Fields(vec![entry("limits", Fields(vec![entry("max_cost", Is(json!(2.0)))]))]),
                ),
                true,
            ),
        ] {
            assert_eq!(mismatches(std::slice::from_ref(&expected), &answer).is_empty(), want, "{expected:?}");
        }
    }

    #[test]
    fn a_mismatch_names_the_value() {
        let expected =
            entry("obligations", Expected::Fields(vec![entry("mode", Expected::Is(json!("draft")))]));
        let found = mismatches(&[expected], &json!({"obligations": {"mode": "auto"}}));
        let found: Vec<_> = found.iter().map(|m| (&*m.path, &*m.expected, &*m.got)).collect();
        assert_eq!(found, [("obligations.mode", "draft", "auto")]);
    }

    #[test]
    fn lengths_of_time() {
        for (text, want) in [
            ("4999ms", Some(4.999)),
            ("5s", Some(5.0)),
            ("1.5m", Some(90.0)),
            ("5", None),
            ("-1s", None),
            ("infs", None),
            ("1e3s", None),
        ] {
            assert_eq!(seconds(text), want, "{text}");
        }
    }
}
