//! Subject, action, resource and context in our words.

use prost::Message;

use crate::grpc::convert::{Checked, Limits, field};
use crate::pb::{self, Entry, Kind, Struct, Value};

/// The four of an evaluation, as they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub subject: Option<Struct>,
    pub action: Option<Struct>,
    pub resource: Option<Struct>,
    pub context: Option<Struct>,
}

/// Properties that are fields of the request besides.
const OF_SUBJECT: [&str; 4] = ["app", "run", "tenant", "workflow"];
const OF_ACTION: [&str; 7] = ["handler", "kind", "model", "pipeline", "provider", "stage", "tool"];

impl Facts {
    /// Takes the four out of an object; what else is in it is left there.
    ///
    /// # Errors
    /// One of them is no object.
    pub(super) fn take(object: &mut Struct) -> Result<Self, String> {
        Ok(Self {
            subject: map(object, "subject")?,
            action: map(object, "action")?,
            resource: map(object, "resource")?,
            context: map(object, "context")?,
        })
    }

    /// What an item leaves out is as these have it, each as a whole.
    pub(super) fn or(self, defaults: &Self) -> Self {
        Self {
            subject: self.subject.or_else(|| defaults.subject.clone()),
            action: self.action.or_else(|| defaults.action.clone()),
            resource: self.resource.or_else(|| defaults.resource.clone()),
            context: self.context.or_else(|| defaults.context.clone()),
        }
    }

    /// What they take on the wire, about.
    pub(super) fn bytes(&self) -> usize {
        let all = [&self.subject, &self.action, &self.resource, &self.context];
        all.into_iter().flatten().map(Message::encoded_len).sum()
    }

    /// The request.
    ///
    /// # Errors
    /// Something is missing, of the wrong type, or past a bound.
    pub(super) fn into_request(self, limits: &Limits, id: Option<&str>) -> Result<Checked, String> {
        let missing = |name: &str| format!("`{name}` is required; send an object");
        let mut subject = self.subject.ok_or_else(|| missing("subject"))?;
        let mut action = self.action.ok_or_else(|| missing("action"))?;
        let mut resource = self.resource.ok_or_else(|| missing("resource"))?;
        let kind = text(&mut subject, "type", "subject.type")?;
        let who = text(&mut subject, "id", "subject.id")?;
        let mut request = field::about(&text(&mut action, "name", "action.name")?);
        let put = |request: &mut _, name: &str, value: String| {
            field::put(request, name, vec![value], limits).map_err(|what| format!("`{name}` {what}"))
        };
        put(&mut request, if kind == "agent" { "agent" } else { "user" }, who)?;
        let mut of_subject = properties(&mut subject, "subject.properties")?;
        for name in OF_SUBJECT {
            if let Some(value) = plain(&of_subject, name) {
                put(&mut request, name, value)?;
            }
        }
        request.subject.get_or_insert_default().roles = texts(&of_subject, "roles");
        let of_action = properties(&mut action, "action.properties")?;
        for name in OF_ACTION {
            if let Some(value) = plain(&of_action, name) {
                put(&mut request, name, value)?;
            }
        }
        request.action.get_or_insert_default().tags = texts(&of_action, "tags");
        set(&mut of_subject, "type", Kind::Text(kind));
        let mut context = Struct::default();
        set(&mut context, "action", Kind::Struct(of_action));
        set(&mut context, "resource", Kind::Struct(resource_of(&mut resource)?));
        set(&mut context, "subject", Kind::Struct(of_subject));
        let own = self.context.unwrap_or_default().fields;
        if own.len() > limits.context_values {
            return Err(format!("`context` holds more than {} values; send fewer", limits.context_values));
        }
        for Entry { key, value } in own {
            if let Some(Value { kind: Some(kind) }) = value {
                set(&mut context, &key, kind);
            }
        }
        request.context = Some(context);
        request.request_id = id.filter(|id| id.len() <= limits.name_bytes).unwrap_or_default().to_owned();
        Checked::new(request, limits).map_err(|wrong| wrong.to_string())
    }
}

fn resource_of(resource: &mut Struct) -> Result<Struct, String> {
    let mut own = Struct::default();
    set(&mut own, "id", Kind::Text(text(resource, "id", "resource.id")?));
    set(&mut own, "properties", Kind::Struct(properties(resource, "resource.properties")?));
    set(&mut own, "type", Kind::Text(text(resource, "type", "resource.type")?));
    Ok(own)
}

/// Takes an entry out.
pub(super) fn take(object: &mut Struct, name: &str) -> Option<Kind> {
    let at = object.fields.iter().position(|entry| entry.key == name)?;
    object.fields.remove(at).value.and_then(|value| value.kind)
}

pub(super) fn map(object: &mut Struct, name: &str) -> Result<Option<Struct>, String> {
    match take(object, name) {
        None => Ok(None),
        Some(Kind::Struct(map)) => Ok(Some(map)),
        Some(_) => Err(format!("`{name}` is no object; send one")),
    }
}

fn properties(entity: &mut Struct, path: &str) -> Result<Struct, String> {
    match take(entity, "properties") {
        None => Ok(Struct::default()),
        Some(Kind::Struct(map)) => Ok(map),
        Some(_) => Err(format!("`{path}` is no object; send one, or leave it out")),
    }
}

fn text(entity: &mut Struct, name: &str, path: &str) -> Result<String, String> {
    match take(entity, name) {
        Some(Kind::Text(text)) if !text.is_empty() => Ok(text),
        Some(Kind::Text(_)) | None => Err(format!("`{path}` is required; send a text")),
        Some(_) => Err(format!("`{path}` is no text; send one")),
    }
}

fn of<'s>(map: &'s Struct, name: &str) -> Option<&'s Kind> {
    let entry = map.fields.iter().find(|entry| entry.key == name)?;
    entry.value.as_ref()?.kind.as_ref()
}

fn plain(map: &Struct, name: &str) -> Option<String> {
    match of(map, name) {
        Some(Kind::Text(text)) => Some(text.clone()),
        Some(_) | None => None,
    }
}

/// The texts of a list, if it holds nothing else.
fn texts(map: &Struct, name: &str) -> Vec<String> {
    let Some(Kind::List(list)) = of(map, name) else { return plain(map, name).into_iter().collect() };
    let text = |value: &pb::Value| match &value.kind {
        Some(Kind::Text(text)) => Some(text.clone()),
        Some(_) | None => None,
    };
    list.values.iter().map(text).collect::<Option<_>>().unwrap_or_default()
}

/// Sets an entry; an earlier one of that name is replaced.
fn set(map: &mut Struct, name: &str, kind: Kind) {
    let value = Some(Value { kind: Some(kind) });
    match map.fields.iter_mut().find(|entry| entry.key == name) {
        Some(entry) => entry.value = value,
        None => map.fields.push(Entry { key: name.to_owned(), value }),
    }
}
