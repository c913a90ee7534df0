//! Collects what is found while a document is read: all of it, up to a cap.

use crate::condition::glob::Glob;
use crate::model::{Code, Finding, Place, Severity};

/// The most findings that are kept of errors, and again of warnings and hints together.
const KEPT: usize = 10_000;
/// What all globs of a document may spell out, alternatives multiplied.
const MOST_GLOB_WEIGHT: usize = 10_000_000;
/// What even the shortest glob takes.
const LEAST_GLOB_WEIGHT: usize = 8;
/// The most characters of a text of the document that a message repeats.
const SHOWN_CHARS: usize = 60;

/// What was found so far.
#[derive(Debug, Default)]
pub struct Findings {
    kept: Vec<Finding>,
    errors: usize,
    others: usize,
    format_errors: usize,
    subject: Option<Box<str>>,
    files: Vec<Box<str>>,
    glob_weight: usize,
}

impl Findings {
    /// An empty collection for documents in these files; places point into them.
    #[must_use]
    pub fn new(files: Vec<Box<str>>) -> Self {
        Self { files, ..Self::default() }
    }

    /// What the findings from now on are about: a rule, a guardrail, or nothing in particular.
    pub fn set_subject(&mut self, subject: Option<&str>) {
        self.subject = subject.map(Into::into);
    }

    /// Adds a finding; past the cap it is only counted.
    pub fn push(&mut self, mut finding: Finding) {
        self.format_errors += usize::from(finding.is_format_error());
        let count = match finding.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning | Severity::Info => &mut self.others,
        };
        *count += 1;
        if *count <= KEPT {
            if finding.subject.is_none() {
                finding.subject.clone_from(&self.subject);
            }
            self.kept.push(finding);
        }
    }

    /// Adds an error without a suggestion.
    pub fn error(&mut self, code: Code, place: Place, message: impl Into<String>) {
        self.push(Finding::error(code, place, message));
    }

    /// Adds an error and what to write instead.
    pub fn error_with(
        &mut self,
        code: Code,
        place: Place,
        message: impl Into<String>,
        suggestion: impl Into<String>,
    ) {
        self.push(Finding::error(code, place, message).suggest(suggestion));
    }

    /// Adds all of another collection about the same files.
    pub fn absorb(&mut self, other: Self) {
        let unkept = other.errors.saturating_sub(KEPT);
        self.errors += unkept;
        self.format_errors += unkept;
        self.others += other.others.saturating_sub(KEPT);
        other.kept.into_iter().for_each(|finding| self.push(finding));
    }

    /// How many format errors there are, those past the cap included.
    #[must_use]
    pub const fn format_errors(&self) -> usize {
        self.format_errors
    }

    /// Whether a further error would be kept; when not, its message need not be made.
    #[must_use]
    pub const fn keeps_errors(&self) -> bool {
        self.errors < KEPT
    }

    /// Counts an error whose message was not made.
    pub const fn count_error(&mut self) {
        self.errors += 1;
        self.format_errors += 1;
    }

    /// Whether a further warning or hint would be kept.
    #[must_use]
    pub const fn keeps_hints(&self) -> bool {
        self.others < KEPT
    }

    /// Counts a hint whose message was not made.
    pub const fn count_hint(&mut self) {
        self.others += 1;
    }

    /// Whether globs may be read on: their braces can spell out far more than was written.
    #[must_use]
    pub const fn affords_globs(&self) -> bool {
        self.glob_weight <= MOST_GLOB_WEIGHT
    }

    /// Counts a glob; the first that passes what all may spell out together is reported.
    pub(super) fn affords_glob(&mut self, glob: &Glob, place: Place) -> bool {
        let before = self.affords_globs();
        self.glob_weight = self.glob_weight.saturating_add(glob.weight() + LEAST_GLOB_WEIGHT);
        if before && !self.affords_globs() {
            let message = format!("the globs spell out more than {MOST_GLOB_WEIGHT} characters in all");
            self.error_with(Code::OutOfBounds, place, message, "use fewer braces, or `*`");
        }
        self.affords_globs()
    }

    /// The names of the files.
    #[must_use]
    pub fn files(&self) -> &[Box<str>] {
        &self.files
    }

    /// A place as a message about another place names it: `rules.yaml:3:5`.
    #[must_use]
    pub fn name(&self, place: Place) -> String {
        let file = self.files.get(usize::from(place.file)).map_or("", |f| f);
        format!("{file}:{}:{}", place.line, place.column)
    }

    /// All findings in the order of the source; a last one says how many were left out.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Finding> {
        self.kept.sort_by_key(|finding| finding.place);
        let place = Place::default();
        if let Some(more @ 1..) = self.errors.checked_sub(KEPT) {
            let message = format!("and {more} more errors");
            self.kept.push(Finding::error(Code::OutOfBounds, place, message));
        }
        if let Some(more @ 1..) = self.others.checked_sub(KEPT) {
            let message = format!("and {more} more warnings and hints");
            let rest = Finding::error(Code::OutOfBounds, place, message);
            self.kept.push(rest.severity(Severity::Info));
        }
        self.kept
    }
}

/// A text of the document as a message may repeat it: in backticks, cut where it is long, and
/// with its control characters escaped, so that it cannot write to a terminal.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut out = String::from("`");
    for (count, c) in text.chars().enumerate() {
        if count == SHOWN_CHARS {
            out.push('…');
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('`');
    out
}
