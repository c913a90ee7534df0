//! Where a route may have a field of the request taken from.

use crate::pb::envoy::config::core::v3::Metadata;
use crate::pb::envoy::service::auth::v3::AttributeContext;
use crate::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use crate::pb::{Kind, Struct, Value};

/// Where Envoy's filter for tokens puts their claims, if it is told to.
const JWT: &str = "envoy.filters.http.jwt_authn";

/// One place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Source<'t> {
    /// A header of the client's.
    Header(&'t str),
    /// What a filter has put down: its namespace, and the way to it.
    Metadata(&'t str, &'t str),
    /// What the operator has put down at the route.
    RouteMetadata(&'t str, &'t str),
    /// Who the client is by its certificate.
    Principal,
    /// The name that the client asked TLS for.
    Sni,
    /// The address of the client.
    Address,
    /// Envoy's name for the stream.
    StreamId,
    /// The authority of the request.
    Host,
    /// Its method.
    Method,
}

impl<'t> Source<'t> {
    /// Reads one.
    ///
    /// # Errors
    /// Says what it is not, and what there is.
    pub(super) fn parse(text: &'t str) -> Result<Self, String> {
        if let Some(name) = text.strip_prefix("header:").filter(|name| !name.is_empty()) {
            return Ok(Self::Header(name));
        }
        let way = |prefix| text.strip_prefix(prefix).and_then(|rest: &str| rest.split_once('/'));
        if let Some((namespace, way)) = way("metadata:") {
            return Ok(Self::Metadata(namespace, way));
        }
        if let Some((namespace, way)) = way("route_metadata:") {
            return Ok(Self::RouteMetadata(namespace, way));
        }
        Ok(match text {
            "source.principal" => Self::Principal,
            "source.address" => Self::Address,
            "tls.sni" => Self::Sni,
            "http.id" => Self::StreamId,
            "http.host" => Self::Host,
            "http.method" => Self::Method,
            _ => {
                return Err(format!(
                    "is taken from `{}`, which is no source; write `header:NAME`, \
                     `metadata:NAMESPACE/KEY/KEY`, `route_metadata:NAMESPACE/KEY`, `source.principal`, \
                     `source.address`, `tls.sni`, `http.id`, `http.host` or `http.method`",
                    text.escape_debug().take(64).collect::<String>()
                ));
            }
        })
    }

    /// What is there: several texts where it is a list, none where there is nothing.
    pub(super) fn find(&self, attributes: &AttributeContext) -> Vec<String> {
        let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
        let source = attributes.source.as_ref();
        let text = |text: Option<&str>| {
            text.filter(|text| !text.is_empty()).map(|text| vec![text.to_owned()]).unwrap_or_default()
        };
        match self {
            Self::Header(name) => text(http.and_then(|http| header(http, name)).as_deref()),
            Self::Metadata(namespace, way) => inside(attributes.metadata_context.as_ref(), namespace, way),
            Self::RouteMetadata(namespace, way) => {
                inside(attributes.route_metadata_context.as_ref(), namespace, way)
            }
            Self::Principal => text(source.map(|peer| peer.principal.as_str())),
            Self::Sni => text(attributes.tls_session.as_ref().map(|tls| tls.sni.as_str())),
            Self::Address => {
                let address = source.and_then(|peer| peer.address.as_ref()).map(super::context::address);
                text(address.map(|(address, _)| address))
            }
            Self::StreamId => text(http.map(|http| http.id.as_str())),
            Self::Host => text(http.map(|http| http.host.as_str())),
            Self::Method => text(http.map(|http| http.method.as_str())),
        }
    }
}

/// Whom a token is about, where there is one token.
pub(super) fn subject_of_token(attributes: &AttributeContext) -> Vec<String> {
    let claims = attributes.metadata_context.as_ref().and_then(|metadata| namespace(metadata, JWT));
    match claims.map(|claims| claims.fields.as_slice()) {
        Some([one]) => {
            inside(attributes.metadata_context.as_ref(), JWT, &format!("{}/sub", escape(&one.key)))
        }
        Some(_) | None => Vec::new(),
    }
}

