//! What holds for every finding about a document: it stands inside of the document, and can be shown.

use tollgate_engine::model::Finding;
use tollgate_engine::read::SourceFile;

/// No finding is longer: a value from the document is cut off before.
const MOST_BYTES: usize = 4 << 10;

/// Panics when a finding is about a place that the files do not have, or would garble a terminal.
pub(crate) fn check(findings: &[Finding], files: &[SourceFile<'_>]) {
    let mut sorted: Vec<&SourceFile<'_>> = files.iter().collect();
    sorted.sort_by_key(|file| file.name);
    for finding in findings {
        let suggestion = finding.suggestion.as_deref().unwrap_or_default();
        for text in [&finding.message, suggestion] {
            let raw = text.chars().any(|c| c.is_control());
            assert!(!raw && text.len() <= MOST_BYTES, "cannot be shown: {finding:?}");
        }
        assert!(!finding.message.is_empty(), "says nothing: {finding:?}");
        let place = finding.place;
        let file = sorted.get(usize::from(place.file)).unwrap_or_else(|| panic!("in no file: {finding:?}"));
        let text = String::from_utf8_lossy(file.bytes);
        // A document that ends too early does so behind its last line.
        let mut lines = text.split('\n').chain([""]);
        let at = usize::try_from(place.line).expect("a line").checked_sub(1);
        let line = at.map_or(Some(""), |at| lines.nth(at));
        let line = line.unwrap_or_else(|| panic!("on no line: {finding:?}"));
        let columns = line.chars().count() + 1;
        assert!(place.column as usize <= columns, "at no column: {finding:?}");
    }
}
