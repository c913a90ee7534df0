//! `conditions`: the three spellings of page 1.5 read anew for every request, and the operators.

use std::cmp::Ordering;

use serde_json::{Map as JsonMap, Value as Json};

use crate::naive_glob;
use crate::naive_request::Facts;
use crate::naive_value::{Answer, Unknown, Val, and, equal, is_in, order};

/// Two characters first, so that `>=` is not read as `>`.
const OPERATORS: [&str; 6] = [">=", "<=", "==", "!=", ">", "<"];

/// Whether all of `conditions` hold.
pub fn hold(conditions: &JsonMap<String, Json>, facts: &Facts<'_>) -> Answer<bool> {
    and(conditions.iter().map(|(key, value)| condition(key, value, facts)))
}

fn condition(key: &str, value: &Json, facts: &Facts<'_>) -> Answer<bool> {
    for operator in OPERATORS {
        if let Some(path) = key.strip_prefix(operator).or_else(|| key.strip_suffix(operator)) {
            return test(path.trim(), operator, value, facts);
        }
    }
    match value {
        Json::String(text) => in_value(key, text, facts),
        Json::Object(tests) => and(tests.iter().map(|(name, operand)| test(key, name, operand, facts))),
        _ => test(key, "==", value, facts),
    }
}

/// `risk_score: ">= 85"`, `category: "a|b"`, or a plain string.
fn in_value(path: &str, text: &str, facts: &Facts<'_>) -> Answer<bool> {
    let rest = text.trim_start_matches(['<', '>', '=', '!', '~']);
    let operator = &text[..text.len() - rest.len()];
    if !operator.is_empty() {
        return test(path, operator, &yaml_scalar(rest.trim()), facts);
    }
    if text.contains('|') {
        let parts = text.split('|').map(|part| Json::from(part.trim())).collect();
        return test(path, "in", &Json::Array(parts), facts);
    }
    test(path, "==", &Json::from(text), facts)
}

/// One operator on one path.
fn test(path: &str, operator: &str, operand: &Json, facts: &Facts<'_>) -> Answer<bool> {
    if operator == "exists" {
        return facts.present(path).map(|there| Json::Bool(there) == *operand);
    }
    let actual = facts.read(path)?;
    let wanted = Val::from_json(operand, false);
    match (operator, &wanted) {
        ("eq" | "==", _) => equal(&actual, &wanted),
        ("!=", _) => equal(&actual, &wanted).map(|same| !same),
        (">=", _) => order(&actual, &wanted, false).map(Ordering::is_ge),
        ("<=", _) => order(&actual, &wanted, false).map(Ordering::is_le),
        (">", _) => order(&actual, &wanted, false).map(Ordering::is_gt),
        ("<", _) => order(&actual, &wanted, false).map(Ordering::is_lt),
        ("in", Val::List(items)) => is_in(&actual, items),
        ("not_in", Val::List(items)) => is_in(&actual, items).map(|found| !found),
        ("between", Val::List(ends)) if ends.len() == 2 => {
            let above = order(&actual, &ends[0], false)?.is_ge();
            Ok(above & order(&actual, &ends[1], false)?.is_le())
        }
        ("matches", Val::Str(pattern)) => match &actual {
            Val::Str(text) => Ok(naive_glob::matches(pattern, text)),
            _ => Err(Unknown::Error),
        },
        // No bundle that loads has another test; the shrinker tries some that do not.
        _ => Err(Unknown::Error),
    }
}

/// What follows an operator in a string, read as YAML reads a scalar.
fn yaml_scalar(text: &str) -> Json {
    if let Some(inside) = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')) {
        return Json::from(inside.replace("''", "'"));
    }
    if text.starts_with('"') {
        return serde_json::from_str(text).expect("what the generator quotes is JSON too");
    }
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Json::Null,
        "true" | "True" | "TRUE" => Json::Bool(true),
        "false" | "False" | "FALSE" => Json::Bool(false),
        _ if text.starts_with("0x") => Json::from(u64::from_str_radix(&text[2..], 16).unwrap_or_default()),
        _ if text.starts_with("0o") => Json::from(u64::from_str_radix(&text[2..], 8).unwrap_or_default()),
        _ => match text.parse::<f64>() {
            // Rust reads `inf` and `nan` as numbers, YAML does not.
            Ok(number) if text.contains(|c: char| c.is_ascii_digit()) => Json::from(number),
            _ => Json::from(text),
        },
    }
}
