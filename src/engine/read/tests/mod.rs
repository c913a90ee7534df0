//! What is read from documents, and what is said about those that cannot be read.

mod bounds;
mod conditions;
mod digest;
mod folder;
mod guardrails;
mod properties;
mod request;
mod rules;
mod seeds;
mod syntax;

use super::{Bounds, Reading, SourceFile};
use crate::model::{Bundle, Finding};

/// What every bundle of these tests starts with: two lines.
const HEAD: &str = "format: tollgate/v1\nversion: 1.0.0\n";

fn read_as(name: &str, text: &str) -> Reading {
    super::bundle(&[SourceFile { name, bytes: text.as_bytes() }], &Bounds::default())
}

fn read(text: &str) -> Reading {
    read_as("b.yaml", text)
}

/// The bundle, which must be without any finding.
#[track_caller]
fn clean(text: &str) -> Bundle {
    let reading = read(text);
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    reading.bundle.unwrap()
}

/// A bundle whose only rule has an id, an effect and a reason, and these lines more. They start at
/// line 7, column 5.
fn with_rule(lines: &str) -> String {
    let more = lines.replace('\n', "\n    ");
    format!("{HEAD}rules:\n  - id: the-rule\n    effect: allow\n    reason: It is for tests\n    {more}\n")
}

/// A bundle whose only rule has these lines; they start at line 4, column 5.
fn with_only(lines: &str) -> String {
    format!("{HEAD}rules:\n  - {}\n", lines.replace('\n', "\n    "))
}

/// `code line:column message; suggestion`
fn told(finding: &Finding) -> String {
    let place = finding.place;
    let suggestion = finding.suggestion.as_deref().unwrap_or("-");
    format!("{} {}:{} {}; {suggestion}", finding.code, place.line, place.column, finding.message)
}

/// Asserts that reading finds exactly one thing, whose telling starts and goes on so.
#[track_caller]
fn only_finding(text: &str, start: &str, also: &str) {
    let reading = read(text);
    let [finding] = reading.findings.as_slice() else {
        panic!("{text}\n{:#?}", reading.findings);
    };
    let told = told(finding);
    assert!(told.starts_with(start) && told.contains(also), "{text}\n{told}\nwant {start} .. {also}");
    assert_eq!(reading.bundle.is_none(), finding.is_format_error(), "{text}");
}
