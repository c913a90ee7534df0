//! Expressions: compiled, asked, and answered as the naive interpreter does. An input is a `when`; behind a line of
//! `%%%%` stands the context that it is asked with.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{engine, naive, text};

const HERE: &str = "default";
/// What an expression finds where the input says nothing else.
const CONTEXT: &str = r#"{"a": 1, "b": "text", "list": [1, "two", null, 3.5], "map": {"x": {"y": true}}, "t": "2026-11-21T08:00:00Z",
  "d": "90s", "ip": "10.0.0.7", "nan": {"$nan": true}, "inf": {"$inf": true}, "zero": 0, "big": 9007199254740993}"#;

pub(crate) fn run(input: &[u8]) {
    let Some((when, context)) = text::two(input) else { return };
    let given: Option<Value> = serde_json::from_str(context).ok().filter(Value::is_object);
    let context = given.unwrap_or_else(|| serde_json::from_str(CONTEXT).expect("the context is JSON"));
    let request = json!({
        "subject": {"agent": "inbox", "tenant": "acme", "roles": ["admin"]},
        "action": {"name": "send", "kind": "tool", "tags": ["pii"]},
        "estimate": {"cost": 0.5, "tokens": 1000, "duration": "1.5s"},
        "context": context, "priority": 3, "mode": "auto",
    });
    let now: Timestamp = "2026-11-21T08:00:00Z".parse().expect("a timestamp");
    let asked = [(request, now)];
    // The two differ in what they make of an unknown.
    for effect in ["allow", "deny"] {
        let bundle = json!({
            "format": "tollgate/v1", "version": "1.0.0",
            "data": {"n": 1, "list": ["a", "b"], "map": {"k": 2}},
            "rules": [{"id": "rule", "effect": effect, "reason": "it is what the input asks for", "when": when}],
        });
        let bundle_text = bundle.to_string();
        if engine::decide(&bundle_text, &[], HERE).is_err() {
            return;
        }
        let answers = engine::decide(&bundle_text, &asked, HERE).expect("the request is one");
        let naive = naive::decide(&bundle, &asked[0].0, now, HERE);
        assert_eq!(answers.first(), Some(&naive), "{effect} when {when}");
    }
}
