//! Results for people and for programs.

use super::super::findings::{self, plural};
use super::super::output::{BAD, CARE, FAINT, GOOD, HEAD, styled};
use super::super::visible;
use super::{Broken, FileResult, Results};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use tollgate_engine::simulate::{CaseResult, Failure, Gaps, SuiteResult, Verdict};

/// Gaps of one bundle that are named without `--verbose`.
const MOST_GAPS: usize = 8;

/// Counts over all files: passed, failed, skipped, and files that cannot be run.
#[derive(Default)]
struct Counts {
    passed: usize,
    failed: usize,
    skipped: usize,
    broken: usize,
}

impl Counts {
    fn of(results: &Results) -> Self {
        let mut all = Self::default();
        for file in &results.files {
            match &file.outcome {
                Ok(result) => {
                    let (passed, failed, skipped) = result.counts();
                    all.passed += passed;
                    all.failed += failed;
                    all.skipped += skipped;
                }
                Err(_) => all.broken += 1,
            }
        }
        all
    }
}

/// What people read: failures with what was expected and why, then coverage, then the counts.
pub fn text(results: &Results, verbose: bool) -> String {
    let mut text = String::new();
    for file in &results.files {
        self::file(file, verbose, &mut text);
    }
    text.push('\n');
    for (bundle, gaps) in &results.gaps {
        coverage(bundle, gaps, verbose, &mut text);
    }
    let counts = Counts::of(results);
    let mut parts = vec![styled(GOOD, format!("{} passed", counts.passed))];
    for (count, word, style) in [(counts.failed, "failed", BAD), (counts.skipped, "skipped", CARE)] {
        let style = if count == 0 { FAINT } else { style };
        parts.push(styled(style, format!("{count} {word}")));
    }
    if counts.broken > 0 {
        parts.push(styled(BAD, format!("{} cannot be run", plural(counts.broken, "file"))));
    }
    let _ = writeln!(text, "\n{}", parts.join(", "));
    text
}

fn file(file: &FileResult, verbose: bool, text: &mut String) {
    match &file.outcome {
        Ok(result) => suite(&file.name, result, verbose, text),
        Err(Broken::Unreadable(why)) => {
            let _ = writeln!(
                text,
                "{} {}\n  {}",
                styled(BAD, "broken"),
                visible::text(&file.name),
                visible::text(why)
            );
        }
        Err(Broken::Mistakes(findings, sources)) => {
            let _ = writeln!(text, "{} {}", styled(BAD, "broken"), visible::text(&file.name));
            let _ = writeln!(text, "{}", findings::text(findings, sources));
        }
    }
}

fn suite(name: &str, result: &SuiteResult, verbose: bool, text: &mut String) {
    let (passed, failed, skipped) = result.counts();
    let word = if failed > 0 { styled(BAD, "failed") } else { styled(GOOD, "passed") };
    let _ =
        write!(text, "{word} {}  {}", visible::text(name), styled(FAINT, plural(passed + failed, "case")));
    if skipped > 0 {
        let _ = write!(text, "  {}", styled(CARE, format!("{skipped} skipped")));
    }
    text.push('\n');
    if result.passes_guardrails_by {
        let note = "the bundle has enabled guardrails: cases of one request run its rules, and pass its guardrails by";
        let _ = writeln!(text, "  {}", styled(CARE, note));
    }
    for case in &result.cases {
        self::case(name, case, verbose, text);
    }
}

fn case(file: &str, case: &CaseResult, verbose: bool, text: &mut String) {
    let name = visible::text(&case.name);
    match &case.verdict {
        Verdict::Passed if verbose => {
            let _ = writeln!(text, "  {}  {name}", styled(GOOD, "ok"));
        }
        Verdict::Passed => {}
        Verdict::Skipped(why) => {
            let _ = writeln!(text, "  {} {name}: {why}", styled(CARE, "skipped"));
        }
        Verdict::Failed(failure) => {
            let at = styled(FAINT, format!("{file}:{}", case.place.line));
            let _ = writeln!(text, "  {} {name}  {at}", styled(BAD, "failed"));
            self::failure(failure, text);
        }
    }
}

