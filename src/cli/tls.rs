//! How commands that ask a running server speak TLS with it.

use crate::tls::pem::File;
use anyhow::{Context as _, bail};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

/// The flags of TLS.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "TLS")]
pub struct Tls {
    /// The roots that the server's certificate may come from, as PEM; else those of the system
    #[arg(long, value_name = "FILE", env = "TOLLGATE_CLIENT_TLS_CA", hide_env_values = true)]
    tls_ca: Option<PathBuf>,
    /// The certificate to show to the server, as PEM, for one that asks for it
    #[arg(
        long,
        value_name = "FILE",
        env = "TOLLGATE_CLIENT_TLS_CERT",
        hide_env_values = true,
        requires = "tls_key"
    )]
    tls_cert: Option<PathBuf>,
    /// The private key of that certificate, as PEM
    #[arg(
        long,
        value_name = "FILE",
        env = "TOLLGATE_CLIENT_TLS_KEY",
        hide_env_values = true,
        requires = "tls_cert"
    )]
    tls_key: Option<PathBuf>,
    /// The name that the server's certificate has to bear, if it is not the host of the address
    #[arg(long, value_name = "NAME", env = "TOLLGATE_CLIENT_TLS_SERVER_NAME", hide_env_values = true)]
    tls_server_name: Option<String>,
}

impl Tls {
    /// Whether one of them is given.
    pub const fn is_wanted(&self) -> bool {
        self.tls_ca.is_some()
            || self.tls_cert.is_some()
            || self.tls_key.is_some()
            || self.tls_server_name.is_some()
    }

    fn config(&self) -> anyhow::Result<ClientConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let builder = builder.with_root_certificates(self.roots()?);
        let mut config = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                let chain = File::read(cert, "--tls-cert")?.certificates()?;
                let private = File::read(key, "--tls-key")?.private_key()?;
                builder.with_client_auth_cert(chain, private).with_context(|| {
                    format!("{}: does not fit the certificate in {}", key.display(), cert.display())
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> anyhow::Result<RootCertStore> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = &self.tls_ca {
            for root in File::read(path, "--tls-ca")?.certificates()? {
                roots.add(root).with_context(|| format!("{}: holds what is no root", path.display()))?;
            }
            return Ok(roots);
        }
        let system = rustls_native_certs::load_native_certs();
        let (added, _) = roots.add_parsable_certificates(system.certs);
        if added == 0 {
            bail!("this system has no roots of certificates; name those of the server with `--tls-ca FILE`");
        }
        Ok(roots)
    }
}

/// Whom to connect to, and how to know it.
pub struct Peer {
    uri: http::Uri,
    /// `host:port`
    pub at: String,
    /// The name that its certificate has to bear.
    pub name: ServerName<'static>,
    /// Whom we trust, and who we are.
    pub connector: TlsConnector,
}

impl Peer {
    /// The one at `host` or `host:port`.
    ///
    /// # Errors
    /// The address or a name makes no sense, or a file cannot be read.
    pub fn of(host: &str, tls: &Tls) -> anyhow::Result<Self> {
        let uri: http::Uri =
            format!("https://{host}").parse().with_context(|| format!("`{host}` is no address"))?;
        let bare = uri.host().unwrap_or_default();
        let name = tls.tls_server_name.as_deref().unwrap_or(bare.trim_matches(['[', ']']));
        let name = ServerName::try_from(name.to_owned())
            .with_context(|| format!("`{name}` is no name of a server; give one with `--tls-server-name`"))?;
        let at = format!("{bare}:{}", uri.port_u16().unwrap_or(443));
        let connector = TlsConnector::from(Arc::new(tls.config()?));
        Ok(Self { uri, at, name, connector })
    }
}

/// Connects to this host by TLS.
///
/// # Errors
/// The outer ones are about files and names, the inner ones about the connection.
pub async fn connect(
    endpoint: Endpoint,
    host: &str,
    tls: &Tls,
) -> anyhow::Result<Result<Channel, tonic::transport::Error>> {
    let Peer { uri, at, name, connector } = Peer::of(host, tls)?;
    let connect = move |_| {
        let (at, name, connector) = (at.clone(), name.clone(), connector.clone());
        async move {
            let stream = TcpStream::connect(at).await?;
            stream.set_nodelay(true)?;
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    };
    let endpoint = endpoint.origin(uri);
    Ok(endpoint.connect_with_connector(tower::service_fn(connect)).await)
}

/// What this error says about TLS, if that is what it is about, and what to do about it.
pub fn words(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let found = wrapped.and_then(|inner| inner.downcast_ref::<Error>());
        if let Some(found) = found.or_else(|| error.downcast_ref::<Error>()) {
            return Some(said(found));
        }
        // What HTTP/2 passes on of an error of its connection is the text.
        let text = error.to_string();
        if let Some((_, alert)) = text.split_once("received fatal alert: ") {
            return Some(refused(alert.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default()));
        }
        if text.contains("frame with invalid size") {
            return Some(
                "what answers there speaks no HTTP/2; does it speak TLS? then write `https://`".into(),
            );
        }
        next = error.source();
    }
    None
}

fn said(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(why) => certificate(why),
        Error::AlertReceived(alert) => refused(&format!("{alert:?}")),
        Error::InvalidMessage(_) => {
            "what answers there speaks no TLS; write `http://`, or give the server a certificate".into()
        }
        Error::NoApplicationProtocol => "what answers there speaks TLS and no HTTP/2: is it gRPC?".into(),
        other => format!("TLS failed: {other}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => {
            "the server's certificate is signed by an authority that is not trusted here; \
             name its root with `--tls-ca FILE`"
                .into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; the operator has to renew it".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; are the clocks right?".into()
        }
        CertificateError::NotValidForName => "the server's certificate is for other names; use one of \
             them, in the address or with `--tls-server-name`"
            .into(),
        CertificateError::NotValidForNameContext { expected, presented } => format!(
            "the server's certificate is not for `{}` but for {}; use that, in the address or with `--tls-server-name`",
            expected.to_str(),
            presented.join(", ")
        ),
        other => format!("the server's certificate is refused: {other}"),
    }
}

/// What the server has against us, by the name of its alert.
fn refused(alert: &str) -> String {
    match alert {
        "CertificateRequired" => {
            "the server wants a certificate of yours; give it with `--tls-cert FILE --tls-key FILE`".into()
        }
        "UnknownCA" => "the server does not know the authority of your certificate (`--tls-cert`); \
                        it takes those of its `tls_client_ca`"
            .into(),
        "CertificateExpired" => {
            "your certificate (`--tls-cert`) has expired, or is not valid yet; renew it".into()
        }
        "BadCertificate" | "CertificateUnknown" => {
            "the server refuses your certificate (`--tls-cert`); its log says why".into()
        }
        "UnsupportedCertificate" => "your certificate (`--tls-cert`) is not for clients; issue one with the \
                                     extended key usage `clientAuth`"
            .into(),
        other => format!("the server ended TLS with the alert `{other}`; its log says why"),
    }
}
