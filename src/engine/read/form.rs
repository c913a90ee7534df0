//! Maps whose fields are known: what they may hold, and reading them field by field.

use super::nearest::{listed, nearest};
use super::tree::{Entry, Node};
use super::{Findings, shown};
use crate::model::{Code, Place};

/// The fields that a map of the format may have.
#[derive(Debug)]
pub struct Shape {
    /// What the map is, for messages: `a rule`.
    pub what: &'static str,
    /// Its fields.
    pub fields: &'static [Known],
}

/// One field of a [`Shape`].
#[derive(Debug)]
pub struct Known {
    /// Its name in snake_case; the same in camelCase is accepted too.
    pub name: &'static str,
    /// Other names that are accepted.
    pub also: &'static [&'static str],
    /// What it holds, as far as two spellings of it can mean the same.
    pub kind: Kind,
}

/// What a field holds, as far as the digest must know.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Hashed as it stands; keys in it are never respelled.
    Verbatim,
    /// A map of known fields.
    Form(&'static Shape),
    /// Patterns: one, or a list.
    Patterns,
    /// One pattern in a map of one entry, or a text.
    Scope(&'static Shape),
    /// Key dimensions: one, or a list.
    Dimensions,
    /// One or several texts.
    Texts,
    /// `needs_approval` or `require_approval`.
    Effect,
    /// The conditions of a rule.
    Conditions,
    /// Paths of the context: one, or a list.
    ContextPaths,
    /// A map whose keys are paths of the context.
    ByContextPath,
    /// The rules of a guardrail, whose fields depend on its type.
    ByType(&'static [&'static Shape]),
}

impl Known {
    /// A field that is hashed as it stands.
    #[must_use]
    pub const fn plain(name: &'static str) -> Self {
        Self::of(name, Kind::Verbatim)
    }

    /// A field of this kind.
    #[must_use]
    pub const fn of(name: &'static str, kind: Kind) -> Self {
        Self { name, also: &[], kind }
    }

    /// The same with other accepted names.
    #[must_use]
    pub const fn or(self, also: &'static [&'static str]) -> Self {
        Self { name: self.name, also, kind: self.kind }
    }

    /// Whether this key means the field.
    #[must_use]
    pub fn is_named(&self, key: &str) -> bool {
        is_spelling_of(key, self.name) || self.also.iter().any(|name| is_spelling_of(key, name))
    }
}

/// Whether a key is the name in snake_case or in camelCase.
fn is_spelling_of(key: &str, name: &str) -> bool {
    if key == name {
        return true;
    }
    let mut key = key.bytes();
    let mut upper = false;
    for byte in name.bytes() {
        if byte == b'_' {
            upper = true;
            continue;
        }
        let want = if upper { byte.to_ascii_uppercase() } else { byte };
        if key.next() != Some(want) {
            return false;
        }
        upper = false;
    }
    key.next().is_none()
}

impl Shape {
    /// The field that a key means, with its place among the fields.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<(usize, &'static Known)> {
        self.fields.iter().enumerate().find(|(_, known)| known.is_named(key))
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|known| known.name)
    }
}

/// A map of the document, its entries sorted into the fields of a shape.
#[derive(Debug)]
pub struct Form<'n> {
    /// Where the map starts.
    pub place: Place,
    shape: &'static Shape,
    slots: Vec<Option<&'n Entry>>,
}

impl<'n> Form<'n> {
    /// Sorts the entries of a map; unknown fields and fields given twice are reported.
    /// `None`, and a finding, where the node is no map.
    #[must_use]
    pub fn open(field: Field<'n>, shape: &'static Shape, found: &mut Findings) -> Option<Self> {
        let Some(entries) = field.node.entries() else {
            let remedy = format!("write {} as a map", shape.what);
            field.wrong_type(&remedy, found);
            return None;
        };
        let mut slots = vec![None; shape.fields.len()];
        for entry in entries {
            match shape.field(&entry.key) {
                Some((index, _)) => fill(&mut slots, index, entry, found),
                None => unknown(entry, shape, found),
            }
        }
        Some(Self { place: field.node.place, shape, slots })
    }

