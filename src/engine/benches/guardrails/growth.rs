//! Limits that do not match: each is about another tenant, and one matches.

use super::figures::{median, spread};
use super::stage::{SECOND, Stage, name, only, rate_limit};
use super::timing::{DECIDE, ROUNDS, Subject};
use tollgate_engine::model::guardrail::Algorithm;

const SIZES: [usize; 5] = [1, 10, 100, 1_000, 10_000];

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub fn print() {
    println!(
        "\nns a decision, of whose limits one matches: median (minimum to maximum) of {ROUNDS} rounds\n"
    );
    println!("| limits | {} | 1 to 10,000 |", SIZES.map(|n| n.to_string()).join(" | "));
    println!("|---|{}---|", "---|".repeat(SIZES.len()));
    let stages = SIZES.map(limits);
    for (what, keys) in [("one tenant asks", false), ("all tenants ask", true)] {
        let mut subjects: Vec<Subject<'_>> = stages
            .iter()
            .zip(SIZES)
            .map(|(stage, limits)| Subject::new(stage, if keys { limits } else { 1 }, 1, DECIDE))
            .collect();
        for _ in 0..ROUNDS {
            subjects.iter_mut().for_each(Subject::measure);
        }
        let cells: Vec<String> =
            subjects.iter().map(|subject| spread(&subject.nanos, |n| format!("{n:.0}"))).collect();
        let ends = subjects.first().zip(subjects.last());
        let growth = ends.map_or(0.0, |(few, many)| median(&many.nanos) / median(&few.nanos));
        println!("| {what} | {} | {growth:.2}x |", cells.join(" | "));
    }
}

/// So many limits of so many tenants.
fn limits(limits: usize) -> Stage {
    let mut tenant = String::new();
    let made = (0..limits).map(|number| {
        name(&mut tenant, number);
        let limit = rate_limit(&format!("limit-{number}"), 50_000_000, SECOND, Algorithm::SlidingWindow);
        only(&tenant, limit)
    });
    Stage::of(made.collect())
}