/// A header, however Envoy sends it; several of one name are joined as Envoy joins them.
pub(super) fn header(http: &HttpRequest, name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let all = headers(http).into_iter().filter(|(key, _)| *key == name);
    let values: Vec<String> = all.map(|(_, value)| value).collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// All headers, by lower-case name. What is no UTF-8 is replaced.
pub(super) fn headers(http: &HttpRequest) -> Vec<(String, String)> {
    let lower = |name: &str| name.to_ascii_lowercase();
    let plain = http.headers.iter().map(|entry| (lower(&entry.key), entry.value.clone()));
    let raw = http.header_map.iter().flat_map(|map| &map.headers).map(|one| {
        let value = if one.raw_value.is_empty() {
            one.value.clone()
        } else {
            String::from_utf8_lossy(&one.raw_value).into_owned()
        };
        (lower(&one.key), value)
    });
    plain.chain(raw).collect()
}

fn namespace<'m>(metadata: &'m Metadata, name: &str) -> Option<&'m Struct> {
    let found = metadata.filter_metadata.iter().rfind(|entry| entry.key == name);
    found.and_then(|entry| entry.value.as_ref())
}

/// What lies at the end of a way (RFC 6901, without its first slash): texts, numbers and booleans
/// as texts, a list of them as several.
fn inside(metadata: Option<&Metadata>, name: &str, way: &str) -> Vec<String> {
    let Some(mut map) = metadata.and_then(|metadata| namespace(metadata, name)) else { return Vec::new() };
    let mut steps = way.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).peekable();
    while let Some(step) = steps.next() {
        let entry = map.fields.iter().rfind(|entry| entry.key == step);
        match entry.and_then(|entry| entry.value.as_ref()).and_then(|value| value.kind.as_ref()) {
            Some(Kind::Struct(inner)) if steps.peek().is_some() => map = inner,
            Some(Kind::List(list)) if steps.peek().is_none() => {
                return list.values.iter().filter_map(text).collect();
            }
            Some(kind) if steps.peek().is_none() => return kind_text(kind).into_iter().collect(),
            Some(_) | None => return Vec::new(),
        }
    }
    Vec::new()
}

fn text(value: &Value) -> Option<String> {
    value.kind.as_ref().and_then(kind_text)
}

fn kind_text(kind: &Kind) -> Option<String> {
    match kind {
        Kind::Text(text) => (!text.is_empty()).then(|| text.clone()),
        Kind::Number(number) => Some(number.to_string()),
        Kind::Bool(truth) => Some(truth.to_string()),
        Kind::Null(_) | Kind::Struct(_) | Kind::List(_) => None,
    }
}

fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::envoy::config::core::v3::metadata::FilterMetadataEntry;
    use serde_json::json;

    fn claims(json: serde_json::Value) -> Metadata {
        let serde_json::Value::Object(map) = json else { panic!("an object") };
        let entry = FilterMetadataEntry { key: JWT.into(), value: Some(map.into()) };
        Metadata { filter_metadata: vec![entry] }
    }

    #[test]
    fn a_way_leads_to_texts() {
        let claims = claims(json!({"jwt": {
            "sub": "ann", "n": 7, "ok": true, "none": null, "roles": ["a", 2, {}], "https://x/t": "acme",
        }}));
        for (way, want) in [
            ("jwt/sub", vec!["ann"]),
            ("jwt/n", vec!["7"]),
            ("jwt/ok", vec!["true"]),
            ("jwt/roles", vec!["a", "2"]),
            ("jwt/https:~1~1x~1t", vec!["acme"]),
            ("jwt/none", vec![]),
            ("jwt", vec![]),
            ("jwt/sub/more", vec![]),
            ("other/sub", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(inside(Some(&claims), JWT, way), want, "{way}");
        }
        let attributes = AttributeContext { metadata_context: Some(claims), ..Default::default() };
        assert_eq!(subject_of_token(&attributes), ["ann"]);
        let source = Source::parse("metadata:envoy.filters.http.jwt_authn/jwt/sub").unwrap();
        assert_eq!(source.find(&attributes), ["ann"]);
    }

    #[test]
    fn what_is_no_source_is_told_those_there_are() {
        for text in ["", "header:", "headers:x", "metadata:x", "jwt:sub", "principal"] {
            let wrong = Source::parse(text).unwrap_err();
            assert!(wrong.contains("header:NAME"), "{text}: {wrong}");
        }
    }
}
