//! What came of a suite of cases.

use super::expect::Mismatch;
use crate::model::Place;
use serde_json::Value;

/// What came of a suite.
#[derive(Debug)]
pub struct SuiteResult {
    /// Case by case, in the order of the file; each row of a table is a case.
    pub cases: Vec<CaseResult>,
    /// Whether the bundle has enabled guardrails, which request cases pass by.
    pub passes_guardrails_by: bool,
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
    /// It was not run, and why.
    Skipped(&'static str),
}

/// Why a case failed.
#[derive(Debug)]
pub struct Failure {
    /// What differs.
    pub mismatches: Vec<Mismatch>,
    /// The whole answer; null where the request was refused.
    pub answer: Value,
    /// How the rules fared that have a say in it, a line each.
    pub why: Vec<String>,
}

impl SuiteResult {
    /// How many cases passed, failed, and were skipped.
    #[must_use]
    pub fn counts(&self) -> (usize, usize, usize) {
        let count = |fits: fn(&Verdict) -> bool| self.cases.iter().filter(|case| fits(&case.verdict)).count();
        (
            count(|verdict| matches!(verdict, Verdict::Passed)),
            count(|verdict| matches!(verdict, Verdict::Failed(_))),
            count(|verdict| matches!(verdict, Verdict::Skipped(_))),
        )
    }
}
