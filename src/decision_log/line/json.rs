//! Writes one line of JSON, field after field, without a tree in between.

use std::io::Write as _;

use tollgate_engine::time::WallTime;
use tollgate_engine::unit::Span;
use uuid::Uuid;

use super::super::code::Told;
use super::super::mask::Hidden;

/// A line that is being written. What is asked for is put after a comma where one is needed.
#[derive(Debug)]
pub struct Json<'o> {
    pub out: &'o mut Vec<u8>,
    /// What must not be told.
    pub hidden: Hidden,
    /// Whether a number was met that JSON does not have.
    pub not_finite: bool,
}

impl<'o> Json<'o> {
    pub fn new(out: &'o mut Vec<u8>) -> Self {
        Self { out, hidden: Hidden::default(), not_finite: false }
    }

    fn comma(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b'\n')) {
            self.out.push(b',');
        }
    }

    pub fn key(&mut self, name: &str) {
        self.comma();
        self.quoted(name);
        self.out.push(b':');
    }

    pub fn open(&mut self, bracket: u8) {
        self.comma();
        self.out.push(bracket);
    }

    pub fn close(&mut self, bracket: u8) {
        self.out.push(bracket);
    }

    /// A map under a name; left out where `inside` puts nothing into it.
    pub fn map(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let before = self.out.len();
        self.key(name);
        self.out.push(b'{');
        let empty = self.out.len();
        inside(self)?;
        if self.out.len() == empty {
            self.out.truncate(before);
        } else {
            self.out.push(b'}');
        }
        Some(())
    }

    /// A list under a name; left out where it has no element.
    pub fn list(
        &mut self,
        name: &str,
        count: usize,
        mut each: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        if count == 0 {
            return Some(());
        }
        self.key(name);
        self.out.push(b'[');
        for _ in 0..count {
            each(self)?;
        }
        self.out.push(b']');
        Some(())
    }

    /// A text of ours or of the bundle; left out where it is empty.
    pub fn name(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.key(name);
            self.quoted(text);
        }
    }

    /// A text that a caller may have had a part in; left out where it is empty.
    pub fn text(&mut self, name: &str, text: &str) {
        match self.hidden.scrub(text) {
            Some(clean) => self.name(name, &clean),
            None => self.name(name, text),
        }
    }

    pub fn flag(&mut self, name: &str, flag: bool) {
        self.key(name);
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    pub fn whole(&mut self, name: &str, number: u64) {
        self.key(name);
        self.digits(number);
    }

    pub fn number(&mut self, name: &str, number: f64) {
        self.key(name);
        self.double(number);
    }

    pub fn id(&mut self, name: &str, id: Uuid) {
        self.name(name, id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
    }

    pub fn time(&mut self, name: &str, time: WallTime) {
        self.key(name);
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "\"{}\"", jiff::Timestamp::from(time));
    }

    /// `30s`, `0.5s`; left out where there is none.
    pub fn span(&mut self, name: &str, span: Option<Span>) {
        if let Some(span) = span {
            self.key(name);
            self.out.push(b'"');
            self.out.extend_from_slice(tollgate_engine::simulate::answer::span(span).as_bytes());
            self.out.push(b'"');
        }
    }

    pub fn told(&mut self, told: &Told<'_>) {
        self.value(told, false);
    }

    /// A value; `in_context`: names inside of it are a caller's, and may repeat what is hidden.
    fn value(&mut self, told: &Told<'_>, in_context: bool) {
        self.comma();
        match told {
            Told::Null => self.out.extend_from_slice(b"null"),
            Told::Bool(true) => self.out.extend_from_slice(b"true"),
            Told::Bool(false) => self.out.extend_from_slice(b"false"),
            Told::Number(number) => match self.hidden.scrub_number(*number) {
                Some(clean) => self.quoted(&clean),
                None => self.double(*number),
            },
            Told::Text(text) => match self.hidden.scrub(text) {
                Some(clean) => self.quoted(&clean),
                None => self.quoted(text),
            },
            Told::Own(text) => self.quoted(text),
            Told::List(items) => {
                self.out.push(b'[');
                items.iter().for_each(|item| self.value(item, in_context));
                self.out.push(b']');
            }
            Told::Map(entries) => {
                self.out.push(b'{');
                for (name, value) in entries {
                    match in_context.then(|| self.hidden.scrub(name)).flatten() {
                        Some(clean) => self.key(&clean),
                        None => self.key(name),
                    }
                    self.value(value, in_context || *name == "context");
                }
                self.out.push(b'}');
            }
        }
    }

    /// A text as an element of a list.
    pub fn element(&mut self, text: &str) {
        self.comma();
        self.quoted(text);
    }

    fn digits(&mut self, number: u64) {
        // Writing to a vector cannot fail.
        let _ = write!(self.out, "{number}");
    }

    fn double(&mut self, number: f64) {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !number.is_finite() {
            self.not_finite = true;
            self.out.extend_from_slice(b"null");
        } else if number.fract() == 0.0 && number.abs() <= EXACT {
            let _ = write!(self.out, "{number:.0}");
        } else {
            let _ = serde_json::to_writer(&mut *self.out, &number);
        }
    }

    fn quoted(&mut self, text: &str) {
        let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if text.bytes().all(plain) {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            let _ = serde_json::to_writer(&mut *self.out, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision_log::mask::Masks;

    #[test]
    fn a_name_in_the_context_that_repeats_what_is_hidden_is_hidden_too() {
        let user = Told::Map(vec![("user", Told::Text("alice")), ("run", Told::Text("action"))]);
        let left = Told::Map(vec![("alice", Told::Number(3.0)), ("of-alice", Told::Null), ("n", Told::Null)]);
        let context = Told::Map(vec![("left", Told::List(vec![left]))]);
        let action = Told::Map(vec![("name", Told::Text("send"))]);
        let mut request = Told::Map(vec![("subject", user), ("action", action), ("context", context)]);
        let mut out = Vec::new();
        let mut json = Json::new(&mut out);
        Masks::new(["/subject/*"], None).unwrap().hide(&mut request, &mut json.hidden);
        json.told(&request);
        let want = r#"{"subject":{"user":"***","run":"***"},"action":{"name":"send"},"context":{"left":[{"***":3,"of-***":null,"n":null}]}}"#;
        assert_eq!(String::from_utf8(out).unwrap(), want, "names that are ours stay");
    }
}
