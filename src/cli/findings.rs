//! Findings for people, with the source line under them, and for programs.

use super::output::{BAD, CARE, GOOD, styled};
use super::visible;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};
use tollgate_engine::model::{Finding, Severity};
use tollgate_engine::read::shown;

/// One file as it was read, in lines.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    starts: Vec<usize>,
}

/// A line longer than this is not shown: a document on one line would flood the screen.
const LONGEST_LINE: usize = 240;

impl Source {
    /// Keeps what findings need to show their lines.
    pub fn new(name: &str, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, starts }
    }

    /// Line `number`, counted from 1, without its end.
    fn line(&self, number: u32) -> Option<&str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).map_or(self.text.len(), |next| next - 1);
        let line = self.text.get(start..end)?;
        Some(line.strip_suffix('\r').unwrap_or(line)).filter(|line| line.len() <= LONGEST_LINE)
    }
}

/// The findings as people read them, in order, then how many.
pub fn text(findings: &[Finding], sources: &[Source]) -> String {
    let renderer = Renderer::styled();
    let mut all = String::new();
    for finding in findings {
        all.push_str(&renderer.render(&report(finding, sources)));
        all.push_str("\n\n");
    }
    all + &summary(findings)
}

fn report<'a>(finding: &'a Finding, sources: &'a [Source]) -> Vec<Group<'a>> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Info => Level::INFO,
    };
    let message = match &finding.subject {
        Some(subject) => format!("{}: {}", shown(subject), finding.message),
        None => finding.message.clone(),
    };
    let message = visible::text(&message).into_owned();
    let title = level.primary_title(message).id(finding.code.name());
    let group = match sources.get(usize::from(finding.place.file)) {
        Some(source) => located(Group::with_title(title), finding, source),
        None => Group::with_title(title),
    };
    let help = finding.suggestion.as_deref().map(visible::text);
    let help = help.map(|suggestion| Level::HELP.message(suggestion));
    vec![help.into_iter().fold(group, Group::element)]
}

fn located<'a>(group: Group<'a>, finding: &Finding, source: &'a Source) -> Group<'a> {
    let place = finding.place;
    let (line, column) = (place.line as usize, place.column as usize);
    let Some(shown) = source.line(place.line).filter(|_| column > 0) else {
        let origin = Origin::path(visible::text(&source.name));
        let origin = if line > 0 { origin.line(line).char_column(column) } else { origin };
        return group.element(origin);
    };
    // one character for one, so that the sign under it stays in its column
    let shown = shown.replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
    let start = byte_of(&shown, column - 1);
    let end = byte_of(&shown, column - 1 + place.length.max(1) as usize);
    let here = AnnotationKind::Primary.span(start..end);
    let snippet = Snippet::source(shown).line_start(line).path(visible::text(&source.name));
    group.element(snippet.annotation(here))
}

/// Where the character of this number starts, at most the end of the line.
fn byte_of(line: &str, characters: usize) -> usize {
    line.char_indices().nth(characters).map_or(line.len(), |(at, _)| at)
}

/// `2 errors, 1 warning`.
pub fn summary(findings: &[Finding]) -> String {
    let count = |severity| findings.iter().filter(|f| f.severity == severity).count();
    let parts: Vec<String> = [
        (count(Severity::Error), "error", BAD),
        (count(Severity::Warning), "warning", CARE),
        (count(Severity::Info), "note", CARE),
    ]
    .into_iter()
    .filter(|(count, _, _)| *count > 0)
    .map(|(count, name, style)| styled(style, plural(count, name)))
    .collect();
    if parts.is_empty() { styled(GOOD, "nothing found") } else { parts.join(", ") }
}

/// `1 rule`, `2 rules`.
pub fn plural(count: usize, name: &str) -> String {
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

/// Findings as programs read them.
pub fn all_json(findings: &[Finding], sources: &[Source]) -> Vec<Value> {
    findings.iter().map(|finding| json(finding, sources)).collect()
}

/// A finding as programs read it (design 3.6), with the file it is in.
pub fn json(finding: &Finding, sources: &[Source]) -> Value {
    let place = finding.place;
    json!({
        "rule_id": finding.subject,
        "code": finding.code.name(),
        "severity": severity_name(finding.severity),
        "message": finding.message,
        "file": sources.get(usize::from(place.file)).map(|source| &source.name),
        "line": (place.line > 0).then_some(place.line),
        "column": (place.column > 0).then_some(place.column),
        "suggestion": finding.suggestion,
    })
}

fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_engine::model::{Code, Place};

    #[test]
    fn no_name_writes_to_the_terminal() {
        let finding = Finding::error(Code::BadValue, Place::default(), "wrong").about("a\u{1b}[2Jb");
        let text = text(&[finding], &[]);
        assert!(text.contains("`a\\u{1b}[2Jb`: wrong"), "{text:?}");
    }
}
