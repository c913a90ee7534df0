//! Certificates and private keys as files hold them, with words for what is wrong.

use anyhow::{Context as _, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use tollgate_engine::id::Digest;
use zeroize::Zeroizing;

/// All roots of a large distribution have a third of it; more is some other file.
const MOST_BYTES: u64 = 1 << 20;

/// What somebody who may read the key of a file could do with it, in octal: write as its group,
/// anything as anybody. A group may read it: so do volumes of Kubernetes hand it over.
const LOOSE: u32 = 0o027;

/// A file that was read.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    /// What the user calls it: an option or a flag.
    option: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

impl File {
    /// Reads the file that this option names.
    ///
    /// # Errors
    /// It cannot be read, or is far too large.
    pub fn read(path: &Path, option: &'static str) -> anyhow::Result<Self> {
        let shown = path.display();
        let mut bytes = Zeroizing::new(Vec::new());
        std::fs::File::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .with_context(|| format!("{shown}: cannot be read; `{option}` names it"))?;
        if bytes.len() as u64 > MOST_BYTES {
            bail!("{shown}: has more than {MOST_BYTES} bytes; `{option}` takes a small file of PEM");
        }
        Ok(Self { path: path.to_owned(), option, bytes })
    }

    /// What tells one content from another.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// The certificates in it, at least one.
    ///
    /// # Errors
    /// There is none, or one is broken.
    pub fn certificates(&self) -> anyhow::Result<Vec<CertificateDer<'static>>> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        let all = all.with_context(|| self.broken())?;
        if all.is_empty() {
            bail!(
                "{}: holds no certificate; {}",
                self.path.display(),
                self.hint("CERTIFICATE", "PRIVATE KEY")
            );
        }
        Ok(all)
    }

    /// The one private key in it.
    ///
    /// # Errors
    /// There is none, or it is broken or encrypted.
    pub fn private_key(&self) -> anyhow::Result<PrivateKeyDer<'static>> {
        let shown = self.path.display();
        let all: Result<Vec<_>, _> = PrivateKeyDer::pem_slice_iter(&self.bytes).collect();
        let mut all = all.with_context(|| self.broken())?;
        match (all.pop(), all.len()) {
            (Some(key), 0) => Ok(key),
            (Some(_), others) => {
                bail!("{shown}: holds {} private keys; leave the one of the certificate", others + 1)
            }
            (None, _) if self.holds("ENCRYPTED") => bail!(
                "{shown}: the private key is encrypted, and nobody is there to ask for its password; \
                 decrypt it with `openssl pkey -in FILE -out FILE`"
            ),
            (None, _) => bail!("{shown}: holds no private key; {}", self.hint("PRIVATE KEY", "CERTIFICATE")),
        }
    }

    /// Its permissions, if more may use it than should use a private key.
    #[must_use]
    pub fn loose_permissions(&self) -> Option<u32> {
        let mode = std::fs::metadata(&self.path).ok()?.permissions().mode() & 0o777;
        (mode & LOOSE != 0).then_some(mode)
    }

    fn broken(&self) -> String {
        format!("{}: is no sound PEM; write the file of `{}` again", self.path.display(), self.option)
    }

    fn holds(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// What to do about a file that lacks what is wanted.
    fn hint(&self, wanted: &str, other: &str) -> String {
        let option = self.option;
        if self.bytes.iter().all(u8::is_ascii_whitespace) {
            return format!(
                "it is empty; `{option}` takes PEM, blocks that begin with `-----BEGIN {wanted}-----`"
            );
        }
        if self.bytes.first() == Some(&0x30) {
            return format!("it looks like DER; `{option}` takes PEM, which `openssl` makes of it");
        }
        if self.holds(other) {
            let other = other.to_lowercase();
            return format!("it holds a {other}: is that the file of another option than `{option}`?");
        }
        format!("`{option}` takes PEM: blocks that begin with `-----BEGIN {wanted}-----`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROKEN: &str = "-----BEGIN CERTIFICATE-----\nM!!!\n-----END CERTIFICATE-----\n";

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f.pem");
        let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
        let encrypted = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        let certificates = |file: &File| file.certificates().map(drop);
        let private_key = |file: &File| file.private_key().map(drop);
        for (text, read, want) in [
            ("", &certificates as &dyn Fn(&File) -> anyhow::Result<()>, "holds no certificate; it is empty"),
            ("hello", &certificates, "blocks that begin with `-----BEGIN CERTIFICATE-----`"),
            ("0\u{1}", &certificates, "it looks like DER"),
            (&key, &certificates, "it holds a private key: is that the file of another option than `tls_x`?"),
            (BROKEN, &certificates, "is no sound PEM; write the file of `tls_x` again"),
            ("", &private_key, "holds no private key; it is empty"),
            (&encrypted, &private_key, "decrypt it with `openssl pkey"),
            (&format!("{key}{key}"), &private_key, "holds 2 private keys"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = read(&File::read(&path, "tls_x").unwrap()).unwrap_err().to_string();
            assert!(
                error.starts_with(&path.display().to_string()) && error.contains(want),
                "{text}: {error}"
            );
        }
        std::fs::write(&path, &key).unwrap();
        assert!(File::read(&path, "tls_x").unwrap().private_key().is_ok());
        let missing = File::read(&folder.path().join("none"), "tls_x").unwrap_err().to_string();
        assert!(missing.ends_with("none: cannot be read; `tls_x` names it"), "{missing}");
    }

    #[test]
    fn a_key_that_others_may_use_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        std::fs::write(&path, "x").unwrap();
        for (mode, loose) in [(0o600, false), (0o640, false), (0o440, false), (0o644, true), (0o660, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let file = File::read(&path, "tls_key").unwrap();
            assert_eq!(file.loose_permissions(), loose.then_some(mode), "{mode:o}");
        }
    }
}
