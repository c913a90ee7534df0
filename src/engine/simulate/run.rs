//! Runs a suite on a compiled bundle.

use super::answer;
use super::coverage::Coverage;
use super::expect::{Entry, Expected, Mismatch, mismatches};
use super::result::{CaseResult, Failure, SuiteResult, Verdict};
use super::shape::OF_GUARDRAILS;
use super::suite::{Ask, Case, Question, Suite};
use crate::compile::Compiled;
use crate::decide::{Explanation, RuleOutcome, RuleTrace, Scratch, explain};
use crate::model::Finding;
use crate::value::to_json;
use serde_json::{Value, json};

/// Why a case with steps is not run.
pub const NEEDS_STATE: &str = "needs guardrail state (a later version)";

/// Traces of rules that a failing case shows at most.
const MOST_TRACES: usize = 8;

/// Runs every case, and counts what they exercise.
#[must_use]
pub fn run(suite: &Suite, bundle: &Compiled, coverage: &mut Coverage) -> SuiteResult {
    let mut scratch = Scratch::default();
    let has_guardrails = bundle.enabled_guardrails().next().is_some();
    let mut verdict = |case: &Case| match &case.ask {
        Ask::Sequence => Verdict::Skipped(NEEDS_STATE),
        Ask::Request(question) if has_guardrails && asks_of_guardrails(&question.expected) => {
            Verdict::Skipped(NEEDS_STATE)
        }
        Ask::Request(question) => ask(question, bundle, coverage, &mut scratch),
    };
    let cases = suite
        .cases
        .iter()
        .map(|case| CaseResult { name: case.name.clone(), place: case.place, verdict: verdict(case) })
        .collect();
    SuiteResult { cases, passes_guardrails_by: has_guardrails }
}

/// Whether something is expected that only a guardrail can bring about.
fn asks_of_guardrails(expected: &[Entry]) -> bool {
    expected.iter().any(|entry| {
        let of_guardrails = OF_GUARDRAILS.contains(&&*entry.name) && entry.expected != Expected::Absent;
        of_guardrails || entry.expected == Expected::Is("THROTTLE".into())
    })
}

fn ask(question: &Question, bundle: &Compiled, coverage: &mut Coverage, scratch: &mut Scratch) -> Verdict {
    let request = match &question.request {
        Ok(request) => request,
        Err(refused) => return judge_refusal(&question.expected, refused),
    };
    let explanation = explain(bundle, &request.request(), &question.environment, question.now, None, scratch);
    coverage.add(&explanation);
    let mut answer = answer::json(&explanation.decision, bundle, question.now);
    if let (Value::Object(fields), false) = (&mut answer, request.request().request_id.is_empty()) {
        fields.insert("request_id".into(), request.request().request_id.into());
    }
    let mismatches = mismatches(&question.expected, &answer);
    if mismatches.is_empty() {
        return Verdict::Passed;
    }
    let why = why(&explanation, &mismatches);
    Verdict::Failed(Failure { mismatches, answer, why })
}

/// A request that a server would refuse, with INVALID_ARGUMENT.
fn judge_refusal(expected: &[Entry], refused: &[Finding]) -> Verdict {
    let mismatches = mismatches(expected, &json!({"error": "INVALID_ARGUMENT"}));
    let expects_it = expected.iter().any(|entry| &*entry.name == "error");
    if mismatches.is_empty() && expects_it {
        return Verdict::Passed;
    }
    let refused = refused.iter().map(|finding| format!("the request is refused: {}", finding.message));
    Verdict::Failed(Failure { mismatches, answer: Value::Null, why: refused.collect() })
}

/// How the rules fared that the case names, and those that came near deciding.
fn why(explanation: &Explanation<'_>, mismatches: &[Mismatch]) -> Vec<String> {
    let named = |trace: &RuleTrace<'_>| mismatches.iter().any(|m| m.expected.contains(trace.rule.as_str()));
    let off_target = |trace: &RuleTrace<'_>| {
        matches!(trace.outcome, RuleOutcome::False | RuleOutcome::Absent) && trace.conditions.is_empty()
    };
    let mut rules: Vec<&RuleTrace<'_>> = explanation.rules.iter().collect();
    rules.sort_by_key(|trace| (!named(trace), off_target(trace), trace.outcome == RuleOutcome::Disabled));
    let left_out = |trace: &&RuleTrace<'_>| !named(trace) && off_target(trace);
    let near = rules.iter().take_while(|trace| !left_out(trace));
    near.take(MOST_TRACES).map(|trace| line(trace)).collect()
}

/// One rule in one line: `inbox-review`: false: `risk_score >= 60` (got 59).
#[must_use]
pub fn line(trace: &RuleTrace<'_>) -> String {
    let outcome = match trace.outcome {
        RuleOutcome::Decided => "decided",
        RuleOutcome::Matched => "modified the answer",
        RuleOutcome::False => "does not hold",
        RuleOutcome::Absent => "reads an absent field",
        RuleOutcome::Error => "could not be evaluated",
        RuleOutcome::Outranked => "matched, but another decided",
        RuleOutcome::Disabled => "is disabled",
    };
    let mut line = format!("`{}` {outcome}", trace.rule);
    if !trace.condition.is_empty() {
        line.push_str(&format!(": {}", trace.condition));
    }
    if let Some(actual) = trace.actual {
        line.push_str(&format!(" (got {})", to_json(actual)));
    }
    if !trace.error.is_empty() {
        line.push_str(&format!(": {}", trace.error));
    }
    line
}
