//! `google.protobuf.Struct` and its kin, in a form that the engine reads where it lies.
//!
//! Wire-compatible with the well-known types. Entries are a list instead of a map: one allocation
//! instead of one tree for each level, and [`Fields`] can be implemented for it.

use prost_types::NullValue;
use tollgate_engine::value::{Fields, Seq, View, number_to_json};

/// A map from names to values.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Struct {
    /// The entries; [`Struct::normalise`] sorts them by name.
    #[prost(message, repeated, tag = "1")]
    pub fields: Vec<Entry>,
}

/// One entry of a [`Struct`].
#[derive(Clone, PartialEq, prost::Message)]
pub struct Entry {
    /// Its name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(message, optional, tag = "2")]
    pub value: Option<Value>,
}

/// One value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Value {
    /// The value; a sender that leaves it out has made a mistake.
    #[prost(oneof = "Kind", tags = "1, 2, 3, 4, 5, 6")]
    pub kind: Option<Kind>,
}

/// What a [`Value`] holds.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Kind {
    /// JSON's null.
    #[prost(enumeration = "NullValue", tag = "1")]
    Null(i32),
    /// A number.
    #[prost(double, tag = "2")]
    Number(f64),
    /// Text.
    #[prost(string, tag = "3")]
    Text(String),
    /// True or false.
    #[prost(bool, tag = "4")]
    Bool(bool),
    /// A map.
    #[prost(message, tag = "5")]
    Struct(Struct),
    /// A list.
    #[prost(message, tag = "6")]
    List(ListValue),
}

/// A list of values.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ListValue {
    /// The elements.
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

impl Struct {
    /// Sorts the entries of this level by name; of equal names the last stays, as in a map.
    /// [`Fields::field`] needs it.
    pub fn normalise(&mut self) {
        let sorted = self.fields.is_sorted_by(|a, b| a.key < b.key);
        if !sorted {
            self.fields.reverse();
            self.fields.sort_by(|a, b| a.key.cmp(&b.key));
            self.fields.dedup_by(|later, kept| later.key == kept.key);
        }
    }
}

impl Value {
    fn view(&self) -> View<'_> {
        match &self.kind {
            None | Some(Kind::Null(_)) => View::Null,
            Some(Kind::Number(n)) => View::Number(*n),
            Some(Kind::Text(text)) => View::Str(text),
            Some(Kind::Bool(b)) => View::Bool(*b),
            Some(Kind::Struct(map)) => View::Map(map),
            Some(Kind::List(list)) => View::List(list),
        }
    }
}

impl Entry {
    fn view(&self) -> View<'_> {
        self.value.as_ref().map_or(View::Null, Value::view)
    }
}

impl Fields for Struct {
    fn len(&self) -> usize {
        self.fields.len()
    }
    fn field(&self, name: &str) -> Option<View<'_>> {
        let at = self.fields.binary_search_by(|entry| entry.key.as_str().cmp(name)).ok()?;
        self.fields.get(at).map(Entry::view)
    }
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, View<'a>)) {
        self.fields.iter().for_each(|entry| visit(&entry.key, entry.view()));
    }
}

impl Seq for ListValue {
    fn len(&self) -> usize {
        self.values.len()
    }
    fn at(&self, index: usize) -> Option<View<'_>> {
        self.values.get(index).map(Value::view)
    }
}

impl From<serde_json::Map<String, serde_json::Value>> for Struct {
    fn from(map: serde_json::Map<String, serde_json::Value>) -> Self {
        let entry = |(key, value): (String, serde_json::Value)| Entry { key, value: Some(value.into()) };
        Self { fields: map.into_iter().map(entry).collect() }
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        let kind = match json {
            Json::Null => Kind::Null(NullValue::NullValue.into()),
            Json::Bool(b) => Kind::Bool(b),
            Json::Number(n) => Kind::Number(n.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Kind::Text(text),
            Json::Array(items) => {
                Kind::List(ListValue { values: items.into_iter().map(Self::from).collect() })
            }
            Json::Object(map) => Kind::Struct(map.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl From<&Value> for serde_json::Value {
    fn from(value: &Value) -> Self {
        match &value.kind {
            None | Some(Kind::Null(_)) => Self::Null,
            Some(Kind::Number(n)) => number_to_json(*n),
            Some(Kind::Text(text)) => Self::String(text.clone()),
            Some(Kind::Bool(b)) => Self::Bool(*b),
            Some(Kind::Struct(map)) => map.into(),
            Some(Kind::List(list)) => Self::Array(list.values.iter().map(Self::from).collect()),
        }
    }
}

impl From<&Struct> for serde_json::Value {
    fn from(map: &Struct) -> Self {
        let entry = |entry: &Entry| (entry.key.clone(), entry.value.as_ref().map_or(Self::Null, Self::from));
        Self::Object(map.fields.iter().map(entry).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message as _;
    use serde_json::json;

    fn object(json: serde_json::Value) -> Struct {
        let serde_json::Value::Object(map) = json else { panic!("an object") };
        map.into()
    }

    #[test]
    fn the_wire_form_is_that_of_the_well_known_types() {
        let ours = object(json!({"a": 1.5, "b": ["x", null, true], "c": {"d": {}}}));
        let theirs = prost_types::Struct::decode(ours.encode_to_vec().as_slice()).unwrap();
        assert_eq!(theirs.fields.len(), 3);
        let back = Struct::decode(theirs.encode_to_vec().as_slice()).unwrap();
        assert_eq!(back, ours);
    }

    #[test]
    fn of_equal_names_the_last_stays() {
        let mut map = object(json!({"b": 1, "a": 2}));
        map.fields.extend(object(json!({"b": 3})).fields);
        map.normalise();
        assert_eq!(serde_json::Value::from(&map), json!({"a": 2, "b": 3}));
        assert!(matches!(map.field("b"), Some(View::Number(3.0))));
        assert!(map.field("c").is_none());
    }
}
