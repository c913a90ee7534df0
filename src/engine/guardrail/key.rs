//! What a guardrail counts apart: the text of a key.
//!
//! A key is the values of its dimensions, joined by a zero byte. Zero and one bytes inside a
//! value are escaped, so that no two lists of values share a text. A dimension that the request
//! lacks is the empty value. A text over 128 bytes is kept as its SHA-256.

use std::sync::Arc;

use crate::condition::slots::{Slot, own_field};
use crate::id::Digest;
use crate::model::guardrail::KeyDimension;
use crate::model::request::Request;
use crate::value::{View, at_path, to_json};

/// The longest text that is kept as it is.
pub const LONGEST: usize = 128;
/// Before the SHA-256 of a long text; no UTF-8 text begins with it.
const DIGESTED: u8 = 0xff;
/// Before the number of a flush that has no name.
const UNNAMED: u8 = 0xfe;

/// A key that is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key(Text);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Text {
    /// Most keys; no allocation of their own.
    Short { len: u8, bytes: [u8; Key::INLINE] },
    /// Shared by the state and the decisions that are open on it.
    Long(Arc<[u8]>),
}

impl Key {
    const INLINE: usize = 22;

    /// The key of this text, which `write` wrote.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let mut bytes = [0; Self::INLINE];
        match (u8::try_from(text.len()), bytes.get_mut(..text.len())) {
            (Ok(len), Some(room)) => {
                room.copy_from_slice(text);
                Self(Text::Short { len, bytes })
            }
            _ => Self(Text::Long(text.into())),
        }
    }

    /// The text, as `write` wrote it.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Text::Short { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Text::Long(bytes) => bytes,
        }
    }

    /// The key as a reader would say it: the values between slashes, a digest in hex.
    #[must_use]
    pub fn display(&self) -> String {
        display(self.as_bytes())
    }

    /// The values of its dimensions, in their order; `None` where only a digest is kept, or the
    /// number of a flush without a name.
    #[must_use]
    pub fn values(&self) -> Option<Vec<String>> {
        let text = self.as_bytes();
        let unnamed = |value: &[u8]| value.first() == Some(&UNNAMED);
        let is_kept = text.first() != Some(&DIGESTED) && !text.split(|byte| *byte == 0).any(unnamed);
        is_kept.then(|| text.split(|byte| *byte == 0).map(unescaped).collect())
    }

    /// The value of one of its dimensions, by their order; `None` where only a digest is kept.
    #[must_use]
    pub fn value(&self, dimension: usize) -> Option<String> {
        let text = self.as_bytes();
        let kept = text.first() != Some(&DIGESTED);
        kept.then(|| text.split(|byte| *byte == 0).nth(dimension).map(unescaped)).flatten()
    }

    /// Whether nobody can name it again: it holds the number of a flush without a name, which is
    /// over with its call.
    #[must_use]
    pub fn ends_with_its_call(&self) -> bool {
        let text = self.as_bytes();
        let values = || text.split(|byte| *byte == 0);
        text.first() != Some(&DIGESTED) && values().any(|value| value.first() == Some(&UNNAMED))
    }

    /// How many bytes it keeps outside itself.
    #[must_use]
    pub fn heap(&self) -> usize {
        match &self.0 {
            Text::Short { .. } => 0,
            Text::Long(bytes) => bytes.len().saturating_add(16),
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.display())
    }
}

fn display(text: &[u8]) -> String {
    use std::fmt::Write as _;
    match text.split_first() {
        Some((&DIGESTED, digest)) => {
            digest.iter().fold(String::from("sha256:"), |mut shown, byte| {
                // Writing to a string cannot fail.
                let _ = write!(shown, "{byte:02x}");
                shown
            })
        }
        _ => {
            let values = text.split(|byte| *byte == 0).map(unescaped);
            values.collect::<Vec<_>>().join("/")
        }
    }
}

fn unescaped(value: &[u8]) -> String {
    if value.first() == Some(&UNNAMED) {
        return String::from("(a flush without a name)");
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        plain.push(match (byte, byte == &1) {
            (_, true) => bytes.next().map_or(1, |escaped| escaped & 1),
            (byte, false) => *byte,
        });
    }
    String::from_utf8_lossy(&plain).into_owned()
}

/// The flush that a request belongs to, for the dimension `batch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush<'a> {
    /// One that several calls may join.
    Named(&'a str),
    /// The call itself, by a number that no other call has.
    Unnamed(u128),
    /// The same of a call with one request only, so that nothing is counted for it.
    Alone(u128),
}

