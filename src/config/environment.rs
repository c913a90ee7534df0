//! The layer of `TOLLGATE_*` variables.

use super::options::{OPTIONS, Spec};
use super::problem::{Origin, Problem};
use super::settings::Settings;
use std::ffi::OsString;
use tollgate_engine::read::nearest;

const PREFIX: &str = "TOLLGATE_";

/// The variable that names the configuration file.
pub const CONFIG: &str = "TOLLGATE_CONFIG";

/// Variables that are no options of the server: the first names the configuration file, the
/// others are read by commands that ask a running server.
const OTHERS: [&str; 7] = [
    CONFIG,
    "TOLLGATE_ADDRESS",
    "TOLLGATE_STATUS_ADDRESS",
    "TOLLGATE_CLIENT_TLS_CA",
    "TOLLGATE_CLIENT_TLS_CERT",
    "TOLLGATE_CLIENT_TLS_KEY",
    "TOLLGATE_CLIENT_TLS_SERVER_NAME",
];

/// What OpenTelemetry calls some options, the one that wins last. They are set for all containers of
/// a cluster alike, so that one of no use here is only a warning.
const OPEN_TELEMETRY: [(&str, &str); 4] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp_ca_file"),
    ("OTEL_SERVICE_NAME", "otlp_service_name"),
];

/// Whether another variable of OpenTelemetry says that those above are not for us.
fn is_not_for_us(name: &str, value: &str) -> bool {
    match name {
        "OTEL_SDK_DISABLED" => value.eq_ignore_ascii_case("true"),
        "OTEL_TRACES_EXPORTER" => value == "none",
        "OTEL_EXPORTER_OTLP_PROTOCOL" => value != "grpc",
        _ => false,
    }
}

/// Applies the variables of OpenTelemetry, before ours.
fn apply_open_telemetry(
    variables: &[(OsString, OsString)],
    settings: &mut Settings,
    warnings: &mut Vec<Problem>,
) {
    let value = |wanted: &str| {
        let found = variables.iter().find(|(name, _)| name == wanted);
        found.and_then(|(_, value)| value.to_str()).filter(|value| !value.is_empty())
    };
    let pairs = variables.iter().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)));
    if pairs.filter(|(_, value)| !value.is_empty()).any(|(name, value)| is_not_for_us(name, value)) {
        return;
    }
    for (name, field) in OPEN_TELEMETRY {
        let spec = OPTIONS.iter().find(|spec| spec.field == field);
        if let (Some(spec), Some(text)) = (spec, value(name)) {
            settings.set(spec, text, Origin::Variable(name.into()), warnings);
        }
    }
}

/// Applies the variables; an empty one counts as unset, unless it is a list: who writes a list means
/// to bound something, and an empty one is the business of whoever looks at the list. A name that no option has is only a
/// warning: the environment is shared with others.
pub(super) fn apply(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    settings: &mut Settings,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let variables: Vec<_> = variables.into_iter().collect();
    apply_open_telemetry(&variables, settings, warnings);
    for (name, value) in &variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let origin = Origin::Variable(name.into());
        let spec = OPTIONS.iter().find(|spec| spec.variable() == name);
        match (spec, value.to_str()) {
            (None, Some("")) => {}
            (Some(spec), Some("")) if !spec.is_list() => {}
            (Some(spec), Some(text)) => settings.set(spec, text, origin, problems),
            (Some(_), None) => problems.push(Problem::new(origin, "the value is not UTF-8")),
            (None, _) if OTHERS.contains(&name) || is_service_link(name) => {}
            (None, _) => warnings.push(unknown(origin, name)),
        }
    }
}

fn unknown(origin: Origin, name: &str) -> Problem {
    let names: Vec<String> = OPTIONS.iter().map(Spec::variable).collect();
    let known = names.iter().map(String::as_str).chain(OTHERS);
    let nearest = nearest(name, known).map(String::from);
    Problem::unknown(origin, "option of the variable", name, nearest)
}

/// Whether Kubernetes makes this variable: for a service called `tollgate` every pod of the
/// namespace gets `TOLLGATE_SERVICE_HOST`, `TOLLGATE_PORT_4700_TCP_ADDR` and the like.
fn is_service_link(name: &str) -> bool {
    ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT"].iter().any(|end| name.ends_with(end))
        || name.contains("_SERVICE_PORT_")
        || name.contains("_PORT_") && ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| name.contains(protocol))
}
