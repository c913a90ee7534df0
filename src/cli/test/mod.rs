//! `tollgate test`

mod files;
mod junit;
mod report;
mod watch;

use super::exit::{Exit, Failure, OrExit as _, Outcome};
use super::findings::Source;
use super::output::{self, Output};
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tollgate_engine::model::Finding;
use tollgate_engine::simulate::{Gaps, SuiteResult};

/// Run policy tests, and show which rules and conditions they leave out
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A file of tests is called `*.test.yaml` (or .yml, .json) and stands beside its bundle.
Exit codes: 0 all passed, 1 one failed, 2 there is no test, 3 something cannot be read.

Examples:
  tollgate test examples
  tollgate test policies/inbox.test.yaml --watch
  tollgate test policies --junit results.xml --output json"
)]
pub struct Test {
    /// Files of tests, or folders to search for them
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
    /// Also write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Name every case, and everything that no case exercises
    #[arg(long, short)]
    verbose: bool,
    /// Run again whenever a test or a bundle changes, until Ctrl-C
    #[arg(long, conflicts_with_all = ["format", "junit"])]
    watch: bool,
}

/// What came of all files.
#[derive(Debug, Default)]
struct Results {
    files: Vec<FileResult>,
    /// What no case exercises, by bundle: several files may test one.
    gaps: BTreeMap<String, Gaps>,
}

/// What came of one file.
#[derive(Debug)]
struct FileResult {
    /// The file.
    name: String,
    /// Its cases, or why they cannot be run.
    outcome: Result<SuiteResult, Broken>,
}

/// Why a file cannot be run.
#[derive(Debug)]
enum Broken {
    /// The file, or its bundle, holds mistakes.
    Mistakes(Vec<Finding>, Vec<Source>),
    /// Its bundle cannot be read.
    Unreadable(String),
}

impl Broken {
    fn summary(&self) -> String {
        match self {
            Self::Mistakes(findings, _) => {
                findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
            }
            Self::Unreadable(why) => why.clone(),
        }
    }
}

impl Results {
    fn passed(&self) -> bool {
        let passed = |file: &FileResult| file.outcome.as_ref().is_ok_and(|result| result.counts().1 == 0);
        self.files.iter().all(passed)
    }
}

impl Test {
    /// Runs the tests.
    pub fn run(&self) -> Outcome {
        if self.watch {
            return watch::run(&self.paths, || self.once());
        }
        self.output.told(self.once())
    }

    fn once(&self) -> Outcome {
        let suites = files::find(&self.paths)?;
        if suites.is_empty() {
            return Err(Failure::usage("there is no `*.test.yaml` at these paths"));
        }
        let results = files::run(&suites)?;
        if self.output.is_json() {
            output::print_json(&report::json(&results));
        } else {
            output::print(&report::text(&results, self.verbose));
        }
        if let Some(path) = &self.junit {
            let written = std::fs::write(path, junit::xml(&results.files));
            written
                .with_context(|| format!("{}: cannot be written", path.display()))
                .or_exit(Exit::Unreachable)?;
        }
        Ok(if results.passed() { Exit::Fine } else { Exit::Negative })
    }
}
