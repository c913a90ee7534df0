//! What people are asked to approve, as JSON, and what their grant is bound to.

use serde_json::{Map, Value, json};
use tollgate_engine::decide::Request;
use tollgate_engine::id::{Digest, RuleId};
use tollgate_engine::model::Bind;
use tollgate_engine::value::{Fields, Seq, View, at_path, number_to_json};

/// What is asked, and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Canonical JSON (RFC 8785).
    pub json: Vec<u8>,
    /// SHA-256 of it.
    pub digest: Digest,
}

impl Asked {
    /// What a grant is bound to: subject, action, environment, mode, the bound context and the
    /// rule (design 2.2). What is absent is left out.
    ///
    /// JSON cannot say NaN and the infinities. They are null where they stand and are named by their
    /// place in `not_finite`, so that no two requests share a digest.
    #[must_use]
    pub fn of(request: &Request<'_>, environment: &str, rule: &RuleId, bind: &Bind) -> Self {
        let mut not_finite = Map::new();
        let context = match bind {
            Bind::All => map_to_json(request.context, "", &mut not_finite),
            Bind::Paths(paths) => bound(request.context, paths, &mut not_finite),
        };
        let mut bound_to = json!({
            "subject": subject(request),
            "action": action(request),
            "environment": environment,
            "rule_id": rule.as_str(),
            "context": context,
        });
        if let Value::Object(fields) = &mut bound_to {
            put(fields, "mode", request.mode);
            if !not_finite.is_empty() {
                fields.insert("not_finite".to_owned(), Value::Object(not_finite));
            }
        }
        let canonical = serde_json_canonicalizer::to_vec(&bound_to);
        let json = canonical.unwrap_or_else(|_| bound_to.to_string().into_bytes());
        Self { digest: Digest::of(&json), json }
    }
}

fn subject(request: &Request<'_>) -> Value {
    let subject = &request.subject;
    let mut fields = Map::new();
    put(&mut fields, "agent", subject.agent);
    put(&mut fields, "user", subject.user);
    put(&mut fields, "tenant", subject.tenant);
    put(&mut fields, "app", subject.app);
    put(&mut fields, "workflow", subject.workflow);
    put(&mut fields, "run", subject.run);
    put_list(&mut fields, "roles", subject.roles);
    Value::Object(fields)
}

fn action(request: &Request<'_>) -> Value {
    let action = &request.action;
    let mut fields = Map::new();
    put(&mut fields, "name", action.name);
    put(&mut fields, "kind", action.kind().name());
    put(&mut fields, "tool", action.tool);
    put(&mut fields, "provider", action.provider);
    put(&mut fields, "model", action.model);
    put(&mut fields, "pipeline", action.pipeline);
    put(&mut fields, "stage", action.stage);
    put(&mut fields, "handler", action.handler);
    put_list(&mut fields, "tags", action.tags);
    Value::Object(fields)
}

fn put(fields: &mut Map<String, Value>, name: &str, text: &str) {
    if !text.is_empty() {
        fields.insert(name.to_owned(), text.into());
    }
}

fn put_list(fields: &mut Map<String, Value>, name: &str, list: &dyn Seq) {
    if !list.is_empty() {
        let items = list_to_json(list, name, &mut Map::new());
        fields.insert(name.to_owned(), items);
    }
}

/// The bound paths as JSON pointers, each with its value; those that are absent are left out.
fn bound(context: &dyn Fields, paths: &[Vec<Box<str>>], not_finite: &mut Map<String, Value>) -> Value {
    let mut fields = Map::new();
    for path in paths {
        let pointer = path.iter().fold(String::new(), |at, step| below(&at, step));
        if let Some(view) = at_path(context, path) {
            let value = to_json(view, &pointer, not_finite);
            fields.insert(pointer, value);
        }
    }
    Value::Object(fields)
}

fn to_json(view: View<'_>, at: &str, not_finite: &mut Map<String, Value>) -> Value {
    match view {
        View::Null => Value::Null,
        View::Bool(b) => b.into(),
        View::Number(n) if n.is_finite() => number_to_json(n),
        View::Number(n) => {
            not_finite.insert(at.to_owned(), n.to_string().into());
            Value::Null
        }
        View::Str(text) => text.into(),
        View::List(list) => list_to_json(list, at, not_finite),
        View::Map(map) => map_to_json(map, at, not_finite),
    }
}

fn list_to_json(list: &dyn Seq, at: &str, not_finite: &mut Map<String, Value>) -> Value {
    let item = |i: usize| to_json(list.at(i)?, &below(at, &i.to_string()), not_finite).into();
    Value::Array((0..list.len()).filter_map(item).collect())
}

fn map_to_json(map: &dyn Fields, at: &str, not_finite: &mut Map<String, Value>) -> Value {
    let mut fields = Map::new();
    map.each(&mut |name, view| {
        fields.insert(name.to_owned(), to_json(view, &below(at, name), not_finite));
    });
    Value::Object(fields)
}

/// One step further in a JSON pointer (RFC 6901).
fn below(at: &str, step: &str) -> String {
    format!("{at}/{}", step.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::tests::{context, request};
    use tollgate_engine::value::ConstMap;

    fn digest(context: &ConstMap, change: impl FnOnce(&mut Request<'_>), bind: &Bind) -> String {
        let mut request = request(context);
        change(&mut request);
        let rule = RuleId::parse("ask-first").unwrap();
        Asked::of(&request, "production", &rule, bind).digest.to_string()
    }

    #[test]
    fn the_digest_is_that_of_the_documented_json() {
        let canonical = concat!(
            r#"{"action":{"kind":"other","name":"send"},"context":{"amount":5,"nested":{"x":1.5}},"#,
            r#""environment":"production","rule_id":"ask-first","subject":{"agent":"inbox"}}"#
        );
        let context = context(json!({"amount": 5.0, "nested": {"x": 1.5}}));
        let got = digest(&context, |_| (), &Bind::All);
        assert_eq!(got, Digest::of(canonical.as_bytes()).to_string());
    }

    #[test]
    fn what_is_bound_changes_it_and_nothing_else_does() {
        let here = context(json!({"amount": 5, "note": "a"}));
        let there = context(json!({"amount": 5, "note": "b"}));
        let amount = Bind::Paths(vec![vec!["amount".into()], vec!["absent".into()]]);
        let plain = digest(&here, |_| (), &Bind::All);
        assert_eq!(digest(&here, |r| r.request_id = "7", &Bind::All), plain);
        assert_eq!(digest(&here, |r| r.attempt = 3, &Bind::All), plain);
        assert_ne!(digest(&here, |r| r.subject.user = "eve", &Bind::All), plain);
        assert_ne!(digest(&here, |r| r.mode = "auto", &Bind::All), plain);
        assert_ne!(digest(&there, |_| (), &Bind::All), plain);
        assert_eq!(digest(&there, |_| (), &amount), digest(&here, |_| (), &amount));
    }

    #[test]
    fn numbers_that_json_cannot_say_keep_their_own_digest() {
        let of = |n: f64| {
            let map = ConstMap::from([("n".into(), tollgate_engine::value::Const::Number(n))]);
            digest(&map, |_| (), &Bind::All)
        };
        let null = digest(&context(json!({"n": null})), |_| (), &Bind::All);
        let all = [of(f64::NAN), of(f64::INFINITY), of(f64::NEG_INFINITY), of(0.0), null];
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
