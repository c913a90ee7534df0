//! Files of policy tests: read, and run on a bundle with a guardrail of each type.

use tollgate_engine::read::{Bounds, SourceFile};
use tollgate_engine::simulate::sequence::Deed;
use tollgate_engine::simulate::suite::{Ask, Suite};
use tollgate_engine::simulate::{self, Coverage, InTurn, On};

use crate::{places, requests};

/// Answers of an input: a file may ask for many more, which takes longer and shows nothing else.
const MOST_ANSWERS: usize = 2_000;

pub(crate) fn run(input: &[u8]) {
    let file = SourceFile { name: "cases.test.yaml", bytes: input };
    let reading = simulate::read(&file, &Bounds::default());
    places::check(&reading.findings, &[file]);
    let Some(suite) = reading.suite else {
        assert!(!reading.findings.is_empty(), "no suite, and no reason why");
        return;
    };
    if answers(&suite) > MOST_ANSWERS {
        return;
    }
    let bundle = requests::guarded();
    let reloads = vec![bundle; suite.reloads.len()];
    let on = On { bundle, reloads: &reloads, crew: &InTurn };
    let result = simulate::run(&suite, on, &mut Coverage::default());
    assert_eq!(result.cases.len(), suite.cases.len());
}

/// How many answers a run of the suite gives.
fn answers(suite: &Suite) -> usize {
    let of = |ask: &Ask| match ask {
        Ask::Request(_) => 1,
        Ask::Sequence(sequence) => {
            sequence.steps.iter().map(|step| step.repeat as usize * each(&step.deed)).sum()
        }
    };
    suite.cases.iter().map(|case| of(&case.ask)).sum()
}

fn each(deed: &Deed) -> usize {
    if let Deed::Batch(batch) = deed { batch.requests.len() } else { 1 }
}
