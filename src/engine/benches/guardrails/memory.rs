//! What a key takes.

use tollgate_engine::guardrail::{Asks, Draw};
use tollgate_engine::model::Guardrail;
use tollgate_engine::model::guardrail::Algorithm;

use super::stage::{SECOND, Stage, at, budget, concurrency, facts, name, rate_limit};

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub fn print() {
    println!("\nbytes a key, its text of 14 bytes included\n");
    println!("| guardrail | keys | bytes |\n|---|---|---|");
    let window = |limit| rate_limit("w", limit, 3_600 * SECOND, Algorithm::SlidingWindow);
    for (limit, keys) in
        [(1, 1 << 20), (10, 1 << 20), (64, 1 << 16), (127, 1 << 16), (1_000, 1 << 16), (10_000, 1 << 16)]
    {
        // As many moments as the log has groups.
        let steps = limit.min(128);
        row(&format!("sliding window, {limit} used of {limit}"), window(limit), keys, steps, limit / steps);
        if limit > 127 {
            row(&format!("sliding window, 1 used of {limit}"), window(limit), keys, 1, 1);
        }
    }
    let bucket = rate_limit("b", 10, SECOND, Algorithm::TokenBucket { burst: 10 });
    row("token bucket", bucket, 1 << 20, 1, 1);
    row("budget, one action runs", budget("b"), 1 << 20, 1, 1);
    row("concurrency, one action runs", concurrency("c"), 1 << 20, 1, 1);
    row("concurrency, ten actions run", concurrency("c"), 1 << 16, 10, 1);
}

#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn row(what: &str, guardrail: Guardrail, keys: usize, steps: u64, units: u64) {
    let stage = Stage::of(vec![guardrail]);
    let bytes = || stage.live.ledger.bytes() + stage.guards().map(|guard| guard.bytes()).sum::<usize>();
    let before = bytes();
    let (mut text, mut draw) = (String::new(), Draw::seeded(7));
    for step in 0..steps {
        for key in 0..keys {
            name(&mut text, key);
            let mut asks = Asks::default();
            stage.guards().for_each(|guard| asks.ask_values(guard, &[&text], units));
            let verdict = stage.live.ledger.charge(&asks, &facts(), at(step * 1_000_000), &mut draw);
            assert!(verdict.is_allowed(), "{what}: {:?}", verdict.refusals);
        }
    }
    let each = (bytes() - before) as f64 / keys as f64;
    println!("| {what} | {keys} | {each:.0} |");
}
