//! Properties: nothing panics on any input, JSON is what serde_json takes for it, and how a
//! document is written does not change its digest.

use super::{Bounds, SourceFile, read_as};
use crate::model::Severity;
use crate::read::request::{self, RequestBounds};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn survive(name: &str, bytes: &[u8]) {
    let file = SourceFile { name, bytes };
    let reading = crate::read::bundle(&[file], &Bounds::default());
    let errors = reading.findings.iter().any(crate::model::Finding::is_format_error);
    assert_eq!(reading.bundle.is_none(), errors, "{:?}", reading.findings);
    let request = request::read(&file, &RequestBounds::default());
    assert!(request.request.is_some() || !request.findings.is_empty());
}

/// A document that uses most of the format.
const WHOLE: &str = include_str!("whole.yaml");

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_992_i64..=9_007_199_254_740_992).prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z_.é😀]{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn condition() -> impl Strategy<Value = (String, &'static str, Value)> {
    let path = prop_oneof!["[a-z]{1,4}", "[a-z]{1,3}\\.[a-z]{1,3}"];
    let sign = prop_oneof![Just(">="), Just("<="), Just(">"), Just("<"), Just("=="), Just("!=")];
    let value = prop_oneof![
        (-1000..1000_i32).prop_map(Value::from),
        "[a-z]{2,6}[0-9]".prop_map(Value::from),
        (-1000.0..1000.0_f64).prop_map(Value::from),
    ];
    (path, sign, value)
}

/// The same conditions in the spelling of this number.
fn spelled(conditions: &[(String, &'static str, Value)], spelling: usize) -> Map<String, Value> {
    let mut map = Map::new();
    for (i, (path, sign, value)) in conditions.iter().enumerate() {
        // one path twice would be two tests that one mapping has to hold
        let path = format!("{path}{i}");
        let (key, value) = match (spelling + i) % 4 {
            0 => (format!("{sign}{path}"), value.clone()),
            1 => (format!("{path}{sign}"), value.clone()),
            2 => (path, format!("{sign} {value}").into()),
            _ => (path, json!({ *sign: value })),
        };
        map.insert(key, value);
    }
    map
}

fn bundle_of(conditions: Map<String, Value>, data: &Value, camel: bool, single: bool) -> Value {
    let name = |snake: &'static str, camel_case: &'static str| if camel { camel_case } else { snake };
    let pattern = if single { json!("tool.*") } else { json!(["tool.*"]) };
    json!({
        "format": "tollgate/v1",
        "version": "1.2.3",
        name("min_engine", "minEngine"): "0.1.0",
        "data": { "value": data },
        "rules": [{
            "id": "some-rule",
            "effect": if camel { "needs_approval" } else { "require_approval" },
            "reason": "Because it is so",
            "agent": pattern,
            "target": { name("stage_names", "stageNames"): pattern, "kinds": ["tool"] },
            "conditions": conditions,
            "metadata": { "someKey": data, "some_key": 1 },
            name("on_unavailable", "onUnavailable"): "deny",
        }],
    })
}

/// JSON as block-style YAML, quoted wherever it is text.
fn yaml(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("\n{pad}{}: ", Value::from(key.as_str())));
                yaml(value, indent + 2, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{pad}- "));
                yaml(item, indent + 2, out);
            }
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => out.push_str(&value.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        survive("b.yaml", &bytes);
        survive("b.json", &bytes);
    }

    #[test]
    fn no_text_of_signs_makes_it_panic(text in "[-?:,\\[\\]{}#&*!|>'\"%@` \\n\\t~<=a1.\\\\é]{0,60}") {
        survive("b.yaml", text.as_bytes());
        survive("b.json", text.as_bytes());
    }

    #[test]
    fn no_mutation_of_a_document_makes_it_panic(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0..20_usize, "[-:{}\\[\\]&*'\"<>=|a0 \\n]{0,4}"), 1..6)
    ) {
        let mut bytes = WHOLE.as_bytes().to_vec();
        for (at, length, new) in cuts {
            let at = at.index(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, new.into_bytes());
        }
        survive("b.yaml", &bytes);
    }

    #[test]
    fn json_is_what_serde_json_takes_for_it(text in "[\\[\\]{},:\"\\\\truefalsn0-9eE+. \\t\\n]{0,12}") {
        let serde = serde_json::from_str::<Value>(&text);
        let mut found = crate::read::Findings::default();
        let limits = Bounds::default().tree();
        let file = SourceFile { name: "b.json", bytes: text.as_bytes() };
        let node = crate::read::tree::parse(&file, 0, &limits, &mut Default::default(), &mut found);
        match serde {
            // what it holds beyond our bounds is reported, not refused as JSON
            Ok(value) => {
                let node = node.unwrap();
                if found.format_errors() == 0 {
                    prop_assert_eq!(node.content.to_const().to_json().to_string(), plain(&value));
                }
            }
            Err(_) => prop_assert!(found.format_errors() > 0, "{}", text),
        }
    }

    #[test]
    fn how_a_document_is_written_does_not_change_its_digest(
        conditions in prop::collection::vec(condition(), 0..5),
        data in json_value(),
        (one, two) in (0..4_usize, 0..4_usize),
        camel in any::<bool>(),
        single in any::<bool>(),
    ) {
        let snake = bundle_of(spelled(&conditions, one), &data, false, false);
        let other = bundle_of(spelled(&conditions, two), &data, camel, single);
        let mut block = String::new();
        yaml(&other, 0, &mut block);
        let digest = |name: &str, text: &str| {
            let reading = read_as(name, text);
            let errors: Vec<_> = reading.findings.iter().filter(|f| f.severity == Severity::Error).collect();
            assert!(errors.is_empty(), "{text}\n{errors:#?}");
            reading.bundle.unwrap().digest
        };
        let want = digest("a.json", &snake.to_string());
        prop_assert_eq!(digest("b.json", &serde_json::to_string_pretty(&other).unwrap()), want);
        prop_assert_eq!(digest("c.yaml", &block), want, "{}", block);
    }
}

/// The value as our own numbers write it: doubles, whole ones without a fraction.
fn plain(value: &Value) -> String {
    match value {
        Value::Number(n) => crate::value::number_to_json(n.as_f64().unwrap()).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(",")),
        Value::Object(map) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}:{}", Value::from(key.as_str()), plain(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}
