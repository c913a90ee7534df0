//! From files to what handshakes are made with, or to words that say which file is wrong and why.

use super::certificate::{Certificate, shown};
use super::pem::File;
use anyhow::{Context as _, bail};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{Error, InconsistentKeys, RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;
use tollgate_engine::id::Digest;

/// The files that TLS is made of.
#[derive(Clone, Debug)]
pub struct Files {
    /// The certificate of the server, and those between it and its root.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The roots of callers' certificates; none: callers need no certificate.
    pub client_ca: Option<PathBuf>,
}

/// What was read from them, whether it stands or not.
pub(super) struct Read {
    cert: File,
    key: File,
    client_ca: Option<File>,
}

/// What handshakes are made with.
pub(super) struct Loaded {
    pub server: ServerConfig,
    pub certificate: Certificate,
    pub client_roots: Option<usize>,
}

impl Files {
    /// All paths.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        [&self.cert, &self.key].into_iter().chain(&self.client_ca).cloned().collect()
    }

    pub(super) fn read(&self) -> anyhow::Result<Read> {
        let client_ca = self.client_ca.as_deref().map(|path| File::read(path, "tls_client_ca"));
        Ok(Read {
            cert: File::read(&self.cert, "tls_cert")?,
            key: File::read(&self.key, "tls_key")?,
            client_ca: client_ca.transpose()?,
        })
    }

    /// Makes of the files what handshakes need.
    pub(super) fn load(&self, read: &Read, now: i64) -> anyhow::Result<Loaded> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = read.cert.certificates()?;
        let cert = self.cert.display();
        let parsed: anyhow::Result<Vec<_>> = chain.iter().map(|der| Certificate::parse(der)).collect();
        let parsed = parsed.with_context(|| format!("{cert}: write the file of `tls_cert` again"))?;
        let certificate = parsed.into_iter().next().with_context(|| format!("{cert}: is empty"))?;
        self.check_validity(&certificate, now)?;
        let key = read.key.private_key()?;
        let certified = CertifiedKey::from_der(chain, key, &provider).map_err(|error| self.misfit(&error))?;
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions()?;
        let roots = read.client_ca.as_ref().map(|file| self.roots(file)).transpose()?;
        let client_roots = roots.as_ref().map(RootCertStore::len);
        let builder = match roots {
            None => builder.with_no_client_auth(),
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build()?)
            }
        };
        let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        if client_roots.is_some() {
            // Who comes back with a ticket shows no certificate: it might have ended meanwhile.
            server.session_storage = Arc::new(NoServerSessionStorage {});
            server.send_tls13_tickets = 0;
        }
        Ok(Loaded { server, certificate, client_roots })
    }

    fn check_validity(&self, certificate: &Certificate, now: i64) -> anyhow::Result<()> {
        let cert = self.cert.display();
        if now > certificate.not_after {
            let when = shown(certificate.not_after);
            bail!("{cert}: the certificate expired at {when}; renew it, callers would refuse it");
        }
        if now < certificate.not_before {
            let when = shown(certificate.not_before);
            bail!(
                "{cert}: the certificate is not valid before {when}; wait, or set this machine's clock right"
            );
        }
        Ok(())
    }

    fn misfit(&self, error: &Error) -> anyhow::Error {
        let (cert, key) = (self.cert.display(), self.key.display());
        match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => anyhow::anyhow!(
                "{key}: the private key does not fit the first certificate of {cert}; \
                 write both of one issue, the server's own certificate first"
            ),
            // The certificate is looked at on the way to its key.
            Error::InvalidCertificate(error) => anyhow::anyhow!(
                "{cert}: the certificate cannot be used: {error}; issue one of X.509 version 3, \
                 with the names that callers use as its alternative names"
            ),
            error => anyhow::anyhow!(
                "{key}: the private key cannot be used: {error}; make one of RSA, ECDSA or Ed25519"
            ),
        }
    }

    fn roots(&self, file: &File) -> anyhow::Result<RootCertStore> {
        let shown = self.client_ca.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        let mut roots = RootCertStore::empty();
        for (der, number) in file.certificates()?.into_iter().zip(1..) {
            roots.add(der).with_context(|| {
                format!("{shown}: certificate {number} cannot be a root; take it out of `tls_client_ca`")
            })?;
        }
        Ok(roots)
    }
}

impl Read {
    /// What tells one content of the files from another.
    pub(super) fn digest(&self) -> Digest {
        let files = [&self.cert, &self.key].into_iter().chain(&self.client_ca);
        let all: Vec<u8> = files.flat_map(|file| file.digest().0).collect();
        Digest::of(&all)
    }

    /// What an operator should mend though it works.
    pub(super) fn warnings(&self, files: &Files, certificate: &Certificate) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(mode) = self.key.loose_permissions() {
            let key = files.key.display();
            all.push(format!("{key}: others may use the private key (mode {mode:o}); run `chmod 600 {key}`"));
        }
        if certificate.names.is_empty() {
            let cert = files.cert.display();
            all.push(format!("{cert}: the certificate has no alternative name, so callers will refuse it; issue one with the names that they use"));
        }
        all
    }
}
