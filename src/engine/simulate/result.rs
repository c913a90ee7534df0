//! What came of a suite of cases.

use super::expect::Mismatch;
use crate::model::Place;
use serde_json::Value;

/// What came of a suite.
#[derive(Debug)]
pub struct SuiteResult {
    /// Case by case, in the order of the file; each row of a table is a case.
    pub cases: Vec<CaseResult>,
}

/// What came of one case.
#[derive(Debug)]
pub struct CaseResult {
    /// Its name; a row of a table carries its values: `thresholds[risk=84]`.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// How it ended.
    pub verdict: Verdict,
}

/// How a case ended.
#[derive(Debug)]
pub enum Verdict {
    /// The answer is as expected.
    Passed,
    /// It is not.
    Failed(Failure),
}

/// Why a case failed.
#[derive(Debug)]
pub struct Failure {
    /// The step of a sequence; those after it were not run.
    pub step: Option<StepAt>,
    /// What differs.
    pub mismatches: Vec<Mismatch>,
    /// The whole answer: of a step that repeats the first that is not as expected.
    pub answer: Value,
    /// How the rules and guardrails fared that have a say in it, a line each.
    pub why: Vec<String>,
}

/// Which step of a sequence it is.
#[derive(Debug)]
pub struct StepAt {
    /// From 1.
    pub number: usize,
    /// What it does.
    pub operation: &'static str,
    /// When, since the start.
    pub at: String,
    /// Where it stands.
    pub place: Place,
}

impl SuiteResult {
    /// How many cases passed and failed.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let passed = self.cases.iter().filter(|case| matches!(case.verdict, Verdict::Passed)).count();
        (passed, self.cases.len().saturating_sub(passed))
    }
}

impl std::fmt::Display for StepAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "step {}, `{}` at {}", self.number, self.operation, self.at)
    }
}