/// Appends the text of a request's key.
pub fn write(
    out: &mut Vec<u8>,
    dimensions: &[KeyDimension],
    request: &Request<'_>,
    environment: &str,
    flush: Flush<'_>,
) {
    let from = out.len();
    for (at, dimension) in dimensions.iter().enumerate() {
        if at > 0 {
            out.push(0);
        }
        dimension_into(out, dimension, request, environment, flush, escape);
    }
    shorten(out, from);
}

/// Appends the text of the key that has these values.
pub fn write_values(out: &mut Vec<u8>, values: &[&str]) {
    let from = out.len();
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(0);
        }
        escape(out, value.as_bytes());
    }
    shorten(out, from);
}

/// Appends the values themselves, joined by a zero byte, with nothing escaped or shortened: what
/// a sample is drawn from.
pub fn write_plain(
    out: &mut Vec<u8>,
    dimensions: &[KeyDimension],
    request: &Request<'_>,
    environment: &str,
    flush: Flush<'_>,
) {
    for (at, dimension) in dimensions.iter().enumerate() {
        if at > 0 {
            out.push(0);
        }
        dimension_into(out, dimension, request, environment, flush, Vec::extend_from_slice);
    }
}

/// Puts the SHA-256 in place of a text that is too long to keep.
fn shorten(out: &mut Vec<u8>, from: usize) {
    if let Some(text) = out.get(from..).filter(|text| text.len() > LONGEST) {
        let digest = Digest::of(text);
        out.truncate(from);
        out.push(DIGESTED);
        out.extend_from_slice(&digest.0);
    }
}

fn dimension_into(
    out: &mut Vec<u8>,
    dimension: &KeyDimension,
    request: &Request<'_>,
    environment: &str,
    flush: Flush<'_>,
    value: fn(&mut Vec<u8>, &[u8]),
) {
    match dimension {
        KeyDimension::Global => {}
        KeyDimension::Field(field) => {
            if let Slot::Value(View::Str(text)) = own_field(request, environment, *field) {
                value(out, text.as_bytes());
            }
        }
        KeyDimension::Request => value(out, request.request_id.as_bytes()),
        KeyDimension::Batch => match flush {
            Flush::Named(name) => value(out, name.as_bytes()),
            Flush::Unnamed(number) | Flush::Alone(number) => {
                out.push(UNNAMED);
                let digits = number.to_be_bytes();
                // Half a byte each, so that none is a separator.
                out.extend(digits.iter().flat_map(|b| [(b >> 4) | 64, (b & 15) | 64]));
            }
        },
        KeyDimension::Context(path) => {
            if let Some(found) = at_path(request.context, path) {
                canonical(out, found);
            }
        }
    }
}

/// Appends the canonical JSON (RFC 8785) of a value; it holds no control character, so that
/// nothing is to be escaped.
fn canonical(out: &mut Vec<u8>, value: View<'_>) {
    match value {
        View::Null => out.extend_from_slice(b"null"),
        View::Bool(true) => out.extend_from_slice(b"true"),
        View::Bool(false) => out.extend_from_slice(b"false"),
        // Writing to a vector cannot fail.
        View::Str(text) => drop(serde_json::to_writer(out, text)),
        View::Number(_) | View::List(_) | View::Map(_) => {
            drop(serde_json_canonicalizer::to_writer(&to_json(value), out));
        }
    }
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    // Hardly any value has something to escape.
    if !has_separator(value) {
        out.extend_from_slice(value);
        return;
    }
    for byte in value {
        match byte {
            0 => out.extend_from_slice(&[1, b'0']),
            1 => out.extend_from_slice(&[1, b'1']),
            byte => out.push(*byte),
        }
    }
}

/// Whether a byte below two is in it, eight looked at in one go: only such a byte borrows from the
/// top bit, where it had none (Mycroft 1987).
fn has_separator(value: &[u8]) -> bool {
    const EACH: u64 = u64::MAX / 255;
    let (eights, rest) = value.as_chunks::<8>();
    let in_eight = |eight: &[u8; 8]| {
        let eight = u64::from_le_bytes(*eight);
        eight.wrapping_sub(2 * EACH) & !eight & (128 * EACH) != 0
    };
    eights.iter().any(in_eight) || rest.iter().any(|byte| *byte < 2)
}

#[cfg(test)]
mod tests;
