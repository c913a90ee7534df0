//! An answer in the form that expectations name it by: limits and refusals by guardrail, budgets by
//! measure.

use serde_json::{Map, Value};

/// The measures of budgets by the names that their rules have.
const MEASURES: [(&str, &str); 6] = [
    ("TOOL_CALLS", "max_tool_calls"),
    ("LLM_CALLS", "max_llm_calls"),
    ("LLM_TOKENS", "max_llm_tokens"),
    ("COST", "max_cost"),
    ("COMPUTE", "max_compute"),
    ("DURATION_SECONDS", "max_duration_seconds"),
];

/// The same answer with maps where a server's reply has lists.
pub(super) fn expectable(answer: &Value) -> Value {
    let mut answer = answer.clone();
    if let Some(responses) = answer.get_mut("responses").and_then(Value::as_array_mut) {
        responses.iter_mut().for_each(|response| *response = expectable(response));
    }
    let Some(fields) = answer.as_object_mut() else { return answer };
    if let Some(Value::Array(rooms)) = fields.get("limits") {
        let (limits, budget) = (by_guardrail(rooms), by_measure(rooms));
        fields.insert("limits".into(), limits);
        fields.insert("budget".into(), budget);
    }
    if let Some(Value::Array(refusals)) = fields.get("refusals") {
        let all = refusals.iter().filter_map(|one| Some((text(one, "guardrail")?.into(), one.clone())));
        let all = all.collect();
        fields.insert("refusals".into(), Value::Object(all));
    }
    answer
}

/// Each guardrail with the fields of its measure, where it has one, and with its measures by name.
fn by_guardrail(rooms: &[Value]) -> Value {
    let mut all: Map<String, Value> = Map::new();
    for room in rooms {
        let Some(name) = text(room, "guardrail") else { continue };
        let measures = rooms.iter().filter(|other| text(other, "guardrail") == Some(name)).count();
        let one = if measures == 1 { room.clone() } else { Value::Object(Map::new()) };
        let entry = all.entry(name).or_insert(one);
        if let (Some(measure), Some(entry)) = (measure(room), entry.as_object_mut()) {
            entry.insert(measure.into(), room.clone());
        }
    }
    Value::Object(all)
}

/// Each measure of a budget; of several budgets the one with the least left.
fn by_measure(rooms: &[Value]) -> Value {
    let mut all: Map<String, Value> = Map::new();
    let left = |room: &Value| room.get("left").and_then(Value::as_f64).unwrap_or(f64::MAX);
    for room in rooms {
        let Some(name) = measure(room) else { continue };
        if all.get(name).is_none_or(|other| left(room) < left(other)) {
            all.insert(name.into(), room.clone());
        }
    }
    Value::Object(all)
}

fn measure(room: &Value) -> Option<&'static str> {
    let measure = text(room, "measure")?;
    MEASURES.iter().find(|(wire, _)| *wire == measure).map(|(_, name)| *name)
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_become_maps_and_a_measure_that_is_alone_stands_for_its_guardrail() {
        let room = |guardrail: &str, measure: &str, left: f64| json!({"guardrail": guardrail, "measure": measure, "left": left});
        let answer = json!({
            "limits": [room("a", "COST", 4.0), room("b", "COST", 3.0), room("b", "TOOL_CALLS", 2.0), room("c", "UNITS", 1.0)],
            "refusals": [{"guardrail": "c", "effect": "THROTTLE"}],
        });
        let got = expectable(&json!({"responses": [answer]}));
        let got = &got["responses"][0];
        for (path, want) in [
            ("/limits/a/left", json!(4.0)),
            ("/limits/a/max_cost/left", json!(4.0)),
            ("/limits/b/left", Value::Null),
            ("/limits/b/max_tool_calls/left", json!(2.0)),
            ("/limits/c/left", json!(1.0)),
            ("/budget/max_cost/guardrail", json!("b")),
            ("/refusals/c/effect", json!("THROTTLE")),
        ] {
            assert_eq!(got.pointer(path).unwrap_or(&Value::Null), &want, "{path}");
        }
    }
}
