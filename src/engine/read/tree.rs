//! A document as a tree of placed nodes, the same for YAML and JSON.

pub use super::build::Used;

use super::build::Builder;
use super::{Findings, json, source, yaml};
use crate::model::{Code, Place};
use crate::read::SourceFile;
use crate::value::{Const, ConstMap};
use std::sync::Arc;

/// A value and where it stands. Cheap to clone: aliases share what they stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it starts; of an alias, where the alias stands.
    pub place: Place,
    /// What it is.
    pub content: Content,
}

/// What a node holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// `null`, `~`, or nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A number.
    Number(f64),
    /// Text.
    Text(Arc<str>),
    /// A list.
    List(Arc<Vec<Node>>),
    /// A map; no key twice.
    Map(Arc<Vec<Entry>>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its key.
    pub key: Arc<str>,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub node: Node,
}

/// How much a document may hold, and whether its numbers must be finite.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes.
    pub bytes: usize,
    /// Nesting of lists and maps.
    pub depth: usize,
    /// Nodes, those by aliases included.
    pub nodes: usize,
    /// Nodes by aliases.
    pub alias_nodes: usize,
    /// Bytes of one text.
    pub string_bytes: usize,
    /// Whether `.nan` and `.inf` are numbers; in a bundle they are errors.
    pub non_finite: bool,
}

/// Reads one file; `None` when findings say why it cannot be read.
///
/// It is JSON if its name ends so, or if it starts with a brace and is valid JSON; else YAML.
#[must_use]
pub fn parse(
    file: &SourceFile<'_>,
    index: u16,
    limits: &Limits,
    used: &mut Used,
    found: &mut Findings,
) -> Option<Node> {
    if file.bytes.len() > limits.bytes {
        let place = Place { file: index, ..Place::default() };
        let (len, most) = (file.bytes.len(), limits.bytes);
        let message = format!("the file has {len} bytes, and at most {most} are read");
        found.error_with(Code::OutOfBounds, place, message, "split it, or raise the bound");
        return None;
    }
    let text = source::decode(file.bytes, index, found)?;
    let is_json = file.name.to_ascii_lowercase().ends_with(".json");
    if is_json || text.trim_start().starts_with('{') {
        // kept back until it is sure that the file is JSON
        let (mut used_by_json, mut found_in_json) = (used.clone(), Findings::default());
        let mut builder = Builder::new(index, limits, &mut used_by_json, &mut found_in_json);
        let read = json::read(text, &mut builder);
        let tree = builder.finish();
        let read = match read {
            Err(json::Stop::Syntax(finding)) if is_json => {
                found_in_json.push(finding);
                None
            }
            // a flow mapping of YAML, or broken: YAML's message fits more of these files
            Err(json::Stop::Syntax(_)) => return as_yaml(text, index, limits, used, found),
            Err(json::Stop::Bound) => None,
            Ok(()) => Some(tree),
        };
        *used = used_by_json;
        found.absorb(found_in_json);
        return read;
    }
    as_yaml(text, index, limits, used, found)
}

fn as_yaml(text: &str, file: u16, limits: &Limits, used: &mut Used, found: &mut Findings) -> Option<Node> {
    let mut builder = Builder::new(file, limits, used, found);
    yaml::read(text, &mut builder).ok()?;
    Some(builder.finish())
}

impl Content {
    /// The type, for messages.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The same value without places.
    #[must_use]
    pub fn to_const(&self) -> Const {
        match self {
            Self::Null => Const::Null,
            Self::Bool(b) => Const::Bool(*b),
            Self::Number(n) => Const::Number(*n),
            Self::Text(text) => Const::Str((**text).into()),
            Self::List(nodes) => Const::List(nodes.iter().map(|n| n.content.to_const()).collect()),
            Self::Map(entries) => Const::Map(to_const_map(entries)),
        }
    }
}

/// The entries of a map without places.
#[must_use]
pub fn to_const_map(entries: &[Entry]) -> ConstMap {
    let pair = |e: &Entry| ((*e.key).into(), e.node.content.to_const());
    entries.iter().map(pair).collect()
}

impl Node {
    /// The entries, where it is a map.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        if let Content::Map(entries) = &self.content { Some(entries) } else { None }
    }

    /// The elements, where it is a list.
    #[must_use]
    pub fn elements(&self) -> Option<&[Node]> {
        if let Content::List(nodes) = &self.content { Some(nodes) } else { None }
    }

    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Content::Text(text) = &self.content { Some(text) } else { None }
    }

    /// The value of this key, where it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|e| *e.key == *key).map(|e| &e.node)
    }
}
