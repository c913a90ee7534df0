//! `WatchEventsRequest` to a filter, an event to `WatchEventsResponse`.

use tollgate_engine::condition::glob::Glob;

use super::Limits;
use super::context::too_long;
use super::decision::timestamp;
use super::violation::{Place, Violations};
use crate::events::{EventId, Filter, Recorded};
use crate::pb;

/// Globs of types; each is matched with every kind of event once.
const MOST_TYPES: usize = 64;

/// What somebody wants to follow, and from where on.
///
/// # Errors
/// Names each element that is no glob, no name or no id, and what to send instead.
pub fn watch(sent: pb::WatchEventsRequest, limits: &Limits) -> Result<(Filter, Option<EventId>), Violations> {
    let mut wrong = Violations::default();
    let pb::WatchEventsRequest { types, after_event_id, guardrails, tenants } = sent;
    let globs = globs(&types, &mut wrong);
    names("guardrails", &guardrails, limits, &mut wrong);
    names("tenants", &tenants, limits, &mut wrong);
    let after = match after_event_id.as_str() {
        "" => None,
        text => text.parse().map_err(|bad| wrong.add(Place::Field("after_event_id"), bad)).ok(),
    };
    if wrong.is_empty() { Ok((Filter::new(&globs, guardrails, tenants), after)) } else { Err(wrong) }
}

fn globs(types: &[String], wrong: &mut Violations) -> Vec<Glob> {
    let place = Place::Field("types");
    if is_too_many(place, types.len(), MOST_TYPES, wrong) {
        return Vec::new();
    }
    let mut globs = Vec::with_capacity(types.len());
    for (index, text) in types.iter().enumerate() {
        let place = Place::Index(&place, index);
        match Glob::parse(text) {
            Ok(_) if text.is_empty() => wrong.add(place, "is empty; send a type, such as `breaker.*`"),
            Ok(glob) => globs.push(glob),
            Err(bad) => wrong.add(place, format!("is no glob: {bad}")),
        }
    }
    globs
}

fn names(field: &'static str, names: &[String], limits: &Limits, wrong: &mut Violations) {
    let place = Place::Field(field);
    if is_too_many(place, names.len(), limits.list_items, wrong) {
        return;
    }
    for (index, name) in names.iter().enumerate() {
        let place = Place::Index(&place, index);
        if name.is_empty() {
            wrong.add(place, "is empty; send a name, or leave the list out");
        } else if name.len() > limits.name_bytes {
            wrong.add(place, too_long("is a text", name.len(), limits.name_bytes));
        }
    }
}

fn is_too_many(place: Place<'_>, elements: usize, most: usize, wrong: &mut Violations) -> bool {
    if elements > most {
        wrong.add(place, format!("has {elements} elements; at most {most} are taken"));
    }
    elements > most
}

/// The event as it travels.
#[must_use]
pub fn event(recorded: &Recorded) -> pb::WatchEventsResponse {
    let mut data = pb::Struct::default();
    recorded.event.each_field(&mut |name, text| {
        let value = Some(pb::Value { kind: Some(pb::Kind::Text(text.to_owned())) });
        data.fields.push(pb::Entry { key: name.to_owned(), value });
    });
    pb::WatchEventsResponse {
        event_id: recorded.id.to_string(),
        r#type: recorded.event.kind().name().to_owned(),
        time: Some(timestamp(recorded.time)),
        data: Some(data),
        repeated_count: recorded.repeated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sent: pb::WatchEventsRequest) -> String {
        watch(sent, &Limits::default()).map_or_else(|wrong| wrong.to_string(), |_| "taken".into())
    }

    #[test]
    fn what_is_no_filter_is_named() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let types = |types: &[&str]| pb::WatchEventsRequest { types: texts(types), ..Default::default() };
        let tenants = |tenants: Vec<String>| pb::WatchEventsRequest { tenants, ..Default::default() };
        let after = |id: &str| pb::WatchEventsRequest { after_event_id: id.into(), ..Default::default() };
        for (sent, want) in [
            (types(&["breaker.*", "none.such"]), "taken"),
            (types(&["a", "breaker.["]), "`types[1]` is no glob: `[` has no partner"),
            (types(&[""]), "`types[0]` is empty; send a type"),
            (types(&["a"; 65]), "`types` has 65 elements; at most 64 are taken"),
            (tenants(texts(&["acme", ""])), "`tenants[1]` is empty; send a name"),
            (tenants(vec!["x".repeat(257)]), "`tenants[0]` is a text of 257 bytes; at most 256 are taken"),
            (tenants(vec!["x".into(); 257]), "`tenants` has 257 elements"),
            (after("7"), "`after_event_id` is no id of an event; give back an `event_id` as it came"),
        ] {
            let told = told(sent);
            assert!(told.starts_with(want), "{want}: {told}");
        }
    }
}
