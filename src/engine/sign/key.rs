//! The keys that people sign with: ed25519.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use std::fmt;
use zeroize::Zeroizing;

/// What stands before the bytes of a public key in text.
const PREFIX: &str = "ed25519:";
/// How many hexadecimal digits of a key's digest are its id.
const ID_DIGITS: usize = 16;

/// A key to sign with. It is wiped when it is dropped, and never shown.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// The key of these random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads PKCS#8 in PEM, as [`PrivateKey::to_pem`] and other tools write it; `None` when it is no
    /// private key of ed25519.
    #[must_use]
    pub fn from_pem(text: &str) -> Option<Self> {
        SigningKey::from_pkcs8_pem(text.trim()).ok().map(Self)
    }

    /// PKCS#8 in PEM; `None` is never seen, since every key has that form.
    #[must_use]
    pub fn to_pem(&self) -> Option<Zeroizing<String>> {
        self.0.to_pkcs8_pem(LineEnding::LF).ok()
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub(super) fn sign(&self, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(bytes).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public().id())
    }
}

/// A key to verify with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads `ed25519:` and 32 bytes in base64; `None` when it is no such key, or one of those few
    /// that would verify what nobody signed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let key = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
        (!key.is_weak()).then_some(Self(key))
    }

    /// What the key is called in envelopes: the beginning of its digest.
    #[must_use]
    pub fn id(&self) -> String {
        let digest = crate::id::Digest::of(self.0.as_bytes()).to_string();
        digest.trim_start_matches("sha256:").chars().take(ID_DIGITS).collect()
    }

    /// Whether this key's other half signed these bytes. Strict: a signature has one form only.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature).is_ok_and(|given| self.0.verify_strict(bytes, &given).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
