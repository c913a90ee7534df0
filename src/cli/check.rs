//! `tollgate check`

use super::bundle::{self, Checked};
use super::exit::{Exit, Failure, Outcome};
use super::findings::{self, Source, plural};
use super::output::{self, FAINT, GOOD, Output, styled};
use super::visible;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tollgate_engine::compile::Compiled;
use tollgate_engine::model::{Code, Finding, Place, Severity};

/// Say what keeps bundles from being served, all of it, with the lines it stands in
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all can be served, 1 one is refused or too large, 3 one cannot be read.

Examples:
  tollgate check policies/inbox.yaml
  tollgate check policies/ --output json
  tollgate check --all examples/*/"
)]
pub struct Check {
    /// Bundles: YAML or JSON files, or folders of which each is one bundle
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Show also what does not keep a bundle from being served
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
}

/// What came of one path.
struct Result {
    path: PathBuf,
    checked: Checked,
}

impl Check {
    /// Reads every path and shows what was found.
    pub fn run(&self) -> Outcome {
        let (mut results, mut unreadable) = (vec![], vec![]);
        for path in &self.paths {
            match self.one(path) {
                Ok(result) => results.push(result),
                Err(failure) => unreadable.push((path.as_path(), failure)),
            }
        }
        if self.output.is_json() {
            output::print_json(&as_json(&results, &unreadable));
        } else {
            results.iter().for_each(show);
        }
        for (_, failure) in &unreadable {
            output::note(&super::explain(failure));
        }
        let refused = results.iter().any(|result| result.checked.compiled.is_none());
        let exits = || unreadable.iter().map(|(_, failure)| failure.exit);
        match (exits().find(|exit| *exit != Exit::Negative), refused || exits().next().is_some()) {
            (Some(exit), _) => Ok(exit),
            (None, true) => Ok(Exit::Negative),
            (None, false) => Ok(Exit::Fine),
        }
    }

    fn one(&self, path: &Path) -> std::result::Result<Result, Failure> {
        let mut checked = bundle::check(path)?;
        checked.findings.retain(|finding| self.all || finding.is_format_error());
        Ok(Result { path: path.into(), checked })
    }
}

fn show(result: &Result) {
    let Checked { compiled, findings, sources } = &result.checked;
    if !findings.is_empty() {
        output::print(&format!("{}\n", findings::text(findings, sources)));
    }
    if let Some(compiled) = compiled {
        let path = result.path.display().to_string();
        let path = visible::text(&path);
        output::print(&format!(
            "{path}: {} {}",
            styled(GOOD, "can be served"),
            styled(FAINT, about(compiled))
        ));
    }
}

fn about(compiled: &Compiled) -> String {
    let source = compiled.source();
    let (rules, guardrails) =
        (plural(source.rules.len(), "rule"), plural(source.guardrails.len(), "guardrail"));
    format!("(version {}, {rules}, {guardrails})", source.version)
}

/// The form of `POST /policy/lint` (design 3.6), over all bundles together.
fn as_json(results: &[Result], unreadable: &[(&Path, Failure)]) -> Value {
    let all = |severity| -> Vec<Value> {
        let of = |result: &Result| of_severity(&result.checked.findings, &result.checked.sources, severity);
        results.iter().flat_map(of).collect()
    };
    let (mut errors, warnings, info) = (all(Severity::Error), all(Severity::Warning), all(Severity::Info));
    errors.extend(unreadable.iter().map(|(path, failure)| of_path(path, failure)));
    let rules: usize =
        results.iter().filter_map(|r| r.checked.compiled.as_ref()).map(|c| c.source().rules.len()).sum();
    let summary = json!({
        "total_rules": rules,
        "errors": errors.len(),
        "warnings": warnings.len(),
        "info": info.len(),
        "total_issues": errors.len() + warnings.len() + info.len(),
    });
    let passed = unreadable.is_empty() && results.iter().all(|result| result.checked.compiled.is_some());
    json!({"errors": errors, "warnings": warnings, "info": info, "summary": summary, "passed": passed})
}

/// A path that was not read at all, as a finding about it.
fn of_path(path: &Path, failure: &Failure) -> Value {
    let (code, remedy) = match failure.exit == Exit::Negative {
        true => (Code::OutOfBounds, "split it into several bundles"),
        false => (Code::Syntax, "name a bundle that can be read: a YAML or JSON file, or a folder of them"),
    };
    let finding = Finding::error(code, Place::default(), format!("{:#}", failure.error)).suggest(remedy);
    findings::json(&finding, &[Source::new(&path.display().to_string(), &[])])
}

fn of_severity(findings: &[Finding], sources: &[Source], severity: Severity) -> Vec<Value> {
    findings
        .iter()
        .filter(|finding| finding.severity == severity)
        .map(|finding| findings::json(finding, sources))
        .collect()
}
