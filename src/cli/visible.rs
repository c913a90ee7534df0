//! Text of documents, requests and servers, as a terminal may show it.

use serde_json::Value;
use std::borrow::Cow;

/// The text with its control characters written out, as JSON would: nothing in it moves a cursor
/// or paints. Line ends and tabs stay.
pub fn text(text: &str) -> Cow<'_, str> {
    without(text, |_| None)
}

/// The same for every text and name in a JSON document.
pub fn json(value: &Value) -> Value {
    match value {
        Value::String(inner) => Value::String(text(inner).into_owned()),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (text(name).into_owned(), json(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// What is about to be printed, with styles and without any other control character; of a JSON
/// document it changes no meaning.
pub fn printed(text: &str) -> Cow<'_, str> {
    without(text, style)
}

/// The bytes of a style at the start of a text: `ESC [ 1 ; 31 m`.
fn style(text: &str) -> Option<usize> {
    let digits = text.strip_prefix("\x1b[")?;
    let end = digits.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    digits.get(end..)?.starts_with('m').then_some("\x1b[m".len() + end)
}

/// `keep` says how many bytes at a control character stay as they are.
fn without(text: &str, keep: impl Fn(&str) -> Option<usize>) -> Cow<'_, str> {
    let is_foul = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(is_foul) {
        return Cow::Borrowed(text);
    }
    let (mut clean, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(is_foul) {
        let (before, from) = rest.split_at(at);
        clean.push_str(before);
        let foul = from.chars().next().unwrap_or_default();
        let stays = keep(from);
        let (head, tail) = from.split_at(stays.unwrap_or(foul.len_utf8()));
        match stays {
            Some(_) => clean.push_str(head),
            None => clean.push_str(&format!("\\u{:04x}", u32::from(foul))),
        }
        rest = tail;
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_styles_of_our_own_reach_a_terminal() {
        for (raw, shown, painted) in [
            ("a\tb\nc é", "a\tb\nc é", "a\tb\nc é"),
            ("\x1b[1;31mred\x1b[0m", "\\u001b[1;31mred\\u001b[0m", "\x1b[1;31mred\x1b[0m"),
            ("\x1b[2J\x1b]0;t\x07", "\\u001b[2J\\u001b]0;t\\u0007", "\\u001b[2J\\u001b]0;t\\u0007"),
            ("a\u{9b}2J\r\x7f\x1b", "a\\u009b2J\\u000d\\u007f\\u001b", "a\\u009b2J\\u000d\\u007f\\u001b"),
        ] {
            assert_eq!(text(raw), shown);
            assert_eq!(printed(raw), painted);
        }
        let document = serde_json::json!({"a\u{9b}": ["\u{7f}", 1, null]});
        assert_eq!(json(&document), serde_json::json!({"a\\u009b": ["\\u007f", 1, null]}));
        let told = document.to_string();
        let read: Value = serde_json::from_str(&printed(&told)).unwrap();
        assert_eq!(read, document);
    }
}