fn failure(failure: &Failure, text: &mut String) {
    let width = failure.mismatches.iter().map(|m| m.path.chars().count()).max().unwrap_or(0);
    for mismatch in &failure.mismatches {
        let (expected, got) = (styled(GOOD, &mismatch.expected), styled(BAD, &mismatch.got));
        let _ =
            writeln!(text, "    {:width$}  expected {expected}, got {got}", visible::text(&mismatch.path));
    }
    for why in &failure.why {
        let _ = writeln!(text, "    {}", styled(FAINT, why));
    }
}

fn coverage(bundle: &str, gaps: &Gaps, verbose: bool, text: &mut String) {
    let decided = gaps.rules - gaps.never_decided.len();
    let both = gaps.conditions - gaps.one_sided.len();
    let _ = writeln!(
        text,
        "{} {}: {decided} of {} decided, {both} of {} seen both ways",
        styled(HEAD, "coverage"),
        visible::text(bundle),
        plural(gaps.rules, "rule"),
        plural(gaps.conditions, "condition"),
    );
    let never = gaps.never_decided.iter().map(|rule| format!("`{rule}` never decides"));
    let sides = gaps
        .one_sided
        .iter()
        .map(|one| format!("`{}`: `{}` {}", one.rule, one.condition, one.missing.name()));
    let all: Vec<String> = never.chain(sides).collect();
    let shown = if verbose { all.len() } else { all.len().min(MOST_GAPS) };
    for gap in all.iter().take(shown) {
        let _ = writeln!(text, "  {}", styled(CARE, gap));
    }
    if shown < all.len() {
        let _ = writeln!(
            text,
            "  {}",
            styled(FAINT, format!("and {} more: `--verbose` names them", all.len() - shown))
        );
    }
}

/// What programs read.
pub fn json(results: &Results) -> Value {
    let counts = Counts::of(results);
    json!({
        "passed": results.passed(),
        "summary": {
            "files": results.files.len(),
            "passed": counts.passed,
            "failed": counts.failed,
            "skipped": counts.skipped,
            "broken_files": counts.broken,
        },
        "files": results.files.iter().map(file_json).collect::<Value>(),
        "coverage": coverage_json(&results.gaps),
    })
}

fn file_json(file: &FileResult) -> Value {
    match &file.outcome {
        Ok(result) => json!({
            "file": file.name,
            "passes_guardrails_by": result.passes_guardrails_by,
            "cases": result.cases.iter().map(case_json).collect::<Value>(),
        }),
        Err(Broken::Unreadable(why)) => json!({"file": file.name, "error": why}),
        Err(Broken::Mistakes(found, sources)) => json!({
            "file": file.name,
            "findings": found.iter().map(|finding| findings::json(finding, sources)).collect::<Value>(),
        }),
    }
}

fn case_json(case: &CaseResult) -> Value {
    let (verdict, more) = match &case.verdict {
        Verdict::Passed => ("passed", Value::Null),
        Verdict::Skipped(why) => ("skipped", json!(why)),
        Verdict::Failed(failure) => ("failed", failure_json(failure)),
    };
    let mut all = json!({"name": case.name, "line": case.place.line, "verdict": verdict});
    match &case.verdict {
        Verdict::Passed => {}
        Verdict::Skipped(_) => all["because"] = more,
        Verdict::Failed(_) => all["failure"] = more,
    }
    all
}

fn failure_json(failure: &Failure) -> Value {
    let mismatches = failure.mismatches.iter().map(|mismatch| {
        json!({
            "path": mismatch.path,
            "line": mismatch.place.line,
            "expected": mismatch.expected,
            "got": mismatch.got,
        })
    });
    json!({"mismatches": mismatches.collect::<Value>(), "answer": failure.answer, "why": failure.why})
}

fn coverage_json(gaps: &BTreeMap<String, Gaps>) -> Value {
    let one = |(bundle, gaps): (&String, &Gaps)| {
        let sides = gaps.one_sided.iter().map(
            |one| json!({"rule_id": one.rule, "condition": one.condition, "missing": one.missing.name()}),
        );
        json!({
            "bundle": bundle,
            "rules": gaps.rules,
            "never_decided": gaps.never_decided,
            "conditions": gaps.conditions,
            "one_sided": sides.collect::<Value>(),
        })
    };
    gaps.iter().map(one).collect()
}
