//! The account of a rule to `RuleTrace`.

use std::io::{self, Write};

use serde_json::Value;
use tollgate_engine::decide::{RuleOutcome, RuleTrace};
use tollgate_engine::value::to_json;

use crate::pb;

/// Bytes that are shown of a value; a thousand rules may show the same one.
const SHOWN: usize = 1 << 10;

/// The account as it travels.
#[must_use]
pub fn rule_trace(trace: RuleTrace<'_>) -> pb::RuleTrace {
    let outcome = match trace.outcome {
        RuleOutcome::Decided => pb::RuleOutcome::Decided,
        RuleOutcome::Matched => pb::RuleOutcome::Matched,
        RuleOutcome::False => pb::RuleOutcome::False,
        RuleOutcome::Absent => pb::RuleOutcome::Absent,
        RuleOutcome::Error => pb::RuleOutcome::Error,
        RuleOutcome::Outranked => pb::RuleOutcome::Outranked,
        RuleOutcome::Disabled => pb::RuleOutcome::Disabled,
    };
    pb::RuleTrace {
        rule_id: trace.rule.as_str().to_owned(),
        outcome: outcome.into(),
        condition: trace.condition,
        actual: trace.actual.map(|actual| shown(to_json(actual)).into()),
        error: trace.error,
    }
}

/// What is too long to be shown becomes a text that is cut off.
fn shown(actual: Value) -> Value {
    let mut start = Start(Vec::new());
    let written = match &actual {
        Value::String(text) => start.write_all(text.as_bytes()),
        Value::Array(_) | Value::Object(_) => {
            serde_json::to_writer(&mut start, &actual).map_err(io::Error::from)
        }
        _ => Ok(()),
    };
    if written.is_ok() {
        return actual;
    }
    let start = String::from_utf8_lossy(&start.0);
    Value::String(format!("{}…", start.trim_end_matches(char::REPLACEMENT_CHARACTER)))
}

/// Takes the first bytes, then fails.
struct Start(Vec<u8>);

impl Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = SHOWN.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend(bytes.iter().take(room));
        Ok(room)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_the_start_of_a_long_value_is_shown() {
        for short in [json!(1), json!("x".repeat(SHOWN)), json!({"a": [null, true]})] {
            assert_eq!(shown(short.clone()), short);
        }
        for long in [json!("é".repeat(SHOWN)), json!(vec!["x"; SHOWN])] {
            let Value::String(text) = shown(long) else { panic!("a text") };
            assert!(text.len() <= SHOWN + 3 && text.ends_with('…'), "{text}");
            assert!(!text.contains(char::REPLACEMENT_CHARACTER), "{text}");
        }
    }
}
