//! The bundle: an immutable, versioned document of rules, guardrails, defaults and data.

use super::{Guardrail, Rule};
use crate::id::Digest;
use crate::value::ConstMap;

/// A bundle as it was written, with every value in a type that fits it.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// Its semantic version.
    pub version: semver::Version,
    /// SHA-256 of the canonical JSON, spellings normalised, defaults not filled in (design 1.8).
    pub digest: Digest,
    /// What changed.
    pub notes: Box<str>,
    /// The oldest engine that understands it.
    pub min_engine: Option<semver::Version>,
    /// What holds when no rule does.
    pub defaults: Defaults,
    /// Constants that conditions read.
    pub data: ConstMap,
    /// What the context is expected to hold, by dotted path.
    pub fields: Vec<DeclaredField>,
    /// Whether a context that does not fit `fields` is denied.
    pub enforce_fields: bool,
    /// JSON pointers that the decision log hides.
    pub mask: Vec<Box<str>>,
    /// Free data.
    pub metadata: ConstMap,
    /// The rules, in document order.
    pub rules: Vec<Rule>,
    /// The guardrails, in document order.
    pub guardrails: Vec<Guardrail>,
    /// The names of the files that it was read from; places point into this.
    pub files: Vec<Box<str>>,
}

/// What holds when no rule does.
#[derive(Clone, Debug, PartialEq)]
pub struct Defaults {
    /// Whether an action that no rule matches may run: no, unless the bundle says so.
    pub allow: bool,
    /// Modes, the strictest first.
    pub mode_order: Vec<Box<str>>,
    /// What a client does when no decision point answers.
    pub on_unavailable: OnUnavailable,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            allow: false,
            mode_order: vec!["draft".into(), "auto".into()],
            on_unavailable: OnUnavailable::Deny,
        }
    }
}

/// What a client library does when no decision point answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnavailable {
    /// Refuse.
    #[default]
    Deny,
    /// Go on.
    Allow,
}

/// One field that the context is expected to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct DeclaredField {
    /// The path, by segments.
    pub path: Vec<Box<str>>,
    /// Its type.
    pub kind: FieldType,
    /// Whether a request must have it.
    pub required: bool,
    /// The smallest number.
    pub min: Option<f64>,
    /// The largest number.
    pub max: Option<f64>,
    /// The only texts.
    pub values: Option<Vec<Box<str>>>,
}

/// The type of a declared field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A list.
    List,
    /// A map.
    Map,
    /// An RFC 3339 time as text.
    Timestamp,
}
