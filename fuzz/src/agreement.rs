//! The engine and the naive interpreter answer the same: the agreement test, with its choices taken from the input.

use crate::rng::Rng;
use crate::{engine, generate, naive};

/// Enough to meet most rules of a small bundle.
const REQUESTS: usize = 8;

pub(crate) fn run(input: &[u8]) {
    let case = generate::drawn(&mut Rng::of(input), REQUESTS);
    let Ok(answers) = engine::decide(&case.bundle.to_string(), &case.asked, case.server_environment) else {
        return;
    };
    for ((request, now), engine) in case.asked.iter().zip(answers) {
        let naive = naive::decide(&case.bundle, request, *now, case.server_environment);
        assert_eq!(naive, engine, "bundle: {:#}\nrequest: {request:#}\nnow: {now}", case.bundle);
    }
}
