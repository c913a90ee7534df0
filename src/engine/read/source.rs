//! From bytes to text: UTF-8 only, with or without a byte order mark (design 1.8).

use super::Findings;
use crate::model::{Code, Place};

/// The text of a file without its byte order mark; `None` when a finding says why not.
pub(super) fn decode<'b>(bytes: &'b [u8], file: u16, found: &mut Findings) -> Option<&'b str> {
    if is_utf16(bytes) {
        let place = Place { file, line: 1, column: 1, length: 1 };
        found.error_with(Code::Syntax, place, "the file is UTF-16", "save it as UTF-8");
        return None;
    }
    let body = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) => {
            let valid = body.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(valid);
            let offset = bytes.len() - body.len() + error.valid_up_to();
            let message = format!("byte {offset} of the file is not valid UTF-8");
            found.error_with(Code::Syntax, end_of(&before, file), message, "save it as UTF-8");
            return None;
        }
    };
    refuse_control_characters(text, file, found)?;
    Some(text)
}

/// Two bytes a character: a mark says so, or an ASCII character with a zero on one side of it.
fn is_utf16(bytes: &[u8]) -> bool {
    match bytes {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => true,
        [0, b, ..] | [b, 0, ..] => *b != 0,
        _ => false,
    }
}

/// YAML and JSON allow none of them raw, and a reason is shown on terminals. A carriage return alone is a
/// line's end to YAML and to nothing else: no place behind it would be right, and a terminal shows the rest
/// over what stands before it.
fn refuse_control_characters(text: &str, file: u16, found: &mut Findings) -> Option<()> {
    let bytes = text.as_bytes();
    let lone = |at: usize| bytes.get(at + 1) != Some(&b'\n');
    let raw = |(at, b): (usize, &u8)| match b {
        b'\t' | b'\n' => false,
        b'\r' => lone(at),
        b => *b < 0x20,
    };
    let Some(at) = bytes.iter().enumerate().position(raw) else {
        return Some(());
    };
    let byte = text.as_bytes().get(at).copied().unwrap_or_default();
    let place = end_of(text.get(..at).unwrap_or_default(), file);
    let (message, remedy) = if byte == 0 {
        ("a NUL byte".to_owned(), "remove it".to_owned())
    } else if byte == b'\r' {
        let remedy = "end lines with a line feed, with or without a carriage return before it";
        ("a carriage return without a line feed".to_owned(), remedy.to_owned())
    } else {
        let message = format!("the control character 0x{byte:02x}");
        (message, format!("remove it, or write `\"\\u00{byte:02x}\"`"))
    };
    found.error_with(Code::Syntax, place, message, remedy);
    None
}

/// The place just behind this text.
fn end_of(before: &str, file: u16) -> Place {
    let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
    Place { file, line: narrow(line), column: narrow(column), length: 1 }
}

/// A count as places hold it; files are far smaller.
pub(super) fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
