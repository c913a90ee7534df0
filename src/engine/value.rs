//! Values of requests and of bundles.
//!
//! A request's context stays where it is (protobuf, JSON, bytes of the wire); the engine looks
//! at it through [`View`], [`Seq`] and [`Fields`], and copies nothing.

use std::collections::BTreeMap;

/// One value of a request, borrowed from wherever it is kept. Numbers are doubles.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// JSON's null: a value, not absence.
    Null,
    /// True or false.
    Bool(bool),
    /// A number; NaN is possible and makes every test an error.
    Number(f64),
    /// UTF-8 text.
    Str(&'a str),
    /// A list.
    List(&'a dyn Seq),
    /// A map from text to values.
    Map(&'a dyn Fields),
}

/// A list of values.
pub trait Seq: std::fmt::Debug {
    /// How many elements there are.
    fn len(&self) -> usize;
    /// The element at this place, counted from 0.
    fn at(&self, index: usize) -> Option<View<'_>>;
    /// Whether there is no element.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A map of values by name.
pub trait Fields: std::fmt::Debug {
    /// How many entries there are.
    fn len(&self) -> usize;
    /// The value of this name, if the map has it.
    fn field(&self, name: &str) -> Option<View<'_>>;
    /// Calls `visit` once for each entry, in any order.
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, View<'a>));
    /// Whether there is no entry.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A value that a bundle (or a test case) holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Const {
    /// JSON's null.
    Null,
    /// True or false.
    Bool(bool),
    /// A number. Always a double: `5` and `5.0` have one canonical form, so one meaning.
    Number(f64),
    /// Text.
    Str(Box<str>),
    /// A list.
    List(Vec<Const>),
    /// A map.
    Map(ConstMap),
}

/// The entries of a [`Const::Map`].
pub type ConstMap = BTreeMap<Box<str>, Const>;

impl Const {
    /// This value, looked at as a request's would be.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        match self {
            Self::Null => View::Null,
            Self::Bool(b) => View::Bool(*b),
            Self::Number(n) => View::Number(*n),
            Self::Str(s) => View::Str(s),
            Self::List(items) => View::List(items),
            Self::Map(entries) => View::Map(entries),
        }
    }

    /// The same value as JSON; see [`to_json`].
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        to_json(self.view())
    }
}

/// A value of a request as JSON; what JSON cannot say (NaN, infinities) becomes null.
#[must_use]
pub fn to_json(view: View<'_>) -> serde_json::Value {
    match view {
        View::Null => serde_json::Value::Null,
        View::Bool(b) => b.into(),
        View::Number(n) => number_to_json(n),
        View::Str(text) => text.into(),
        View::List(list) => (0..list.len()).filter_map(|i| list.at(i)).map(to_json).collect(),
        View::Map(fields) => {
            let mut object = serde_json::Map::new();
            fields.each(&mut |name, value| {
                object.insert(name.into(), to_json(value));
            });
            serde_json::Value::Object(object)
        }
    }
}

impl View<'_> {
    /// The type, for messages.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Str(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// A double as JSON: whole numbers up to 2^53 without a fraction.
#[must_use]
pub fn number_to_json(n: f64) -> serde_json::Value {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if n.fract() == 0.0 && n.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
        let whole = n as i64;
        return whole.into();
    }
    n.into()
}

impl Seq for Vec<Const> {
    fn len(&self) -> usize {
        self.len()
    }
    fn at(&self, index: usize) -> Option<View<'_>> {
        self.get(index).map(Const::view)
    }
}

/// What stands at a path of at least one step; `None` where a step is missing or selects in
/// something that is not a map.
#[must_use]
pub fn at_path<'a>(context: &'a dyn Fields, path: &[Box<str>]) -> Option<View<'a>> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(context.field(first)?, |value, segment| match value {
        View::Map(fields) => fields.field(segment),
        View::Null | View::Bool(_) | View::Number(_) | View::Str(_) | View::List(_) => None,
    })
}

impl Fields for ConstMap {
    fn len(&self) -> usize {
        self.len()
    }
    fn field(&self, name: &str) -> Option<View<'_>> {
        self.get(name).map(Const::view)
    }
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, View<'a>)) {
        self.iter().for_each(|(name, value)| visit(name, value.view()));
    }
}

/// A list of texts: a request's roles and tags.
macro_rules! list_of_texts {
    ($($list:ty)*) => {$(
        impl Seq for $list {
            fn len(&self) -> usize {
                <[_]>::len(self)
            }
            fn at(&self, index: usize) -> Option<View<'_>> {
                self.get(index).map(|text| View::Str(text))
            }
        }
    )*};
}
list_of_texts!(Vec<String> Vec<Box<str>> &[&str]);