    /// The field of this name, as the shape spells it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Field<'n>> {
        let index = self.shape.fields.iter().position(|known| known.name == name)?;
        let entry = self.slots.get(index).copied().flatten()?;
        Some(Field { name: &entry.key, element: false, place: entry.place, node: &entry.node })
    }

    /// The field of this name, unless it is absent or null.
    #[must_use]
    pub fn present(&self, name: &str) -> Option<Field<'n>> {
        let null = |field: &Field<'_>| matches!(field.node.content, super::tree::Content::Null);
        self.get(name).filter(|field| !null(field))
    }

    /// The field of this name; a finding where it is missing.
    #[must_use]
    pub fn required(&self, name: &'static str, found: &mut Findings) -> Option<Field<'n>> {
        let field = self.get(name);
        if field.is_none() {
            let message = format!("{} needs `{name}`", self.shape.what);
            let suggestion = format!("add `{name}`");
            found.error_with(Code::MissingField, self.place, message, suggestion);
        }
        field
    }

    /// Reports a field that does not belong here.
    pub fn refuse(&self, name: &str, why: &str, remedy: &str, found: &mut Findings) {
        if let Some(field) = self.get(name) {
            let message = format!("`{}` {why}", field.name);
            found.error_with(Code::BadValue, field.place, message, remedy);
        }
    }
}

fn fill<'n>(slots: &mut [Option<&'n Entry>], index: usize, entry: &'n Entry, found: &mut Findings) {
    let Some(slot) = slots.get_mut(index) else {
        return;
    };
    match slot {
        Some(first) => {
            let message = format!(
                "`{}` and `{}` of line {} are two spellings of one field",
                entry.key, first.key, first.place.line
            );
            found.error_with(Code::BadValue, entry.place, message, "keep one of them");
        }
        None => *slot = Some(entry),
    }
}

fn unknown(entry: &Entry, shape: &Shape, found: &mut Findings) {
    /// So many names fit into one line.
    const SHORT: usize = 12;
    if !found.keeps_errors() {
        found.count_error();
        return;
    }
    let message = format!("{} is no field of {}", shown(&entry.key), shape.what);
    let suggestion = match nearest(&entry.key, shape.names()) {
        Some(name) => format!("write `{name}`"),
        None if shape.fields.len() <= SHORT => format!("it has {}", listed(shape.names())),
        None => "remove it".to_owned(),
    };
    found.error_with(Code::UnknownField, entry.place, message, suggestion);
}

/// A value of the document with the name that messages give it.
#[derive(Clone, Copy, Debug)]
pub struct Field<'n> {
    /// The key as it was written; of an element, that of its list.
    pub name: &'n str,
    /// Whether it is an element of the list of that name.
    pub element: bool,
    /// Where the key stands.
    pub place: Place,
    /// The value.
    pub node: &'n Node,
}

impl<'n> Field<'n> {
    /// A document as a whole, or another node without a key.
    #[must_use]
    pub const fn document(name: &'n str, node: &'n Node) -> Self {
        Self { name, element: false, place: node.place, node }
    }

    /// The value of a key.
    #[must_use]
    pub const fn named(name: &'n str, place: Place, node: &'n Node) -> Self {
        Self { name, element: false, place, node }
    }

    /// An element of this list.
    #[must_use]
    pub const fn element(self, node: &'n Node) -> Self {
        Self { name: self.name, element: true, place: node.place, node }
    }

    /// How messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        let name = shown(self.name);
        if self.element { format!("an element of {name}") } else { name }
    }

    /// Reports that the value is of another type than the field takes.
    pub fn wrong_type(&self, remedy: &str, found: &mut Findings) {
        if !found.keeps_errors() {
            found.count_error();
            return;
        }
        let message = format!("{} is {}", self.label(), self.node.content.type_name());
        found.error_with(Code::WrongType, self.node.place, message, remedy);
    }

    /// Reports a value that the field does not take.
    pub fn bad_value(&self, what: &str, remedy: &str, found: &mut Findings) {
        let message = format!("{} {what}", self.label());
        found.error_with(Code::BadValue, self.node.place, message, remedy);
    }
}
