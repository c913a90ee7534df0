//! Runs a suite on a compiled bundle.

use super::coverage::Coverage;
use super::crew::Crew;
use super::judge::{Answers, judge};
use super::result::{CaseResult, Failure, SuiteResult, Verdict};
use super::suite::{Ask, Case, Question, Suite};
use super::world::World;
use super::{step, why};
use crate::compile::Compiled;
use crate::decide::Tools;

/// What a suite runs on.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// Its bundle.
    pub bundle: &'a Compiled,
    /// The bundles that sequences go over to, as [`Suite::reloads`] has them.
    pub reloads: &'a [&'a Compiled],
    /// Who does the repetitions of parallel steps.
    pub crew: &'a dyn Crew,
}

/// Runs every case on guardrails that nobody has used yet, and counts what they exercise.
#[must_use]
pub fn run(suite: &Suite, on: On<'_>, coverage: &mut Coverage) -> SuiteResult {
    let mut verdict = |case: &Case| match &case.ask {
        Ask::Sequence(sequence) => step::sequence(case, sequence, on, suite.seed, coverage),
        Ask::Request(question) => ask(case, question, on, suite.seed, coverage),
    };
    let cases = suite
        .cases
        .iter()
        .map(|case| CaseResult { name: case.name.clone(), place: case.place, verdict: verdict(case) })
        .collect();
    SuiteResult { cases }
}

fn ask(case: &Case, question: &Question, on: On<'_>, seed: u64, coverage: &mut Coverage) -> Verdict {
    let world = World::new(on.bundle, &case.environment, case.now);
    let document = question.request.as_ref().ok();
    let told = document.map(|document| world.explain(&document.request(), &mut Tools::seeded(seed)).rules);
    told.iter().for_each(|told| coverage.add(told));
    let reply = world.authorize(&question.request, &mut Tools::seeded(seed));
    let came = Answers { answers: vec![&reply.answer], requests: document.into_iter().collect() };
    let Some((mismatches, _)) = judge(&question.expected, case.place, &came, &world) else {
        return Verdict::Passed;
    };
    let refused = reply.refused.into_iter().map(|why| format!("the request is refused: {why}"));
    let rules = told.iter().flat_map(|told| why::rules(told, &mismatches));
    let why = refused.chain(rules).chain(why::guardrails(&reply.answer)).collect();
    Verdict::Failed(Failure { step: None, mismatches, answer: reply.answer, why })
}
