//! One decision with three guardrails.

use super::figures::spread;
use super::stage::{MANY, Stage, Three};
use super::timing::{CHARGE, DECIDE, ROUNDS, Step, Subject};

/// Prints the tables.
#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub fn print() {
    println!(
        "\nns on its thread: median (minimum to maximum) of {ROUNDS} rounds; two by one: decisions a second\n"
    );
    println!("| three guardrails | keys | step | one thread | two threads | two by one | refused |");
    println!("|---|---|---|---|---|---|---|");
    for (name, three) in Three::ALL {
        for keys in [1, MANY] {
            let stage = Stage::with(three, keys);
            for (what, step) in [("guardrails", CHARGE), ("decision", DECIDE)] {
                println!("| {name} | {keys} | {what} | {}", row(&stage, keys, step));
            }
        }
    }
}

fn row(stage: &Stage, keys: usize, step: Step) -> String {
    let mut subjects = [1, 2].map(|threads| Subject::new(stage, keys, threads, step));
    for _ in 0..ROUNDS {
        subjects.iter_mut().for_each(Subject::measure);
    }
    let [one, two] = &subjects;
    let nanos = |subject: &Subject<'_>| spread(&subject.nanos, |n| format!("{n:.0}"));
    let more: Vec<f64> = two.rate.iter().zip(&one.rate).map(|(two, one)| two / one).collect();
    let refused = one.refused().max(two.refused());
    let more = spread(&more, |n| format!("{n:.2}x"));
    format!("{} | {} | {more} | {:.1} % |", nanos(one), nanos(two), 100.0 * refused)
}
