//! `ShouldRateLimit`: whether what Envoy describes is within its limits, all of it or nothing.
//!
//! No rule is asked, since Envoy does not ask whether something may run: only what operators have
//! stopped, and the guardrails.

use tollgate_engine::decide::{Question, Request};
use tonic::Status;

use super::limits;
use crate::data_plane::{DataPlane, Item, span};
use crate::grpc::convert::violation::Place;
use crate::grpc::convert::{Checked, Limits, Violations, field};
use crate::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use crate::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use crate::pb::{Entry, Kind, Struct, Value};
use crate::telemetry::traces::Span;

/// The action of descriptors that name none.
const ACTION: &str = "ratelimit";
/// Entries that are fields of the request besides.
const NAMES: [&str; 14] = [
    "action",
    "agent",
    "app",
    "environment",
    "handler",
    "model",
    "pipeline",
    "provider",
    "run",
    "stage",
    "tenant",
    "tool",
    "user",
    "workflow",
];
/// 2^53: what a rate limit can count.
const MOST_HITS: u64 = 1 << 53;

/// A descriptor as we ask about it.
struct Asked {
    checked: Checked,
    units: u64,
}

/// # Errors
/// INVALID_ARGUMENT for what the operator has configured wrong, UNAVAILABLE while there is no
/// bundle.
pub(super) fn answer(
    plane: &DataPlane,
    bounds: &Limits,
    sent: RateLimitRequest,
    mut span: Option<&mut Span>,
) -> Result<RateLimitResponse, Status> {
    let RateLimitRequest { domain, descriptors, hits_addend } = sent;
    if let Some(span) = &mut span {
        span::tell_count("tollgate.batch.items", descriptors.len(), span);
    }
    check(&domain, &descriptors, bounds)?;
    let hits = |one: &RateLimitDescriptor| one.hits_addend.unwrap_or(u64::from(hits_addend.max(1)));
    let asked: Vec<Result<Asked, String>> = descriptors
        .into_iter()
        .map(|one| {
            let units = hits(&one);
            request(&domain, one, bounds).map(|checked| Asked { checked, units })
        })
        .collect();
    let items: Vec<Item<'_>> = asked.iter().map(item).collect();
    plane.authorize_batch(&items, true, |answers| {
        if let Some(span) = span {
            let allowed = answers.iter().filter(|answer| answer.is_allowed()).count();
            span::tell_count("tollgate.batch.allowed", allowed, span);
            answers.iter().take(1).for_each(|answer| answer.tell_bundle(span));
        }
        limits::response(&answers)
    })
}

/// What only the operator can have done wrong.
fn check(domain: &str, descriptors: &[RateLimitDescriptor], limits: &Limits) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    let mut add = |place, what: String| wrong.add(Place::Field(place), what);
    if domain.is_empty() || domain.len() > limits.name_bytes {
        add("domain", format!("is required and has at most {} bytes", limits.name_bytes));
    }
    if descriptors.is_empty() || descriptors.len() > limits.batch_items {
        let most = limits.batch_items;
        add("descriptors", format!("has {} elements; 1 to {most} are taken", descriptors.len()));
    }
    if descriptors.iter().any(|one| one.is_negative_hits) {
        add("descriptors", "wants hits given back (`is_negative_hits`), which is not served".into());
    }
    if descriptors.iter().any(|one| one.hits_addend.is_some_and(|hits| hits > MOST_HITS)) {
        add("descriptors", "has a `hits_addend` above 2^53".into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn item(asked: &Result<Asked, String>) -> Item<'_> {
    match asked {
        Ok(Asked { checked, units }) => {
            let question = Question::WithinLimits { units: *units };
            Item::Ask(Request { question, ..checked.request() })
        }
        Err(reason) => Item::Malformed { request_id: "", reason },
    }
}

/// A descriptor as a request: every entry stands in `context.descriptor`, those with the name of a
/// field are that field besides, and the tags say of what form it is.
fn request(domain: &str, descriptor: RateLimitDescriptor, limits: &Limits) -> Result<Checked, String> {
    let count = descriptor.entries.len();
    if count > limits.context_values {
        return Err(format!("a descriptor has {count} entries; at most {} are taken", limits.context_values));
    }
    let mut request = field::about(ACTION);
    let keys: Vec<&str> = descriptor.entries.iter().map(|entry| entry.key.as_str()).collect();
    let tags = [format!("domain:{domain}"), format!("entries:{}", keys.join(","))];
    let fits = tags.into_iter().filter(|tag| tag.len() <= limits.name_bytes);
    request.action.get_or_insert_default().tags = fits.collect();
    let mut entries: Vec<(String, String)> = Vec::with_capacity(count);
    for entry in descriptor.entries {
        if NAMES.contains(&entry.key.as_str()) {
            field::put(&mut request, &entry.key, vec![entry.value.clone()], limits)
                .map_err(|what| format!("the entry `{}` {what}", entry.key))?;
        }
        match entries.iter_mut().find(|(key, _)| *key == entry.key) {
            // Two values of one name are one key of a limit, and no other pair is the same.
            Some((_, so_far)) => {
                so_far.push(',');
                so_far.push_str(&entry.value);
            }
            None => entries.push((entry.key, entry.value)),
        }
    }
    let text =
        |(key, value): (String, String)| Entry { key, value: Some(Value { kind: Some(Kind::Text(value)) }) };
    let described = Struct { fields: entries.into_iter().map(text).collect() };
    let described = Value { kind: Some(Kind::Struct(described)) };
    request.context = Some(Struct {
        fields: vec![
            Entry { key: "descriptor".into(), value: Some(described) },
            text(("domain".into(), domain.to_owned())),
        ],
    });
    Checked::new(request, limits).map_err(|wrong| format!("the descriptor cannot be decided: {wrong}"))
}
