//! Lays flags over the tree of a request.

use super::RequestFlags;
use serde_json::Value;
use std::sync::Arc;
use tollgate_engine::model::Place;
use tollgate_engine::read::tree::{Content, Entry, Node};

impl RequestFlags {
    /// Sets the fields whose flags are given. `None` when the document is no map: the reader
    /// says so.
    pub(super) fn lay_over(&self, grants: &[String], root: &mut Node) -> Option<()> {
        for (path, text) in self.texts() {
            if let Some(text) = text {
                set(root, path, Content::Text(text.as_str().into()));
            }
        }
        for (path, number) in self.numbers() {
            if let Some(number) = number {
                set(root, path, Content::Number(number));
            }
        }
        let lists: [(&[&str], &[String]); 3] =
            [(&["subject", "roles"], &self.role), (&["action", "tags"], &self.tag), (&["grants"], grants)];
        for (path, texts) in lists {
            if !texts.is_empty() {
                let texts = texts.iter().map(|text| node(Content::Text(text.as_str().into()))).collect();
                set(root, path, Content::List(Arc::new(texts)));
            }
        }
        if self.dry_run {
            set(root, &["dry_run"], Content::Bool(true));
        }
        self.context.iter().for_each(|given| context(root, given));
        Some(())
    }

    fn texts(&self) -> [(&'static [&'static str], &Option<String>); 20] {
        [
            (&["subject", "agent"], &self.agent),
            (&["subject", "user"], &self.user),
            (&["subject", "tenant"], &self.tenant),
            (&["subject", "app"], &self.app),
            (&["subject", "workflow"], &self.workflow),
            (&["subject", "run"], &self.run),
            (&["action", "name"], &self.action),
            (&["action", "kind"], &self.kind),
            (&["action", "tool"], &self.tool),
            (&["action", "provider"], &self.provider),
            (&["action", "model"], &self.model),
            (&["action", "pipeline"], &self.pipeline),
            (&["action", "stage"], &self.stage),
            (&["action", "handler"], &self.handler),
            (&["environment"], &self.environment),
            (&["mode"], &self.mode),
            (&["phase"], &self.phase),
            (&["estimate", "duration"], &self.estimate_duration),
            (&["time_left"], &self.time_left),
            (&["request_id"], &self.request_id),
        ]
    }

    fn numbers(&self) -> [(&'static [&'static str], Option<f64>); 5] {
        [
            (&["priority"], self.priority.map(f64::from)),
            (&["attempt"], self.attempt.map(f64::from)),
            (&["estimate", "cost"], self.estimate_cost),
            (&["estimate", "tokens"], self.estimate_tokens.map(f64::from)),
            (&["estimate", "compute"], self.estimate_compute.map(f64::from)),
        ]
    }
}

/// `key=value`, or a JSON object whose entries are taken one by one.
fn context(root: &mut Node, given: &str) {
    if let Ok(Value::Object(entries)) = serde_json::from_str::<Value>(given) {
        for (key, value) in entries {
            set(root, &["context", &key], content(value));
        }
        return;
    }
    let (key, text) = given.split_once('=').unwrap_or((given, "true"));
    let value = serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    let path: Vec<&str> = std::iter::once("context").chain(key.split('.')).collect();
    set(root, &path, content(value));
}

fn content(value: Value) -> Content {
    match value {
        Value::Null => Content::Null,
        Value::Bool(value) => Content::Bool(value),
        Value::Number(number) => Content::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Content::Text(text.into()),
        Value::Array(items) => {
            Content::List(Arc::new(items.into_iter().map(|item| node(content(item))).collect()))
        }
        Value::Object(entries) => Content::Map(Arc::new(
            entries.into_iter().map(|(key, value)| entry(&key, content(value))).collect(),
        )),
    }
}

/// Sets the value at a path; maps on the way are made, what is no map is replaced.
fn set(node: &mut Node, path: &[&str], value: Content) {
    let Some((first, rest)) = path.split_first() else {
        node.content = value;
        return;
    };
    if !matches!(node.content, Content::Map(_)) {
        node.content = Content::Map(Arc::default());
    }
    let Content::Map(entries) = &mut node.content else { return };
    let entries = Arc::make_mut(entries);
    match entries.iter_mut().find(|entry| *entry.key == **first) {
        Some(entry) => set(&mut entry.node, rest, value),
        None => {
            let mut added = entry(first, Content::Null);
            set(&mut added.node, rest, value);
            entries.push(added);
        }
    }
}

fn entry(key: &str, content: Content) -> Entry {
    Entry { key: key.into(), place: Place::default(), node: node(content) }
}

fn node(content: Content) -> Node {
    Node { place: Place::default(), content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_lie_over_the_document_and_context_takes_paths_and_json() {
        let mut root =
            node(content(serde_json::json!({"subject": {"agent": "a", "user": "u"}, "context": {"x": 1}})));
        let flags = RequestFlags {
            agent: Some("b".into()),
            priority: Some(-3),
            role: vec!["r".into()],
            context: ["email.from=ann@x.org", "n=5", r#"{"a.b": [true]}"#, "flag", "t=\"5\""]
                .map(String::from)
                .into(),
            ..RequestFlags::default()
        };
        assert!(flags.lay_over(&[], &mut root).is_some());
        let want = serde_json::json!({
            "subject": {"agent": "b", "user": "u", "roles": ["r"]},
            "priority": -3,
            "context": {"x": 1, "email": {"from": "ann@x.org"}, "n": 5, "a.b": [true], "flag": true, "t": "5"},
        });
        assert_eq!(root.content.to_const().to_json(), want);
    }
}
