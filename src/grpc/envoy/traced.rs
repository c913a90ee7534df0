//! Whose trace a check belongs to.

use tonic::Request;

use crate::pb::envoy::service::auth::v3::CheckRequest;
use crate::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use crate::telemetry::traces::Caller;

/// The trace of the request that Envoy asks about. Where Envoy records that trace itself, the call's
/// metadata names its own span, which lies nearer than the client's.
pub(super) fn caller(rpc: &Request<CheckRequest>) -> Option<Caller<'_>> {
    let attributes = rpc.get_ref().attributes.as_ref();
    let http = attributes.and_then(|attributes| attributes.request.as_ref()?.http.as_ref());
    let client = http.and_then(|http| {
        let parent = header(http, "traceparent")?;
        Caller::read(parent, header(http, "tracestate").unwrap_or_default())
    });
    let envoy = Caller::of(rpc.metadata().as_ref());
    match (client, envoy) {
        (Some(client), Some(envoy)) if envoy.trace == client.trace => Some(envoy),
        (client, envoy) => client.or(envoy),
    }
}

/// A header, however Envoy sends it, without putting together what it sent in parts.
fn header<'h>(http: &'h HttpRequest, name: &str) -> Option<&'h str> {
    let plain = http.headers.iter().find(|entry| entry.key.eq_ignore_ascii_case(name));
    let raw = || {
        let mut all = http.header_map.iter().flat_map(|map| &map.headers);
        let found = all.find(|one| one.key.eq_ignore_ascii_case(name))?;
        if found.raw_value.is_empty() {
            return Some(found.value.as_str());
        }
        std::str::from_utf8(&found.raw_value).ok()
    };
    plain.map(|entry| entry.value.as_str()).or_else(raw)
}
