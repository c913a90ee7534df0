//! Reading the fields of a request, and holding them to the bounds of design 1.8.

use super::{ActionDocument, RequestBounds, RequestDocument, SubjectDocument};
use crate::model::request::Estimate;
use crate::model::{ActionKind, Code, Phase};
use crate::read::form::{Field, Form, Known, Shape};
use crate::read::tree::{self, Content, Node};
use crate::read::{Findings, listed, nearest, shown};
use crate::value::ConstMap;

static REQUEST: Shape = Shape {
    what: "a request",
    fields: &[
        Known::plain("subject"),
        Known::plain("action"),
        Known::plain("context"),
        Known::plain("environment"),
        Known::plain("mode"),
        Known::plain("phase"),
        Known::plain("priority"),
        Known::plain("estimate"),
        Known::plain("batch_id"),
        Known::plain("request_id"),
        Known::plain("attempt"),
        Known::plain("grants"),
        Known::plain("dry_run"),
        Known::plain("time_left"),
    ],
};

static SUBJECT: Shape = Shape {
    what: "`subject`",
    fields: &[
        Known::plain("agent"),
        Known::plain("user"),
        Known::plain("tenant"),
        Known::plain("app"),
        Known::plain("workflow"),
        Known::plain("run"),
        Known::plain("roles"),
    ],
};

static ACTION: Shape = Shape {
    what: "`action`",
    fields: &[
        Known::plain("name"),
        Known::plain("kind"),
        Known::plain("tool"),
        Known::plain("provider"),
        Known::plain("model"),
        Known::plain("pipeline"),
        Known::plain("stage"),
        Known::plain("handler"),
        Known::plain("tags"),
    ],
};

static ESTIMATE: Shape = Shape {
    what: "`estimate`",
    fields: &[
        Known::plain("cost"),
        Known::plain("tokens"),
        Known::plain("compute"),
        Known::plain("duration"),
    ],
};

/// The largest count that is exact as a double.
const MOST_COUNTED: u64 = 1 << 53;

/// Reads a request that stands in a document. What is wrong is reported, and the request is then
/// not what was meant; null is absence, as in the JSON of protobuf.
#[must_use]
pub fn document(field: Field<'_>, bounds: &RequestBounds, found: &mut Findings) -> Option<RequestDocument> {
    Reader { bounds, of_action: true, found }.document(field)
}

/// The same of a request that may be about no action in particular: what Budget is asked with.
#[must_use]
pub fn facts(field: Field<'_>, bounds: &RequestBounds, found: &mut Findings) -> Option<RequestDocument> {
    Reader { bounds, of_action: false, found }.document(field)
}

struct Reader<'a> {
    bounds: &'a RequestBounds,
    /// Whether it must be about an action.
    of_action: bool,
    found: &'a mut Findings,
}

