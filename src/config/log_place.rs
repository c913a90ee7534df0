//! Whether what the options of the decision log say together stands.

use super::decision_log::least_ring;
use super::options::Config;

/// What is wrong with the decision log: the option, what, and what to do instead.
pub(super) fn wrong(config: &Config) -> Option<(&'static str, String, String)> {
    let places = [
        ("decision_log_dir", config.decision_log_dir.is_some()),
        ("decision_log_url", config.decision_log_url.0.is_some()),
        ("decision_log_stdout", config.decision_log_stdout),
    ];
    let mut named = places.iter().filter(|(_, is_named)| *is_named).map(|(name, _)| *name);
    let place = named.next();
    if let (Some(first), Some(second)) = (place, named.next()) {
        let what = format!("`{first}` is set too: the decision log goes to one place");
        return Some((second, what, "leave one of them out".into()));
    }
    let needs = [
        ("decision_log_mask", !config.decision_log_mask.0.is_empty()),
        ("decision_log_sample", !config.decision_log_sample.is_all()),
        ("decision_log_mask_key_file", config.decision_log_mask_key_file.is_some()),
    ];
    if let (None, Some((name, _))) = (place, needs.iter().find(|(_, is_set)| *is_set)) {
        let what = format!("`{name}` is set, and there is no decision log");
        return Some((name, what, "say where it goes, with `decision_log_dir` for example".into()));
    }
    if let Some(wrong) = place.and_then(|_| too_little_room(config)) {
        return Some(wrong);
    }
    let of_collector = [
        ("decision_log_auth_file", config.decision_log_auth_file.is_some()),
        ("decision_log_ca_file", config.decision_log_ca_file.is_some()),
        ("decision_log_buffer_dir", config.decision_log_buffer_dir.is_some()),
    ];
    let Some(url) = &config.decision_log_url.0 else {
        let (name, _) = of_collector.iter().find(|(_, is_set)| *is_set)?;
        let what = format!("`{name}` is about a collector, and there is none");
        return Some((name, what, "name one with `decision_log_url`".into()));
    };
    let is_plain = url.scheme_str() == Some("http");
    if is_plain && config.decision_log_auth_file.is_some() && !is_loopback(url.host().unwrap_or_default()) {
        let host = url.host().unwrap_or_default();
        let what = format!("the token would travel unencrypted to `{host}`, beyond this machine");
        return Some(("decision_log_auth_file", what, "use `https`".into()));
    }
    None
}

/// A record that is larger than the whole room would be lost, or its action refused, each time.
fn too_little_room(config: &Config) -> Option<(&'static str, String, String)> {
    let (ring, request) = (config.decision_log_ring_bytes.0, config.bounds_request_bytes.0);
    let least = least_ring(request, config.bounds_request_name_bytes.0);
    (ring < least).then(|| {
        let what = format!(
            "`decision_log_ring_bytes` is {ring}, which has no room for the record of the largest request: \
             `bounds.request_bytes` is {request}"
        );
        let kib = least.div_ceil(1 << 10);
        let remedy = format!("write `{kib}KiB` or more, or lower `bounds.request_bytes`");
        ("decision_log_ring_bytes", what, remedy)
    })
}

/// Whether what is sent to this host stays on the machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
