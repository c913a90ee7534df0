//! The engine agrees with a naive interpreter of the same pages, on a million random pairs of bundle and
//! request, and on `when` with the `cel` crate's evaluator.
//!
//! `TOLLGATE_SEED` repeats a run, `TOLLGATE_BUNDLE` one bundle of it, `TOLLGATE_BUNDLES` sets how many there
//! are, each asked 50 times. A pair on which the two differ is made small and printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what was compared is worth reading")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test starts threads and is told by variables"
)]

mod compare;
mod engine;
mod generate;
mod generate_conditions;
mod generate_request;
mod generate_target;
mod generate_when;
mod generate_when_parts;
mod generate_when_tight;
mod naive;
mod naive_cel;
mod naive_conditions;
mod naive_decides;
mod naive_functions;
mod naive_glob;
mod naive_request;
mod naive_tests;
mod naive_time;
mod naive_value;
mod peer;
mod pools;
mod rng;
mod shrink;

/// Another seed is another million pairs.
const SEED: u64 = 20_261_121;
const BUNDLES: u64 = 20_000;
const REQUESTS: usize = 50;
/// How often `when` is compared with the `cel` crate.
const EXPRESSIONS: u64 = 24_000;

#[test]
fn the_engine_agrees_with_the_naive_interpreter() {
    let seed = number_from("TOLLGATE_SEED").unwrap_or(SEED);
    let bundles = match number_from("TOLLGATE_BUNDLE") {
        Some(one) => one..one + 1,
        None => 0..number_from("TOLLGATE_BUNDLES").unwrap_or(BUNDLES),
    };
    let whole = bundles.end - bundles.start > 1000;
    let tally = compare::in_threads(bundles, |index| compare::case(seed, index, REQUESTS));
    println!("seed {seed}\n{tally}");
    if whole {
        tally.assert_worth();
    }
}

#[test]
fn when_agrees_with_the_cel_crate() {
    let seed = number_from("TOLLGATE_SEED").unwrap_or(SEED);
    let expressions = match number_from("TOLLGATE_BUNDLE") {
        Some(one) => one..one + 1,
        None => 0..EXPRESSIONS,
    };
    let whole = expressions.end - expressions.start > 1000;
    let tally = compare::in_threads(expressions, |index| peer::case(seed, index));
    println!("seed {seed}\n{tally}");
    if whole {
        peer::assert_worth(&tally);
    }
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}` is `{text}`: write a number")))
}