impl Reader<'_> {
    fn document(&mut self, field: Field<'_>) -> Option<RequestDocument> {
        let form = Form::open(field, &REQUEST, self.found)?;
        let action = match form.present("action") {
            Some(field) => self.action(field),
            None if !self.of_action => Some(ActionDocument::default()),
            None => {
                let remedy = "add `action: {name: ...}`";
                self.found.error_with(Code::MissingField, form.place, "a request needs `action`", remedy);
                None
            }
        };
        Some(RequestDocument {
            subject: form.present("subject").and_then(|f| self.subject(f)).unwrap_or_default(),
            context: form.present("context").and_then(|f| self.context(f)).unwrap_or_default(),
            environment: self.name(&form, "environment"),
            mode: self.name(&form, "mode"),
            phase: form.present("phase").and_then(|f| phase(f, self.found)).unwrap_or_default(),
            priority: form.present("priority").and_then(|f| f.whole(i32::MIN, i32::MAX, self.found)),
            estimate: form.present("estimate").and_then(|f| self.estimate(f)).unwrap_or_default(),
            batch_id: self.name(&form, "batch_id"),
            request_id: self.name(&form, "request_id"),
            attempt: form
                .present("attempt")
                .and_then(|f| f.whole(0, u32::MAX, self.found))
                .unwrap_or_default(),
            grants: self.texts(&form, "grants", self.bounds.grants, self.bounds.string_bytes),
            dry_run: form.present("dry_run").and_then(|f| f.boolean(self.found)).unwrap_or_default(),
            time_left: form.present("time_left").and_then(|f| f.duration(self.found)),
            // last, so that what is wrong with the others is reported too
            action: action?,
        })
    }

    fn subject(&mut self, field: Field<'_>) -> Option<SubjectDocument> {
        let form = Form::open(field, &SUBJECT, self.found)?;
        Some(SubjectDocument {
            agent: self.name(&form, "agent"),
            user: self.name(&form, "user"),
            tenant: self.name(&form, "tenant"),
            app: self.name(&form, "app"),
            workflow: self.name(&form, "workflow"),
            run: self.name(&form, "run"),
            roles: self.names(&form, "roles"),
        })
    }

    fn action(&mut self, field: Field<'_>) -> Option<ActionDocument> {
        let form = Form::open(field, &ACTION, self.found)?;
        let action = ActionDocument {
            name: self.name(&form, "name"),
            kind: form.present("kind").and_then(|f| kind(f, self.found)),
            tool: self.name(&form, "tool"),
            provider: self.name(&form, "provider"),
            model: self.name(&form, "model"),
            pipeline: self.name(&form, "pipeline"),
            stage: self.name(&form, "stage"),
            handler: self.name(&form, "handler"),
            tags: self.names(&form, "tags"),
        };
        let nameless = action.name.is_empty() && self.of_action;
        if nameless && form.present("name").is_none_or(|f| f.node.text() == Some("")) {
            let remedy = "name what is to be done";
            self.found.error_with(Code::MissingField, form.place, "`action` needs `name`", remedy);
        }
        Some(action)
    }

    fn estimate(&mut self, field: Field<'_>) -> Option<Estimate> {
        let form = Form::open(field, &ESTIMATE, self.found)?;
        Some(Estimate {
            cost: form.present("cost").and_then(|f| f.money(self.found)),
            tokens: form.present("tokens").and_then(|f| f.whole(0, MOST_COUNTED, self.found)),
            compute: form.present("compute").and_then(|f| f.whole(0, MOST_COUNTED, self.found)),
            duration: form.present("duration").and_then(|f| f.duration(self.found)),
        })
    }

    fn name(&mut self, form: &Form<'_>, name: &str) -> Box<str> {
        let Some(field) = form.present(name) else {
            return Box::default();
        };
        self.text(field, self.bounds.name_bytes).unwrap_or_default()
    }

    fn names(&mut self, form: &Form<'_>, name: &str) -> Vec<Box<str>> {
        self.texts(form, name, self.bounds.list_items, self.bounds.name_bytes)
    }

    fn texts(&mut self, form: &Form<'_>, name: &str, most: usize, bytes: usize) -> Vec<Box<str>> {
        let Some(field) = form.present(name) else {
            return Vec::new();
        };
        let Some(elements) = field.list(self.found) else {
            return Vec::new();
        };
        let texts: Vec<Box<str>> = elements.filter_map(|e| self.text(e, bytes)).collect();
        if texts.len() > most {
            let what = format!("has {} elements; at most {most} are taken", texts.len());
            self.out_of_bounds(field.node, &field.label(), &what);
        }
        texts
    }

    fn text(&mut self, field: Field<'_>, most: usize) -> Option<Box<str>> {
        let text = field.text(self.found)?;
        if text.len() > most {
            let what = format!("is a text of {} bytes; at most {most} are taken", text.len());
            self.out_of_bounds(field.node, &field.label(), &what);
        }
        Some(text.into())
    }

    fn context(&mut self, field: Field<'_>) -> Option<ConstMap> {
        let Some(entries) = field.node.entries() else {
            field.wrong_type("write a map", self.found);
            return None;
        };
        let mut values = 0;
        if !self.within(field.node, "context", 1, &mut values) {
            return None;
        }
        Some(tree::to_const_map(entries))
    }

    /// Checks what a list or a map of the context holds; stops where there are too many values.
    fn within(&mut self, node: &Node, name: &str, depth: usize, values: &mut usize) -> bool {
        let inside: Vec<(&str, &Node)> = match &node.content {
            Content::Map(entries) => entries.iter().map(|e| (&*e.key, &e.node)).collect(),
            Content::List(nodes) => nodes.iter().map(|node| (name, node)).collect(),
            Content::Null | Content::Bool(_) | Content::Number(_) | Content::Text(_) => Vec::new(),
        };
        for (name, node) in inside {
            *values += 1;
            let (most_values, most_depth) = (self.bounds.context_values, self.bounds.context_depth);
            if *values > most_values {
                let what = format!("holds more than {most_values} values in all");
                self.out_of_bounds(node, "`context`", &what);
                return false;
            }
            if depth > most_depth {
                let what = format!("is nested more than {most_depth} levels deep");
                self.out_of_bounds(node, &shown(name), &what);
                return false;
            }
            let most = self.bounds.name_bytes;
            if name.len() > most {
                let what = format!("is a name of {} bytes; at most {most} are taken", name.len());
                self.out_of_bounds(node, &shown(name), &what);
            }
            let most = self.bounds.string_bytes;
            if let Some(text) = node.text().filter(|text| text.len() > most) {
                let what = format!("is a text of {} bytes; at most {most} are taken", text.len());
                self.out_of_bounds(node, &shown(name), &what);
            }
            if !self.within(node, name, depth + 1, values) {
                return false;
            }
        }
        true
    }

    fn out_of_bounds(&mut self, node: &Node, label: &str, what: &str) {
        let message = format!("{label} {what}");
        self.found.error_with(Code::OutOfBounds, node.place, message, "send less");
    }
}

fn kind(field: Field<'_>, found: &mut Findings) -> Option<ActionKind> {
    let all = ActionKind::ALL.map(|kind| (kind.name(), Some(kind)));
    enumerated(field, "ACTION_KIND_", all.into_iter().chain([("unspecified", None)]), found)?
}

fn phase(field: Field<'_>, found: &mut Findings) -> Option<Phase> {
    let all = Phase::ALL.map(|phase| (phase.name(), phase));
    let unspecified = [("unspecified", Phase::default())];
    enumerated(field, "PHASE_", all.into_iter().chain(unspecified), found)
}

/// A value of an enum: in either case, with or without the protocol's prefix.
fn enumerated<T>(
    field: Field<'_>,
    prefix: &str,
    values: impl Iterator<Item = (&'static str, T)> + Clone,
    found: &mut Findings,
) -> Option<T> {
    let names = || values.clone().map(|(name, _)| name).filter(|name| *name != "unspecified");
    let Some(text) = field.node.text() else {
        field.wrong_type(&format!("write one of {}", listed(names())), found);
        return None;
    };
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix(prefix).unwrap_or(&upper).to_ascii_lowercase();
    if let Some((_, value)) = values.clone().find(|(known, _)| *known == name) {
        return Some(value);
    }
    let suggestion = match nearest(&name, names()) {
        Some(name) => format!("write `{}`", name.to_ascii_uppercase()),
        None => format!("write one of {}", listed(names())),
    };
    field.bad_value(&format!("cannot be {}", shown(text)), &suggestion, found);
    None
}
