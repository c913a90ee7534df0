//! The request as pages 1.2 and 1.5 read it: own fields, the context, and the paths of `conditions`.

use std::cell::OnceCell;

use serde_json::Value as Json;

use crate::naive_time;
use crate::naive_value::{Answer, Unknown, Val};

/// A request with what the page derives from it.
pub struct Facts<'a> {
    request: &'a Json,
    pub context: Val,
    bundle: &'a Json,
    data: OnceCell<Val>,
    pub now: i128,
    environment: String,
}

impl<'a> Facts<'a> {
    pub fn new(bundle: &'a Json, request: &'a Json, now: jiff::Timestamp, server_environment: &str) -> Self {
        let empty = Json::Object(serde_json::Map::new());
        let context = request.get("context").unwrap_or(&empty);
        let said = text_at(request, "", "environment").or_else(|| text_at(request, "context", "environment"));
        Self {
            request,
            context: Val::from_json(context, true),
            bundle,
            data: OnceCell::new(),
            now: now.as_nanosecond(),
            environment: said.unwrap_or(server_environment).to_owned(),
        }
    }

    /// The bundle's constants.
    pub fn data(&self) -> &Val {
        self.data.get_or_init(|| match self.bundle.get("data") {
            Some(data) => Val::from_json(data, false),
            None => Val::map(Vec::new(), false),
        })
    }

    /// One of the request's own fields of strings, absent when empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        match name {
            "agent" | "user" | "tenant" | "app" | "workflow" | "run" => {
                text_at(self.request, "subject", name)
            }
            "action" => text_at(self.request, "action", "name"),
            "kind" => Some(self.kind()),
            "tool" | "provider" | "model" | "pipeline" | "stage" | "handler" => {
                text_at(self.request, "action", name)
            }
            "environment" => Some(&self.environment),
            "mode" => text_at(self.request, "", "mode"),
            "phase" => Some(text_at(self.request, "", "phase").unwrap_or("dispatch")),
            _ => None,
        }
    }

    fn kind(&self) -> &str {
        let set = |name| text_at(self.request, "action", name).is_some();
        if let Some(said) = text_at(self.request, "action", "kind") {
            said
        } else if set("tool") {
            "tool"
        } else if set("provider") || set("model") {
            "llm"
        } else if set("stage") || set("handler") {
            "stage"
        } else {
            "other"
        }
    }

    /// The request's `roles` or `tags`.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let list = match name {
            "roles" => &self.request["subject"]["roles"],
            _ => &self.request["action"]["tags"],
        };
        list.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
    }

    /// A field of the request's own, by its bare name, where the request has set it.
    pub fn own(&self, name: &str) -> Option<Val> {
        let number = |json: &Json| json.as_f64().map(Val::Double);
        let estimate = &self.request["estimate"];
        match name {
            "roles" | "tags" => {
                let values: Vec<Val> = self.texts(name).into_iter().map(Val::str).collect();
                (!values.is_empty()).then(|| Val::list(values))
            }
            "priority" => number(&self.request["priority"]),
            "attempt" => Some(number(&self.request["attempt"]).unwrap_or(Val::Double(0.0))),
            "estimate.cost" => number(&estimate["cost"]),
            "estimate.tokens" => number(&estimate["tokens"]),
            "estimate.compute" => number(&estimate["compute"]),
            "estimate.duration" => self.estimated_nanos().map(|n| Val::Double(n as f64 / 1e9)),
            _ => self.text(name).map(Val::str),
        }
    }

    /// The estimate's duration in nanoseconds.
    pub fn estimated_nanos(&self) -> Option<i128> {
        naive_time::parse_duration(self.request["estimate"]["duration"].as_str()?)
    }

    /// The caller's time left in seconds.
    pub fn time_left(&self) -> Option<f64> {
        let nanos = naive_time::parse_duration(self.request["time_left"].as_str()?)?;
        Some(nanos as f64 / 1e9)
    }

    /// What a path of `conditions` reads.
    pub fn read(&self, path: &str) -> Answer {
        match self.place(path) {
            Place::Own(name) => self.own(name).map_or_else(|| list_or_absent(name), Ok),
            Place::Usage => Err(Unknown::Absent),
            Place::In(root, rest) => match walk(root, rest) {
                Err(Unknown::Absent) if path == rest => list_or_absent(path),
                answer => answer,
            },
        }
    }

    /// Whether a path is there, null included: `exists`.
    pub fn present(&self, path: &str) -> Answer<bool> {
        let (root, rest) = match self.place(path) {
            Place::Own(name) => return Ok(self.own(name).is_some()),
            Place::Usage => return Ok(false),
            Place::In(root, rest) => (root, rest),
        };
        let parent = match rest.rsplit_once('.') {
            Some((parents, last)) => walk(root, parents).map(|v| (v, last)),
            None => Ok((root.clone(), rest)),
        };
        match parent {
            Ok((value, last)) => value.has(last),
            Err(Unknown::Absent) => Ok(false),
            Err(Unknown::Error) => Err(Unknown::Error),
        }
    }

    /// Where a path leads. A bare name is the request's own where the request has set it, else the context's.
    fn place<'p>(&self, path: &'p str) -> Place<'_, 'p> {
        match path.split_once('.') {
            Some(("request", name)) => Place::Own(name),
            Some(("context", rest)) => Place::In(&self.context, rest),
            Some(("data", rest)) => Place::In(self.data(), rest),
            Some(("usage", _)) => Place::Usage,
            _ if self.own(path).is_some() => Place::Own(path),
            _ => Place::In(&self.context, path),
        }
    }
}

enum Place<'v, 'p> {
    Own(&'p str),
    Usage,
    In(&'v Val, &'p str),
}

/// An own field that is not set: `roles` and `tags` read as the empty list, the others are absent.
fn list_or_absent(name: &str) -> Answer {
    if matches!(name, "roles" | "tags") { Ok(Val::list(vec![])) } else { Err(Unknown::Absent) }
}

fn walk(root: &Val, path: &str) -> Answer {
    path.split('.').try_fold(root.clone(), |value, key| value.select(key))
}

/// A string of the request, absent when empty. `group` is the message it stands in.
fn text_at<'a>(request: &'a Json, group: &str, name: &str) -> Option<&'a str> {
    let holder = if group.is_empty() { request } else { request.get(group)? };
    holder.get(name)?.as_str().filter(|s| !s.is_empty())
}
