//! How records are written down on the way to the writer: as few instructions as it takes, no names,
//! no allocation once the room is there.

use tollgate_engine::unit::Span;
use tollgate_engine::value::{Fields, Seq, View, number_to_json};
use uuid::Uuid;

/// Appends to the bytes of a record.
#[derive(Debug)]
pub struct Put<'o>(pub &'o mut Vec<u8>);

impl Put<'_> {
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn flag(&mut self, flag: bool) {
        self.0.push(u8::from(flag));
    }

    pub fn whole(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// A number that is small mostly: seven bits a byte.
    pub fn small(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        #[expect(clippy::cast_possible_truncation, reason = "seven bits are left")]
        self.0.push(number as u8);
    }

    pub fn number(&mut self, number: f64) {
        self.whole(number.to_bits());
    }

    pub fn id(&mut self, id: Uuid) {
        self.0.extend_from_slice(id.as_bytes());
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        self.small(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// At most `most` bytes of a text.
    pub fn clipped(&mut self, text: &str, most: usize) {
        let end = (0..=most.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        self.text(text.get(..end.unwrap_or(0)).unwrap_or_default());
    }

    /// What may be absent.
    pub fn some<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.flag(value.is_some());
        if let Some(value) = value {
            put(self, value);
        }
    }

    pub fn span(&mut self, span: Span) {
        self.small(span.nanos());
    }

    pub fn texts(&mut self, list: &dyn Seq) {
        self.small(list.len() as u64);
        for at in 0..list.len() {
            self.text(match list.at(at) {
                Some(View::Str(text)) => text,
                Some(_) | None => "",
            });
        }
    }

    pub fn fields(&mut self, fields: &dyn Fields) {
        self.small(fields.len() as u64);
        fields.each(&mut |name, value| {
            self.text(name);
            self.value(value);
        });
    }

    pub fn value(&mut self, value: View<'_>) {
        match value {
            View::Null => self.byte(0),
            View::Bool(false) => self.byte(1),
            View::Bool(true) => self.byte(2),
            View::Number(number) => {
                self.byte(3);
                self.number(number);
            }
            View::Str(text) => {
                self.byte(4);
                self.text(text);
            }
            View::List(list) => {
                self.byte(5);
                self.small(list.len() as u64);
                for at in 0..list.len() {
                    self.value(list.at(at).unwrap_or(View::Null));
                }
            }
            View::Map(fields) => {
                self.byte(6);
                self.fields(fields);
            }
        }
    }
}

/// Reads the bytes of a record; `None` where they are no record.
#[derive(Clone, Copy, Debug)]
pub struct Take<'b>(pub &'b [u8]);

/// A value of a request's context, as it was written down.
#[derive(Clone, Debug, PartialEq)]
pub enum Told<'b> {
    Null,
    Bool(bool),
    Number(f64),
    Text(&'b str),
    /// A text that stands for something else.
    Own(String),
    List(Vec<Told<'b>>),
    Map(Vec<(&'b str, Told<'b>)>),
}

impl Told<'_> {
    /// The same as JSON; numbers that JSON does not have become null.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(yes) => (*yes).into(),
            Self::Number(number) => number_to_json(*number),
            Self::Text(text) => (*text).into(),
            Self::Own(text) => text.as_str().into(),
            Self::List(items) => items.iter().map(Told::to_json).collect(),
            Self::Map(entries) => {
                entries.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect()
            }
        }
    }
}

/// Deeper than any request may be.
const DEEPEST: usize = 128;

impl<'b> Take<'b> {
    pub fn raw(&mut self, len: usize) -> Option<&'b [u8]> {
        let (first, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(first)
    }

    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn flag(&mut self) -> Option<bool> {
        self.byte().map(|byte| byte != 0)
    }

    pub fn whole(&mut self) -> Option<u64> {
        self.raw(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    pub fn small(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
        }
    }

    pub fn count(&mut self) -> Option<usize> {
        self.small().and_then(|count| usize::try_from(count).ok())
    }

    pub fn number(&mut self) -> Option<f64> {
        self.whole().map(f64::from_bits)
    }

    pub fn id(&mut self) -> Option<Uuid> {
        self.raw(16)?.try_into().ok().map(Uuid::from_bytes)
    }

    pub fn bytes(&mut self) -> Option<&'b [u8]> {
        let len = self.count()?;
        self.raw(len)
    }

    pub fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    #[expect(clippy::option_option, reason = "the outer one: whether it can be read")]
    pub fn some<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        if self.flag()? { take(self).map(Some) } else { Some(None) }
    }

    pub fn span(&mut self) -> Option<Span> {
        self.small().map(Span::from_nanos)
    }

    pub fn texts(&mut self) -> Option<Vec<&'b str>> {
        (0..self.count()?).map(|_| self.text()).collect()
    }

    pub fn fields(&mut self) -> Option<Vec<(&'b str, Told<'b>)>> {
        self.fields_at(0)
    }

    fn fields_at(&mut self, depth: usize) -> Option<Vec<(&'b str, Told<'b>)>> {
        let count = self.count()?;
        (0..count).map(|_| Some((self.text()?, self.value(depth + 1)?))).collect()
    }

    fn value(&mut self, depth: usize) -> Option<Told<'b>> {
        if depth > DEEPEST {
            return None;
        }
        Some(match self.byte()? {
            0 => Told::Null,
            1 => Told::Bool(false),
            2 => Told::Bool(true),
            3 => Told::Number(self.number()?),
            4 => Told::Text(self.text()?),
            5 => {
                let count = self.count()?;
                Told::List((0..count).map(|_| self.value(depth + 1)).collect::<Option<_>>()?)
            }
            6 => Told::Map(self.fields_at(depth)?),
            _ => return None,
        })
    }
}
