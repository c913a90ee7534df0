//! Names and identities that travel through the engine.

use std::fmt;

/// The id of a rule: `^[a-z0-9][a-z0-9_-]{2,63}$` (design 1.4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(Box<str>);

impl RuleId {
    /// Parses an id; `None` when it does not have the form above.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (first, rest) = bytes.split_first()?;
        let head = first.is_ascii_lowercase() || first.is_ascii_digit();
        let tail =
            rest.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        (head && tail && (2..=63).contains(&rest.len())).then(|| Self(text.into()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The name of a guardrail: 1 to 64 bytes without control characters (design 1.4).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuardrailName(Box<str>);

impl GuardrailName {
    /// Parses a name; `None` when it does not have the form above.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=64).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| Self(text.into()))
    }

    /// The name of what keeps `usage`, which no document can write.
    #[must_use]
    pub(crate) fn usage() -> Self {
        Self("usage\0".into())
    }

    /// Whether no document can write it: it is the engine's own.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.0.ends_with('\0')
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 of the canonical JSON (RFC 8785) of a document.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads the form in which it is shown; `None` when the text is no such digest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (mut bytes, digits) = ([0; 32], text.strip_prefix("sha256:")?.as_bytes());
        if digits.len() != 64 || digits.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// The digest of these bytes, one after the other.
    #[must_use]
    pub fn of_all(parts: &[&[u8]]) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        parts.iter().for_each(|part| hasher.update(part));
        Self(hasher.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        f.write_str("sha256:")?;
        // Each decision of an approval shows one: byte by byte it took a tenth of it.
        #[expect(clippy::indexing_slicing, reason = "four bits count to 15")]
        let digits =
            self.0.iter().flat_map(|byte| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        let mut text = [0; 64];
        text.iter_mut().zip(digits).for_each(|(to, digit)| *to = digit);
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

macro_rules! shows_as_text {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`{}`", self.as_str())
            }
        }
    )*};
}
shows_as_text!(RuleId GuardrailName);

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
