//! What of a check becomes the request's own fields: who asks, for what.
//!
//! An operator writes it at the route (`context_extensions`), as a value (`tool: sql.query`) or as
//! where to take it from (`user.from: metadata:envoy.filters.http.jwt_authn/jwt/sub`), which is
//! tried first. Only the route names the action: headers are the client's.

use super::header::GRANT;
use super::source::{self, Source};
use crate::grpc::convert::field::{self, NAMES};
use crate::grpc::convert::{Limits, Violations};
use crate::pb;
use crate::pb::envoy::service::auth::v3::AttributeContext;

/// Actions whose route names none.
const REQUEST: &str = "http.request";
const CONNECTION: &str = "tcp.connect";
/// The headers that rules see.
const HEADERS: &str = "headers";
/// Behind a name: where to take it from.
const FROM: &str = ".from";
/// Sources of one field, and headers that are named.
const SOURCES: usize = 8;
const NAMED_HEADERS: usize = 256;

/// Why a check cannot be decided as it is.
#[derive(Debug)]
pub(super) enum Refused {
    /// The route's configuration is wrong: an error.
    Operator(Violations),
    /// What came with the request is: a denial.
    Client(String),
}

/// A request without its context.
#[derive(Debug)]
pub(super) struct Named {
    pub request: pb::AuthorizeRequest,
    /// The headers that rules shall see, lower case; `None`: the default.
    pub headers: Option<Vec<String>>,
    /// What the route says besides.
    pub extensions: Vec<(String, String)>,
}

/// Reads the names.
pub(super) fn read(attributes: &AttributeContext, limits: &Limits) -> Result<Named, Refused> {
    let http = attributes.request.as_ref().and_then(|request| request.http.as_ref());
    let mut named = Named {
        request: field::about(if http.is_some() { REQUEST } else { CONNECTION }),
        headers: None,
        extensions: Vec::new(),
    };
    let mut found = by_default(attributes);
    for entry in &attributes.context_extensions {
        let (key, value) = (entry.key.as_str(), entry.value.as_str());
        named.entry(key, value, attributes, limits, &mut found).map_err(|what| {
            Refused::Operator(Violations::one("context_extensions", format!("`{key}` {what}")))
        })?;
    }
    // What was found replaces what the route says.
    for (name, values) in found.into_iter().filter(|(_, values)| !values.is_empty()) {
        field::put(&mut named.request, name, values, limits)
            .map_err(|what| Refused::Client(format!("`{name}` of the request {what}")))?;
    }
    let grants = http.and_then(|http| source::header(http, GRANT)).unwrap_or_default();
    named.request.grants = field::words(&grants).map(str::to_owned).collect();
    Ok(named)
}

impl Named {
    fn entry(
        &mut self,
        key: &str,
        value: &str,
        attributes: &AttributeContext,
        limits: &Limits,
        found: &mut Vec<(&'static str, Vec<String>)>,
    ) -> Result<(), String> {
        if key == "action" && value.is_empty() {
            return Err("is empty; name the action, or leave it out".into());
        }
        if NAMES.contains(&key) {
            return field::put(&mut self.request, key, vec![value.to_owned()], limits);
        }
        let name = key.strip_suffix(FROM).and_then(|name| NAMES.iter().find(|known| **known == name));
        match name {
            Some(&"action") => Err("is not taken: only the route names the action; write `action`".into()),
            Some(name) => {
                found.push((name, first(value, attributes)?));
                Ok(())
            }
            None if key == HEADERS => {
                let wanted = field::words(value).take(NAMED_HEADERS + 1).map(str::to_ascii_lowercase);
                let wanted: Vec<String> = wanted.collect();
                let fits = wanted.len() <= NAMED_HEADERS;
                self.headers = Some(wanted);
                if fits { Ok(()) } else { Err(format!("names more than {NAMED_HEADERS} headers")) }
            }
            None => {
                self.extensions.push((key.to_owned(), value.to_owned()));
                Ok(())
            }
        }
    }
}

/// What the first source gives that has something.
fn first(sources: &str, attributes: &AttributeContext) -> Result<Vec<String>, String> {
    let sources = sources.split_whitespace().take(SOURCES + 1).map(Source::parse);
    let sources = sources.collect::<Result<Vec<_>, _>>()?;
    if sources.is_empty() || sources.len() > SOURCES {
        return Err(format!(
            "names {} sources; write 1 to {SOURCES}, such as `source.principal`",
            sources.len()
        ));
    }
    let found = sources.iter().map(|source| source.find(attributes));
    Ok(found.into_iter().find(|values| !values.is_empty()).unwrap_or_default())
}

/// Fields of which the route says nothing.
fn by_default(attributes: &AttributeContext) -> Vec<(&'static str, Vec<String>)> {
    let silent = |name: &str| {
        !attributes.context_extensions.iter().any(|entry| {
            let key = entry.key.as_str();
            key == name || key.strip_suffix(FROM) == Some(name)
        })
    };
    let mut found = Vec::new();
    if silent("agent") {
        found.push(("agent", Source::Principal.find(attributes)));
    }
    if silent("user") {
        found.push(("user", source::subject_of_token(attributes)));
    }
    if silent("request_id") {
        found.push(("request_id", Source::StreamId.find(attributes)));
    }
    found
}
