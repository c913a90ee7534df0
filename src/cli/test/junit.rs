//! Results as JUnit XML, which most CI servers show.

use super::FileResult;
use std::fmt::Write as _;
use tollgate_engine::simulate::{CaseResult, StepAt, Verdict};

/// The report of all files.
pub fn xml(files: &[FileResult]) -> String {
    let mut xml =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"tollgate\">\n");
    for file in files {
        suite(file, &mut xml);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn suite(file: &FileResult, xml: &mut String) {
    let name = escaped(&file.name);
    match &file.outcome {
        Ok(result) => {
            let (passed, failed) = result.counts();
            let tests = passed + failed;
            let _ = writeln!(
                xml,
                "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failed}\" errors=\"0\">"
            );
            result.cases.iter().for_each(|one| case(&name, one, xml));
        }
        Err(broken) => {
            let message = escaped(&broken.summary());
            let _ = writeln!(xml, "  <testsuite name=\"{name}\" tests=\"1\" failures=\"0\" errors=\"1\">");
            let _ = writeln!(
                xml,
                "    <testcase classname=\"{name}\" name=\"the file can be run\"><error message=\"{message}\"/></testcase>"
            );
        }
    }
    xml.push_str("  </testsuite>\n");
}

fn case(suite: &str, case: &CaseResult, xml: &mut String) {
    let name = escaped(&case.name);
    let _ = write!(xml, "    <testcase classname=\"{suite}\" name=\"{name}\" line=\"{}\"", case.place.line);
    let _ = match &case.verdict {
        Verdict::Passed => writeln!(xml, "/>"),
        Verdict::Failed(failure) => {
            let message: Vec<String> = failure
                .mismatches
                .iter()
                .map(|m| format!("{}: expected {}, got {}", m.path, m.expected, m.got))
                .collect();
            let step = failure.step.as_ref().map_or_else(String::new, StepAt::to_string);
            let step = if step.is_empty() { step } else { format!("{step}: ") };
            let message = escaped(&format!("{step}{}", message.join("; ")));
            let why = escaped(&failure.why.join("\n"));
            writeln!(xml, "><failure message=\"{message}\">{why}</failure></testcase>")
        }
    };
}

/// Text as XML 1.0 can hold it: characters that it cannot are replaced.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\t' => safe.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_that_xml_cannot_hold_is_replaced() {
        assert_eq!(super::escaped("a<b>\"&\u{0}\n"), "a&lt;b&gt;&quot;&amp;\u{fffd}&#10;");
    }
}
