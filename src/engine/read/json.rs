//! JSON by its own grammar (RFC 8259). YAML parsers read most of it, but not its long keys nor its
//! tabs, and forgive what JSON does not.

use super::build::{self, Builder};
use super::scalar::{self, Scalar};
use super::shown;
use super::tree::Content;
use crate::model::{Code, Finding, Place};

/// Why reading ended before the end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It is not JSON; the finding is not recorded, since it may still be YAML.
    Syntax(Finding),
    /// A bound was passed, and recorded.
    Bound,
}

impl From<build::Stop> for Stop {
    fn from(_: build::Stop) -> Self {
        Self::Bound
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    CommaOrEnd,
    Nothing,
}

/// Reads one value and nothing behind it.
pub(super) fn read(text: &str, builder: &mut Builder<'_>) -> Result<(), Stop> {
    let mut cursor = Cursor::new(text);
    let mut open: Vec<bool> = Vec::new();
    let mut next = Next::Value;
    loop {
        cursor.skip_space();
        let Some(byte) = cursor.peek() else {
            return if next == Next::Nothing {
                Ok(())
            } else {
                Err(cursor.broken(builder, "the file ends too early", "close what is open"))
            };
        };
        let in_map = open.last().copied().unwrap_or(false);
        next = match (next, byte) {
            (Next::Value | Next::ValueOrEnd, b'{') => {
                builder.open(true, cursor.place(builder, 1), 0)?;
                cursor.advance(1);
                open.push(true);
                Next::KeyOrEnd
            }
            (Next::Value | Next::ValueOrEnd, b'[') => {
                builder.open(false, cursor.place(builder, 1), 0)?;
                cursor.advance(1);
                open.push(false);
                Next::ValueOrEnd
            }
            (Next::KeyOrEnd, b'}') | (Next::ValueOrEnd, b']') => cursor.close(builder, &mut open)?,
            (Next::CommaOrEnd, b'}') if in_map => cursor.close(builder, &mut open)?,
            (Next::CommaOrEnd, b']') if !in_map => cursor.close(builder, &mut open)?,
            (Next::CommaOrEnd, b',') => {
                cursor.advance(1);
                if in_map { Next::Key } else { Next::Value }
            }
            (Next::Key | Next::KeyOrEnd, b'"') => {
                cursor.string(builder)?;
                cursor.colon(builder)?;
                Next::Value
            }
            (Next::Value | Next::ValueOrEnd, _) => {
                cursor.scalar(byte, builder)?;
                after(&open)
            }
            (Next::Key | Next::KeyOrEnd | Next::CommaOrEnd | Next::Nothing, _) => {
                return Err(cursor.unexpected(next, builder));
            }
        };
    }
}

fn after(open: &[bool]) -> Next {
    if open.is_empty() { Next::Nothing } else { Next::CommaOrEnd }
}

/// Where the reading is. Columns are counted as it goes: a file may be one long line.
struct Cursor<'t> {
    text: &'t str,
    at: usize,
    line: usize,
    /// A byte of the line, and its column from 1.
    mark: (usize, usize),
}

impl<'t> Cursor<'t> {
    const fn new(text: &'t str) -> Self {
        Self { text, at: 0, line: 1, mark: (0, 1) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    const fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    fn skip_space(&mut self) {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.peek() {
            self.at += 1;
            if byte == b'\n' {
                self.line += 1;
                self.mark = (self.at, 1);
            }
        }
    }

    fn place(&mut self, builder: &Builder<'_>, chars: usize) -> Place {
        let (from, column) = self.mark;
        let passed = self.text.get(from..self.at).unwrap_or_default();
        self.mark = (self.at, column + passed.chars().count());
        builder.place(self.line, self.mark.1, chars)
    }

    fn close(&mut self, builder: &mut Builder<'_>, open: &mut Vec<bool>) -> Result<Next, Stop> {
        self.advance(1);
        open.pop();
        builder.close()?;
        Ok(after(open))
    }

    fn colon(&mut self, builder: &Builder<'_>) -> Result<(), Stop> {
        self.skip_space();
        if self.peek() == Some(b':') {
            self.advance(1);
            return Ok(());
        }
        Err(self.broken(builder, "a colon is missing behind the key", "write `\"key\": value`"))
    }

    fn scalar(&mut self, byte: u8, builder: &mut Builder<'_>) -> Result<(), Stop> {
        if byte == b'"' {
            return self.string(builder);
        }
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'));
        let word = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let place = self.place(builder, word.len());
        let content = match word {
            "null" => Content::Null,
            "true" => Content::Bool(true),
            "false" => Content::Bool(false),
            _ if is_number(word) => match scalar::resolve(word) {
                Scalar::Number(n) => Content::Number(n),
                Scalar::Null | Scalar::Bool(_) | Scalar::Text | Scalar::TooLarge => {
                    builder.too_large(word, place)
                }
            },
            _ => return Err(self.unexpected(Next::Value, builder)),
        };
        self.advance(word.len());
        Ok(builder.scalar(content, place)?)
    }

    fn string(&mut self, builder: &mut Builder<'_>) -> Result<(), Stop> {
        let rest = self.rest();
        let Some(length) = string_length(rest) else {
            return Err(self.broken(builder, "the quote is never closed", "close it"));
        };
        let token = rest.get(..length).unwrap_or_default();
        let inner = token.get(1..length - 1).unwrap_or_default();
        let place = self.place(builder, token.chars().count());
        self.advance(length);
        if !inner.bytes().any(|b| b == b'\\' || b < 0x20) {
            return Ok(builder.text(inner, place, 0)?);
        }
        match serde_json::from_str::<String>(token) {
            Ok(text) => Ok(builder.text(&text, place, 0)?),
            Err(_) => {
                let message = format!("{} is no text of JSON", shown(token));
                let remedy = "write `\\\\` for a backslash, `\\n` for a line break";
                Err(syntax(place, message, remedy))
            }
        }
    }

    fn unexpected(&mut self, wanted: Next, builder: &Builder<'_>) -> Stop {
        let word: String = self.rest().chars().take_while(|c| !c.is_whitespace()).take(20).collect();
        let (message, remedy) = match wanted {
            Next::Value | Next::ValueOrEnd => ("stands where JSON wants a value", "quote text"),
            Next::Key | Next::KeyOrEnd => ("stands where JSON wants a key", "quote keys"),
            Next::CommaOrEnd => ("stands where JSON wants a comma", "separate the parts with `,`"),
            Next::Nothing => ("stands behind the end of the document", "remove it"),
        };
        let message = format!("{} {message}", shown(&word));
        self.broken(builder, message, remedy)
    }

    fn broken(&mut self, builder: &Builder<'_>, message: impl Into<String>, remedy: &str) -> Stop {
        syntax(self.place(builder, 1), message, remedy)
    }
}

fn syntax(place: Place, message: impl Into<String>, remedy: &str) -> Stop {
    Stop::Syntax(Finding::error(Code::Syntax, place, message).suggest(remedy))
}

/// The bytes of the text that starts here, quotes included.
fn string_length(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(i + 1),
            _ => {}
        }
    }
    None
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?`
fn is_number(word: &str) -> bool {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let unsigned = word.strip_prefix('-').unwrap_or(word);
    let whole = digits(unsigned);
    if whole == 0 || (whole > 1 && unsigned.starts_with('0')) {
        return false;
    }
    let mut rest = unsigned.get(whole..).unwrap_or_default();
    if let Some(fraction) = rest.strip_prefix('.') {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = fraction.get(count..).unwrap_or_default();
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}
