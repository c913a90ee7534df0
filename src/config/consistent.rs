//! What no option can say alone: whether what they say together stands.

use super::options::Config;
use super::problem::{Origin, Problem};
use super::settings::Settings;
use std::net::SocketAddr;

/// Gives back a configuration that stands.
pub(super) fn check(config: Config, settings: &Settings) -> Result<Config, Problem> {
    let checks: [fn(&Config) -> Option<Wrong>; 7] = [
        nobody_could_ask,
        tls_in_part,
        tls_with_nobody,
        token_in_the_clear,
        in_the_clear,
        headers_in_the_clear,
        super::log_place::wrong,
    ];
    let wrong = checks.iter().find_map(|wrong| wrong(&config)).or_else(|| names_of_nobody(&config, settings));
    match wrong {
        None => Ok(config),
        Some((field, what, remedy)) => {
            let setting = settings.iter().find(|setting| setting.spec.field == field);
            let at = setting.map_or(Origin::Default, |setting| setting.origin.clone());
            Err(Problem::new(at, what).instead(Some(remedy)))
        }
    }
}

/// The option that is wrong, what is wrong with it, and the remedy.
type Wrong = (&'static str, String, String);

fn nobody_could_ask(config: &Config) -> Option<Wrong> {
    (config.grpc.0.is_none() && config.uds.is_none()).then(|| {
        let what = "`grpc` is `none` and there is no `uds`: nobody could ask";
        ("grpc", what.into(), "name an address, or a socket with `uds`".into())
    })
}

fn tls_in_part(config: &Config) -> Option<Wrong> {
    let lacks = |field: &'static str, other: &str, why: &str| {
        Some((field, format!("`{field}` is set and `{other}` is not: {why}"), format!("name `{other}` too")))
    };
    let (cert, key) = (config.tls_cert.is_some(), config.tls_key.is_some());
    match (cert, key) {
        (true, false) => {
            return lacks("tls_cert", "tls_key", "a certificate is nothing without its private key");
        }
        (false, true) => {
            return lacks("tls_key", "tls_cert", "a private key is nothing without its certificate");
        }
        _ => {}
    }
    if config.tls_client_ca.is_some() && !cert {
        return lacks("tls_client_ca", "tls_cert", "callers show certificates in TLS alone");
    }
    if !config.tls_client_names.is_empty() && config.tls_client_ca.is_none() {
        return lacks(
            "tls_client_names",
            "tls_client_ca",
            "names are as good as the authority that signs them",
        );
    }
    None
}

/// A Unix socket does not speak TLS: who asks for certificates there would let in everybody.
fn tls_with_nobody(config: &Config) -> Option<Wrong> {
    (config.tls_cert.is_some() && config.callers().next().is_none()).then(|| {
        let what = "`tls_cert` is set and nothing that speaks TLS listens: a Unix socket never does, \
                    and lets in whoever `uds_mode` says";
        let remedy = "name an address with `grpc` or `http`, or leave out `tls_cert` and `tls_key`";
        ("tls_cert", what.into(), remedy.into())
    })
}

/// Who writes a list of names wants to bound who comes in: an empty one must not let in everybody.
fn names_of_nobody(config: &Config, settings: &Settings) -> Option<Wrong> {
    let names = settings.iter().find(|setting| setting.spec.field == "tls_client_names")?;
    let said = names.origin != Origin::Default && config.tls_client_ca.is_some();
    (said && config.tls_client_names.is_empty()).then(|| {
        let what = "`tls_client_names` is set and names nobody";
        let remedy = "name who may connect, or leave it out to let in whomever `tls_client_ca` has signed";
        ("tls_client_names", what.into(), remedy.into())
    })
}

fn in_the_clear(config: &Config) -> Option<Wrong> {
    if config.tls_cert.is_some() || config.insecure_listen_in_cleartext {
        return None;
    }
    let (field, address) = config.callers().find(|(_, address)| is_beyond(*address))?;
    let what = format!("`{field}` would listen in the clear on `{address}`, beyond this machine");
    let remedy = "give it a certificate (`tls_cert`, `tls_key`), or listen on loopback or a Unix socket (`uds`), \
                  or say `insecure_listen_in_cleartext` if nobody else can be on that network";
    Some((field, what, remedy.into()))
}

/// Collectors are told who sends by a header, which is a secret.
fn headers_in_the_clear(config: &Config) -> Option<Wrong> {
    config.otlp_headers_file.as_ref()?;
    let endpoint: http::Uri = config.otlp_endpoint.0.as_deref()?.parse().ok()?;
    let host = endpoint.host().unwrap_or_default();
    (endpoint.scheme_str() == Some("http") && !super::log_place::is_loopback(host)).then(|| {
        let what = format!(
            "the headers for the collector would travel unencrypted to `{host}`, beyond this machine"
        );
        ("otlp_headers_file", what, "use `https` in `otlp_endpoint`".into())
    })
}

fn token_in_the_clear(config: &Config) -> Option<Wrong> {
    let address = config.grpc.0.filter(|address| is_beyond(*address))?;
    (config.admin_token_file.is_some() && config.tls_cert.is_none()).then(|| {
        let what = format!("the admin token would travel unencrypted to `{address}`, beyond this machine");
        let remedy = "give gRPC a certificate (`tls_cert`, `tls_key`), use `admin_uds`, or listen on loopback; \
                      `insecure_listen_in_cleartext` does not help here";
        ("admin_token_file", what, remedy.into())
    })
}

/// Whether others than this machine can reach it: a wildcard is every address.
fn is_beyond(address: SocketAddr) -> bool {
    !address.ip().to_canonical().is_loopback()
}

impl Config {
    /// The ports that callers use, by option. Probes and metrics are not among them: they hold
    /// nothing secret, and what scrapes them comes from elsewhere.
    pub fn callers(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [("grpc", self.grpc.0), ("http", self.http.0)]
            .into_iter()
            .filter_map(|(field, address)| Some((field, address?)))
    }

    /// Those of them that others can reach and that do not speak TLS.
    pub fn in_the_clear(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let tls = self.tls_cert.is_some();
        self.callers().filter(move |(_, address)| !tls && is_beyond(*address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_is_beyond_this_machine() {
        for (address, beyond) in [
            ("127.0.0.1:1", false),
            ("127.9.9.9:1", false),
            ("[::1]:1", false),
            ("[::ffff:127.0.0.1]:1", false),
            ("0.0.0.0:1", true),
            ("[::]:1", true),
            ("10.0.0.7:1", true),
            ("[fe80::1]:1", true),
        ] {
            assert_eq!(is_beyond(address.parse().unwrap()), beyond, "{address}");
        }
    }
}
