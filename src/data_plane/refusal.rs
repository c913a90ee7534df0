//! Why content was refused, for people.

use std::fmt;

use serde::Serialize;
use tollgate_engine::model::{Finding, Place};

/// Why content was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where it came from.
    pub source: String,
    /// Everything that is wrong with it, at most [`MAX_FINDINGS`].
    pub findings: Vec<String>,
}

/// How many findings a refusal shows at most.
pub const MAX_FINDINGS: usize = 100;

impl Refusal {
    /// One sentence about the source as a whole.
    #[must_use]
    pub fn new(source: &str, finding: impl Into<String>) -> Self {
        Self { source: source.to_owned(), findings: vec![finding.into()] }
    }

    pub(super) fn of(source: &str, files: &[Box<str>], findings: &[Finding]) -> Self {
        let text = |finding: &Finding| at_place(files, finding.place, finding);
        let mut texts: Vec<String> = findings.iter().take(MAX_FINDINGS).map(text).collect();
        if findings.len() > MAX_FINDINGS {
            texts.push(format!("and {} more", findings.len() - MAX_FINDINGS));
        }
        Self { source: source.to_owned(), findings: texts }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.findings.join("\n"))
    }
}

/// `file:line:column: what is wrong; what to write instead`
pub(super) fn at_place(files: &[Box<str>], place: Place, finding: &Finding) -> String {
    let mut text = String::new();
    if let Some(file) = files.get(usize::from(place.file)) {
        text.push_str(file);
        if place.line > 0 {
            text.push_str(&format!(":{}:{}", place.line, place.column));
        }
        text.push_str(": ");
    }
    text.push_str(&finding.message);
    if let Some(suggestion) = &finding.suggestion {
        text.push_str("; ");
        text.push_str(suggestion);
    }
    text
}
