//! A process from outside: how long until it is ready, and how much memory it holds.

use std::time::{Duration, Instant};

use crate::Plan;
use crate::figures::spread;
use crate::policies::Policies;
use crate::program::Program;
use crate::stage::{RULES, bundle};

const SMALL: &str = "format: tollgate/v1\nversion: 1.0.0\nrules:\n  - {id: allow-read, action: read, effect: allow, reason: Anybody}\n";

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(plan: Plan) -> anyhow::Result<()> {
    let mixed = Policies::mixed(RULES, 1);
    let bundles = [
        ("one rule", "b.yaml", SMALL.to_owned()),
        ("10,000 mixed rules and three limits, YAML", "b.yaml", bundle(&mixed, "1.0.0")),
        ("10,000 mixed rules, JSON", "b.json", mixed.json("1.0.0").to_string()),
    ];
    println!("\n| bundle | start to ready, ms | resident, MiB | by the first |\n|---|---|---|---|");
    let mut first = Vec::new();
    for (what, name, text) in &bundles {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(name), text)?;
        let (mut ready, mut resident) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let start = Instant::now();
            let server = Program::tollgate(folder.path(), &[name])?;
            anyhow::ensure!(server.get("/readyz")? == 200, "it serves and is not ready");
            ready.push(start.elapsed().as_secs_f64() * 1e3);
            // What reading took is given back a little later.
            std::thread::sleep(plan.turn.max(Duration::from_millis(100)));
            resident.push(server.resident()?);
        }
        if first.is_empty() {
            first.clone_from(&resident);
        }
        let more = super::ratio(&resident, &first);
        let (ready, resident) =
            (spread(&ready, |ms| format!("{ms:.0}")), spread(&resident, |mib| format!("{mib:.1}")));
        println!("| {what} | {ready} | {resident} | {more} |");
    }
    Ok(())
}
