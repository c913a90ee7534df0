//! Where something stands in the source, and what is wrong there.

use std::fmt;

/// A place in one of the files that a document was read from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Index into the names of the files that were read.
    pub file: u16,
    /// Line, counted from 1; 0 when unknown.
    pub line: u32,
    /// Column in characters, counted from 1; 0 when unknown.
    pub column: u32,
    /// How many characters are meant, for underlining; at least 1.
    pub length: u32,
}

/// A value together with where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The bundle is refused, or must not be published.
    Error,
    /// Probably a mistake.
    Warning,
    /// Worth knowing.
    Info,
}

/// The stable code of a finding (design 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// Not readable as YAML or JSON.
    Syntax,
    /// A required field is missing.
    MissingField,
    /// A field holds a value of another type than it takes.
    WrongType,
    /// A value that the field does not take.
    BadValue,
    /// A bound of design 1.8 is passed.
    OutOfBounds,
    /// A field that does not exist.
    UnknownField,
    /// A reference to something that does not exist.
    UnknownReference,
    /// An operator that does not exist.
    BadOperator,
    /// The same rule id or guardrail name twice.
    DuplicateId,
    /// A `when` that cannot be compiled.
    BadExpression,
    /// A rule without a reason.
    MissingReason,
    /// A reason under 10 characters.
    ShortReason,
    /// An older spelling that `fmt` rewrites.
    OldSpelling,
    /// A rule or guardrail that is switched off.
    Disabled,
    /// A priority outside 0..=1000.
    PriorityRange,
}

impl Code {
    /// The code as people and programs read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syntax => "syntax",
            Self::MissingField => "missing-field",
            Self::WrongType => "wrong-type",
            Self::BadValue => "bad-value",
            Self::OutOfBounds => "out-of-bounds",
            Self::UnknownField => "unknown-field",
            Self::UnknownReference => "unknown-reference",
            Self::BadOperator => "bad-operator",
            Self::DuplicateId => "duplicate-id",
            Self::BadExpression => "bad-expression",
            Self::MissingReason => "missing-reason",
            Self::ShortReason => "short-reason",
            Self::OldSpelling => "old-spelling",
            Self::Disabled => "disabled",
            Self::PriorityRange => "priority-range",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something wrong, or worth knowing, at a place in a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What kind of finding.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// The rule or guardrail it is about, where it is about one.
    pub subject: Option<Box<str>>,
    /// What is wrong: lower case, no full stop, values in backticks.
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
    /// Where `place` is that of a longer text: how that text starts, up to what is meant.
    /// [`crate::read::locate`] finds the exact place by it.
    pub within: Option<Box<str>>,
}

impl Finding {
    /// An error without a suggestion yet.
    #[must_use]
    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            place,
            subject: None,
            message: message.into(),
            suggestion: None,
            within: None,
        }
    }

    /// The same finding at another severity.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The same finding with what to write instead.
    #[must_use]
    pub fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The same finding about this rule or guardrail.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Whether it refuses the bundle everywhere, not only its publication (design 1.8).
    #[must_use]
    pub fn is_format_error(&self) -> bool {
        self.severity == Severity::Error && self.code != Code::MissingReason
    }
}
