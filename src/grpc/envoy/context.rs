//! What of a check becomes the context that rules test.

use super::header::PREFIX;
use super::source;
use crate::pb::envoy::config::core::v3::address::Address as Where;
use crate::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use crate::pb::envoy::config::core::v3::{Address, Metadata};
use crate::pb::envoy::service::auth::v3::AttributeContext;
use crate::pb::envoy::service::auth::v3::attribute_context::{HttpRequest, Peer};
use crate::pb::{Entry, Kind, Struct, Value};

/// Headers that rules see only where the route names them: secrets, which would be logged.
const SECRETS: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];
/// More headers than this are not looked at: Envoy takes 100, unless it is told to take more.
pub(super) const MOST_HEADERS: usize = 1_000;
/// Envoy's word that it has cut the body.
const PARTIAL: &str = "x-envoy-auth-partial-body";

/// The context: `http`, `source`, `destination`, `tls`, `extensions`, `metadata`,
/// `route_metadata`, each as far as there is something. `headers` are those that the route wants.
pub(super) fn of(
    attributes: AttributeContext,
    headers: Option<&[String]>,
    extensions: Vec<(String, String)>,
) -> Struct {
    let mut context = Map::default();
    let http = attributes.request.and_then(|request| request.http);
    context.map("http", http.map(|http| http_of(http, headers)).unwrap_or_default());
    context.map("source", attributes.source.map(peer).unwrap_or_default());
    context.map("destination", attributes.destination.map(peer).unwrap_or_default());
    let mut tls = Map::default();
    tls.text("sni", attributes.tls_session.map(|tls| tls.sni).unwrap_or_default());
    context.map("tls", tls);
    let mut own = Map::default();
    extensions.into_iter().for_each(|(key, value)| own.text(key, value));
    context.map("extensions", own);
    context.map("metadata", metadata(attributes.metadata_context));
    context.map("route_metadata", metadata(attributes.route_metadata_context));
    Struct { fields: context.0 }
}

/// How many headers came.
pub(super) fn count_of_headers(attributes: &AttributeContext) -> usize {
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let raw = |http: &HttpRequest| http.header_map.as_ref().map_or(0, |map| map.headers.len());
    http.map_or(0, |http| http.headers.len() + raw(http))
}

/// The names of the client's headers that look like ours.
pub(super) fn headers_like_ours(attributes: &AttributeContext) -> Vec<String> {
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let headers = http.map(source::headers).unwrap_or_default();
    headers.into_iter().map(|(name, _)| name).filter(|name| name.starts_with(PREFIX)).collect()
}

/// Address and port, as far as they are known.
pub(super) fn address(address: &Address) -> (&str, Option<u32>) {
    match &address.address {
        Some(Where::SocketAddress(socket)) => {
            let port = match socket.port_specifier {
                Some(PortSpecifier::PortValue(port)) => Some(port),
                Some(PortSpecifier::NamedPort(_)) | None => None,
            };
            (&socket.address, port)
        }
        Some(Where::Pipe(pipe)) => (&pipe.path, None),
        None => ("", None),
    }
}

fn http_of(http: HttpRequest, wanted: Option<&[String]>) -> Map {
    let mut headers = Map::default();
    let all = source::headers(&http);
    for (name, value) in all.iter().take(MOST_HEADERS) {
        let seen = match wanted {
            Some(wanted) => wanted.contains(name),
            None => !SECRETS.contains(&name.as_str()) && !name.starts_with(PREFIX),
        };
        if seen && !name.starts_with(':') {
            headers.joined(name, value);
        }
    }
    let partial = all.iter().any(|(name, value)| name == PARTIAL && value == "true");
    let (path, query) = http.path.split_once('?').unwrap_or((&http.path, ""));
    let mut map = Map::default();
    map.text("path", path.to_owned());
    map.text("query", query.to_owned());
    map.text("method", http.method);
    map.text("host", http.host);
    map.text("scheme", http.scheme);
    map.text("protocol", http.protocol);
    map.text("id", http.id);
    if http.size >= 0 {
        #[expect(clippy::cast_precision_loss, reason = "a body has less than 2^53 bytes")]
        map.put("size", Kind::Number(http.size as f64));
    }
    let body = if http.raw_body.is_empty() {
        http.body
    } else {
        String::from_utf8_lossy(&http.raw_body).into_owned()
    };
    map.text("body", body);
    if partial {
        map.put("partial_body", Kind::Bool(true));
    }
    map.map("headers", headers);
    map
}

fn peer(peer: Peer) -> Map {
    let (at, port) = peer.address.as_ref().map_or(("", None), address);
    let mut map = Map::default();
    map.text("address", at.to_owned());
    if let Some(port) = port {
        map.put("port", Kind::Number(port.into()));
    }
    map.text("principal", peer.principal);
    map.text("service", peer.service);
    let mut labels = Map::default();
    peer.labels.into_iter().for_each(|label| labels.text(label.key, label.value));
    map.map("labels", labels);
    map
}

fn metadata(metadata: Option<Metadata>) -> Map {
    let spaces = metadata.map(|metadata| metadata.filter_metadata).unwrap_or_default();
    let entry = |(key, fields)| Entry { key, value: Some(Value { kind: Some(Kind::Struct(fields)) }) };
    Map(spaces.into_iter().map(|space| entry((space.key, space.value.unwrap_or_default()))).collect())
}

/// A map that leaves out what is empty.
#[derive(Debug, Default)]
struct Map(Vec<Entry>);

impl Map {
    fn put(&mut self, key: impl Into<String>, kind: Kind) {
        self.0.push(Entry { key: key.into(), value: Some(Value { kind: Some(kind) }) });
    }

    fn text(&mut self, key: impl Into<String>, text: String) {
        if !text.is_empty() {
            self.put(key, Kind::Text(text));
        }
    }

    fn map(&mut self, key: &str, map: Self) {
        if !map.0.is_empty() {
            self.put(key, Kind::Struct(Struct { fields: map.0 }));
        }
    }

    /// Puts down a header; several of one name are joined as Envoy joins them.
    fn joined(&mut self, key: &str, text: &str) {
        let there = self.0.iter_mut().find(|entry| entry.key == key);
        match there.and_then(|entry| entry.value.as_mut()).and_then(|value| value.kind.as_mut()) {
            Some(Kind::Text(so_far)) => {
                so_far.push(',');
                so_far.push_str(text);
            }
            Some(_) | None => self.put(key, Kind::Text(text.to_owned())),
        }
    }
}
