//! Certificates for the tests, and a server with them.

use crate::binary::{Ended, Serving, eventually, run};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

pub const BUNDLE: &str = r"format: tollgate/v1
version: 1.0.0
rules:
  - {id: allow-send, action: send, effect: allow, reason: Anybody may send something}
";

/// Who signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, as PEM.
pub struct Issued {
    pub cert: String,
    pub key: String,
}

/// From when to when a certificate holds.
#[derive(Clone, Copy, PartialEq)]
pub enum Valid {
    Now,
    Past,
    Future,
    /// From long ago to so many seconds from now.
    Seconds(u64),
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these names: URIs have a scheme, e-mail addresses an `@`.
    pub fn issue(&self, names: &[&str], valid: Valid) -> Issued {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        (params.not_before, params.not_after) = match valid {
            Valid::Now => (date_time_ymd(2020, 1, 1), date_time_ymd(2120, 1, 1)),
            Valid::Past => (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1)),
            Valid::Future => (date_time_ymd(2119, 1, 1), date_time_ymd(2120, 1, 1)),
            Valid::Seconds(left) => {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                (date_time_ymd(2020, 1, 1), date_time_ymd(1970, 1, 1) + now + Duration::from_secs(left))
            }
        };
        let key = KeyPair::generate().unwrap();
        Issued { cert: params.signed_by(&key, &self.0).unwrap().pem(), key: key.serialize_pem() }
    }
}

fn alternative(name: &str) -> SanType {
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains("://") => SanType::URI(name.try_into().unwrap()),
        Err(_) if name.contains('@') => SanType::Rfc822Name(name.try_into().unwrap()),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}

impl Issued {
    /// Writes both files, `NAME.crt` and `NAME.key`, each by renaming.
    pub fn write(&self, folder: &Path, name: &str) {
        replace(&folder.join(format!("{name}.crt")), &self.cert);
        replace(&folder.join(format!("{name}.key")), &self.key);
    }
}

pub fn replace(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let beside = path.with_extension("new");
    fs::write(&beside, text).unwrap();
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(beside, path).unwrap();
}

/// A server that speaks TLS, and the authority of its certificate.
pub struct Post {
    pub folder: TempDir,
    pub authority: Authority,
    pub serving: Serving,
}

pub const TLS: [&str; 4] = ["--tls-cert", "server.crt", "--tls-key", "server.key"];
pub const MUTUAL: [&str; 2] = ["--tls-client-ca", "ca.crt"];

/// A folder with a bundle, and a certificate for `localhost` with the root that it comes from.
pub fn folder(authority: &Authority) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
    authority.issue(&["localhost", "127.0.0.1"], Valid::Now).write(folder.path(), "server");
    folder
}

impl Post {
    pub fn new(args: &[&str]) -> Self {
        let authority = Authority::new("Test Root");
        let folder = folder(&authority);
        let serving =
            Serving::start(folder.path(), &[&["b.yaml", "--threads", "2"], &TLS[..], args].concat());
        Self { folder, authority, serving }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Asks by the command line.
    pub fn ask(&self, address: &str, args: &[&str]) -> Ended {
        run(self.path(), &[&["authorize", "--action", "send", "--address", address], args].concat())
    }

    pub fn address(&self) -> String {
        format!("https://localhost:{}", self.serving.grpc.port())
    }

    /// Asks by the command line, as who trusts the server.
    pub fn ask_trusting(&self, args: &[&str]) -> Ended {
        self.ask(&self.address(), &[&["--tls-ca", "ca.crt"], args].concat())
    }

    /// A connection of a client that is not ours.
    pub async fn client(&self, identity: Option<&Issued>) -> PolicyDecisionServiceClient<Channel> {
        self.try_client(identity).await.unwrap()
    }

    pub async fn try_client(
        &self,
        identity: Option<&Issued>,
    ) -> Result<PolicyDecisionServiceClient<Channel>, tonic::transport::Error> {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.authority.pem()));
        let tls = match identity {
            Some(own) => tls.identity(Identity::from_pem(&own.cert, &own.key)),
            None => tls,
        };
        let endpoint = Endpoint::from_shared(self.address()).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await.map(PolicyDecisionServiceClient::new)
    }

    /// A connection that has shaken hands and no more.
    pub async fn shake(&self, identity: Option<&Issued>) -> TlsStream<tokio::net::TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.pem().as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let config = match identity {
            Some(own) => {
                let chain = vec![CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap()];
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(chain, key).unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        let stream = tokio::net::TcpStream::connect(self.serving.grpc).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    pub fn metric(&self, series: &str) -> u64 {
        let (_, page) = self.serving.get("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a counter stands there.
    pub fn counts(&self, series: &str, count: u64) {
        eventually(&format!("{series} {count}"), || (self.metric(series) == count).then_some(()));
    }

    pub fn status(&self) -> serde_json::Value {
        serde_json::from_str(&self.serving.get("/status").1).unwrap()
    }
}

pub fn handshakes(result: &str) -> String {
    format!("tollgate_tls_handshakes_total{{port=\"grpc\",result=\"{result}\"}}")
}

pub fn reloads(result: &str) -> String {
    format!("tollgate_tls_reloads_total{{result=\"{result}\"}}")
}
