//! One entry of a rule's `conditions`, whichever way it was spelled (design 1.5.1).

use super::{Field, Place};
use crate::value::Const;

/// What a condition reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Path {
    /// `request.<name>`: the request's own field.
    Request(Field),
    /// A bare name of the request: its own field where set, else the context's.
    Either(Field),
    /// A path into the context, at least one segment.
    Context(Vec<Box<str>>),
    /// A path into the bundle's `data`, at least one segment.
    Data(Vec<Box<str>>),
    /// `usage.<name>`.
    Usage(Usage),
}

impl std::fmt::Display for Path {
    /// The path as a request spells it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Request(field) | Self::Either(field) => f.write_str(field.name()),
            Self::Context(path) => write!(f, "context.{}", path.join(".")),
            Self::Data(path) => write!(f, "data.{}", path.join(".")),
            Self::Usage(measure) => {
                let named = Usage::ALL.iter().find(|(_, own)| own == measure);
                write!(f, "usage.{}", named.map_or("", |(name, _)| name))
            }
        }
    }
}

/// What a tenant's run has used so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Usage {
    /// Tool calls.
    ToolCalls,
    /// LLM calls.
    LlmCalls,
    /// LLM tokens.
    LlmTokens,
    /// Cost, in money.
    Cost,
    /// Compute units.
    Compute,
}

impl Usage {
    /// Every measure with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("tool_calls", Self::ToolCalls),
        ("llm_calls", Self::LlmCalls),
        ("llm_tokens", Self::LlmTokens),
        ("cost", Self::Cost),
        ("compute", Self::Compute),
    ];
}

/// What is asked of the value, with the right side in a form that it fits.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// `==`
    Eq(Const),
    /// `!=`
    Ne(Const),
    /// `<`; the right side is a number or text
    Lt(Const),
    /// `<=`
    Le(Const),
    /// `>`
    Gt(Const),
    /// `>=`
    Ge(Const),
    /// Equal to one of these.
    In(Vec<Const>),
    /// Equal to none of these.
    NotIn(Vec<Const>),
    /// From the first to the second, both included; both numbers or both text.
    Between(Const, Const),
    /// Text that this glob covers, whole.
    Matches(super::Pattern),
    /// Whether there is a value at all.
    Exists(bool),
}

/// How a condition was spelled; only the linter and `fmt` care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// A bare field or a mapping value.
    Canonical,
    /// An operator in the key or in the value's text, or `a|b`.
    Old,
}

/// One test that must hold for the rule to match.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What is read.
    pub path: Path,
    /// What is asked of it.
    pub op: Op,
    /// How it was spelled.
    pub spelling: Spelling,
    /// Where the key stands.
    pub place: Place,
    /// The condition as a reader would say it: `risk_score >= 85`.
    pub text: Box<str>,
}
