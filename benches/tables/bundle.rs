//! From the text of a bundle to what serves.

use std::hint::black_box;
use std::time::Instant;

use tollgate_engine::compile;
use tollgate_engine::read::{self, Bounds, SourceFile};

use crate::Plan;
use crate::figures::spread;
use crate::policies::Policies;
use crate::stage::RULES;

/// Prints how long reading and compiling take.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(plan: Plan) -> anyhow::Result<()> {
    println!("| {RULES} rules | MB | read, ms | compile, ms |\n|---|---|---|---|");
    let kinds = [("pairs", Policies::pairs(RULES, 1)), ("mixed", Policies::mixed(RULES, 1))];
    for (kind, policies) in kinds {
        let texts = [("yaml", policies.yaml("1.0.0")), ("json", policies.json("1.0.0").to_string())];
        for (form, text) in texts {
            let (mut reading, mut compiling) = (Vec::new(), Vec::new());
            for _ in 0..plan.rounds {
                let (read, compiled) = once(&format!("bench.{form}"), &text)?;
                reading.push(read);
                compiling.push(compiled);
            }
            let show = |ms: f64| format!("{ms:.0}");
            let (read, compiled) = (spread(&reading, show), spread(&compiling, show));
            println!("| {kind}, {form} | {:.1} | {read} | {compiled} |", text.len() as f64 / 1e6);
        }
    }
    println!();
    Ok(())
}

/// Milliseconds of reading and of compiling.
fn once(name: &str, text: &str) -> anyhow::Result<(f64, f64)> {
    let file = SourceFile { name, bytes: text.as_bytes() };
    let start = Instant::now();
    let reading = read::bundle(&[file], &Bounds::default());
    let read = start.elapsed();
    let bundle = reading.bundle.ok_or_else(|| anyhow::anyhow!("refused: {:?}", reading.findings.first()))?;
    let start = Instant::now();
    let compiled = compile::bundle(bundle).map_err(|findings| anyhow::anyhow!("{:?}", findings.first()))?;
    let compiling = start.elapsed();
    drop(black_box(compiled));
    Ok((read.as_secs_f64() * 1e3, compiling.as_secs_f64() * 1e3))
}
