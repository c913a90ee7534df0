//! What is wrong with a configuration: where, what, and what to write instead.

use super::options::Spec;
use super::value::Wrong;
use std::fmt;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing sets it.
    Default,
    /// A configuration file.
    File {
        /// The file.
        name: String,
        /// Line, counted from 1.
        line: u32,
        /// Column in characters, counted from 1.
        column: u32,
    },
    /// This variable of the environment.
    Variable(String),
    /// This flag or argument.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line: 0, .. } => f.write_str(name),
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// One thing that is wrong, at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub at: Origin,
    /// What: lower case, no full stop, values in backticks.
    pub what: String,
    /// What to write instead.
    pub remedy: Option<String>,
}

impl Problem {
    pub(super) fn new(at: Origin, what: impl Into<String>) -> Self {
        Self { at, what: what.into(), remedy: None }
    }

    pub(super) fn instead(mut self, remedy: Option<String>) -> Self {
        self.remedy = remedy;
        self
    }

    /// A value that the option does not take.
    pub(super) fn value(at: Origin, spec: &Spec, text: &str, wrong: &Wrong) -> Self {
        let shown: String = text.chars().take(80).collect();
        let what = format!("`{}` cannot be `{shown}`: it takes {}", spec.key(), wrong.wants);
        Self::new(at, what).instead(wrong.nearest.map(|name| format!("write `{name}`")))
    }

    /// A name that no option has.
    pub(super) fn unknown(at: Origin, kind: &str, name: &str, nearest: Option<String>) -> Self {
        let shown: String = name.chars().take(80).collect();
        Self::new(at, format!("there is no {kind} `{shown}`"))
            .instead(nearest.map(|name| format!("write `{name}`")))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.what)?;
        self.remedy.as_ref().map_or(Ok(()), |remedy| write!(f, "; {remedy}"))
    }
}

/// All that is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<Problem>);
