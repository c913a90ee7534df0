//! JSON into the values that requests are made of, bounded while it is read.
//!
//! A name that comes twice is refused: who asks and who decides must not read two things in it.

use std::cell::Cell;
use std::fmt;

use prost_types::NullValue;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::pb::{Entry, Kind, ListValue, Struct, Value};

/// Reads an object of at most so many values.
///
/// # Errors
/// Says what is wrong, and where.
pub(super) fn object(bytes: &[u8], most: usize) -> Result<Struct, String> {
    let left = Cell::new(most);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Seed { left: &left, most }.deserialize(&mut reader).map_err(|wrong| wrong.to_string())?;
    reader.end().map_err(|wrong| wrong.to_string())?;
    match value.kind {
        Some(Kind::Struct(object)) => Ok(object),
        _ => Err("is no JSON object".to_owned()),
    }
}

#[derive(Clone, Copy)]
struct Seed<'l> {
    left: &'l Cell<usize>,
    most: usize,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Seed<'_> {
    fn take<E: Error>(self, kind: Kind) -> Result<Value, E> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| E::custom(format_args!("more than {} values", self.most)))?);
        Ok(Value { kind: Some(kind) })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.take(Kind::Null(NullValue::NullValue.into()))
    }
    fn visit_bool<E: Error>(self, truth: bool) -> Result<Value, E> {
        self.take(Kind::Bool(truth))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        self.take(Kind::Number(number))
    }
    #[expect(clippy::cast_precision_loss, reason = "all numbers of a request are doubles")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        self.take(Kind::Number(number as f64))
    }
    #[expect(clippy::cast_precision_loss, reason = "all numbers of a request are doubles")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        self.take(Kind::Number(number as f64))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.take(Kind::Text(text.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(self)? {
            values.push(value);
        }
        self.take(Kind::List(ListValue { values }))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields: Vec<Entry> = Vec::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = Some(entries.next_value_seed(self)?);
            fields.push(Entry { key, value });
        }
        fields.sort_by(|a, b| a.key.cmp(&b.key));
        let twice = fields.iter().zip(fields.iter().skip(1)).find(|(a, b)| a.key == b.key);
        if let Some((entry, _)) = twice {
            let name: String = entry.key.escape_debug().take(64).collect();
            return Err(A::Error::custom(format_args!("the name `{name}` comes twice")));
        }
        self.take(Kind::Struct(Struct { fields }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_object_within_bounds_is_refused() {
        for (text, want) in [
            (r#"{"a": [1, "x", null, true, {"b": -2.5}]}"#, Ok(r#"{"a":[1,"x",null,true,{"b":-2.5}]}"#)),
            (r#"{"b": 1, "a": 18446744073709551615}"#, Ok(r#"{"a":18446744073709552000,"b":1}"#)),
            ("", Err("EOF")),
            ("[]", Err("no JSON object")),
            ("null", Err("no JSON object")),
            ("{} {}", Err("trailing characters")),
            (r#"{"a": 1, "a": 2}"#, Err("`a` comes twice")),
            (r#"{"x": {"a": 1, "b": 2, "a": 2}}"#, Err("`a` comes twice")),
            (r#"{"a": NaN}"#, Err("expected value")),
            (r#"{"a": 1e999}"#, Err("number out of range")),
            (r#"{"a": "\ud800"}"#, Err("hex escape")),
            ("\u{feff}{}", Err("expected value")),
            (r#"{"a": [0,0,0,0,0,0,0,0,0,0,0,0]}"#, Err("more than 12 values")),
        ] {
            let got = object(text.as_bytes(), 12).map(|object| serde_json::Value::from(&object).to_string());
            match (&got, want) {
                (Ok(got), Ok(want)) => {
                    let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
                    assert_eq!(value(got), value(want), "{text}");
                }
                (Err(got), Err(want)) => assert!(got.contains(want), "{text}: {got}"),
                _ => panic!("{text}: {got:?}"),
            }
        }
        assert!(object(&[b'{', b'"', 0xff, b'"', b':', b'1', b'}'], 12).is_err());
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(
            object(format!("{{\"a\": {deep}}}").as_bytes(), 1_000_000).unwrap_err().contains("recursion")
        );
    }
}
