//! What the YAML parser does not accept, in words that say what to write instead.

use super::build::{Builder, Stop};
use crate::model::Code;
use granit_parser::{ErrorKind, ScanError};

/// Records a syntax error; nothing behind it is read.
pub(super) fn report(error: &ScanError, text: &str, builder: &mut Builder<'_>) -> Stop {
    let mark = error.marker();
    let place = builder.place(mark.line().max(1), mark.col() + 1, 1);
    if matches!(error.kind(), ErrorKind::RecursionLimitExceeded) {
        return builder.too_deep(place);
    }
    let at = mark.byte_offset().and_then(|at| text.get(at..)).and_then(|rest| rest.chars().next());
    let (message, remedy) = explain(error.kind(), at);
    builder.found.error_with(Code::Syntax, place, message, remedy);
    Stop
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the parser names many more, and may add some")]
fn explain(kind: &ErrorKind, at: Option<char>) -> (String, &'static str) {
    let (message, remedy) = match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => ("a tab where YAML wants spaces", "indent with spaces"),
        ErrorKind::InvalidIndentation
        | ErrorKind::InvalidBlockScalarIndent
        | ErrorKind::InvalidFlowScalarIndent => {
            ("the indentation fits no line above", "align it with its neighbours")
        }
        ErrorKind::InvalidQuotedScalarIndent => {
            ("a quoted text goes on here without indentation", "close its quote above, or indent the line")
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::SimpleKeyExpected => {
            ("a key with a colon is missing", "write `key: value`, aligned with its neighbours")
        }
        ErrorKind::MappingValueNotAllowed
        | ErrorKind::MappingKeyNotAllowed
        | ErrorKind::InvalidColonPlacement
        | ErrorKind::InvalidSimpleKey => {
            ("a `key: value` cannot stand here", "quote a text that holds `: `, or indent the line")
        }
        ErrorKind::UnclosedQuotedScalar => ("the quote is never closed", "close it"),
        ErrorKind::UnclosedFlowCollection { .. }
        | ErrorKind::UnexpectedEofFlowSequence
        | ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping => {
            ("the bracket is never closed", "close it with `]` or `}`")
        }
        ErrorKind::MismatchedFlowCollectionEnd { open, close } => {
            return (format!("the `{open}` here is closed by `{close}`"), "close it with its partner");
        }
        ErrorKind::MisplacedFlowCollectionEnd => {
            ("the closing bracket fits none that is open", "remove it, or open its partner")
        }
        ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator => {
            ("a comma or a closing bracket is missing", "separate the parts with `,`")
        }
        ErrorKind::ExpectedBlockSequenceEntry
        | ErrorKind::BlockSequenceEntryNotAllowed
        | ErrorKind::BlockEntryInFlowCollection
        | ErrorKind::InvalidBlockEntryWhitespace
        | ErrorKind::PlainScalarStartsWithDashFlowIndicator => {
            ("a list cannot stand so", "write each element as `- value`, aligned with the others")
        }
        ErrorKind::UnknownQuotedScalarEscape
        | ErrorKind::InvalidQuotedScalarHexEscape
        | ErrorKind::InvalidUnicodeEscape => {
            ("no escape of a quoted text", "write `\\\\` to mean the character itself")
        }
        ErrorKind::InvalidLowSurrogateHexEscape
        | ErrorKind::InvalidLowSurrogate
        | ErrorKind::MissingLowSurrogate
        | ErrorKind::UnpairedLowSurrogate => {
            ("half of a surrogate pair", "write both halves, or the character itself")
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar | ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            ("text behind the closing quote", "put all of it into the quotes")
        }
        ErrorKind::CommentNotSeparated | ErrorKind::CommentInterceptedScalar => {
            ("a comment in the middle of a value", "quote the value, or move the comment")
        }
        ErrorKind::UnexpectedCharacter { .. } | ErrorKind::ExpectedNodeContent => {
            return (unexpected(at), "quote a text that starts with a special character");
        }
        ErrorKind::InvalidDocumentEnd | ErrorKind::ExpectedDocumentStart => {
            ("text behind the end of the document", "remove it")
        }
        _ => return (unexpected(at), "quote what is meant as text"),
    };
    (message.to_owned(), remedy)
}

fn unexpected(at: Option<char>) -> String {
    match at {
        Some(c) if !c.is_whitespace() => {
            format!("{} cannot stand here in YAML", super::shown(&c.to_string()))
        }
        Some(_) => "the line cannot end here in YAML".to_owned(),
        None => "the file ends too early".to_owned(),
    }
}
