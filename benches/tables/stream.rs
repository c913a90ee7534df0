//! Decisions on streams, beside stock tonic that echoes them.

use super::load::Figures;
use super::ratio;
use crate::Plan;
use crate::stage::Stage;

/// Streams, each on a connection of its own, and requests in flight on each.
const PATTERNS: [(&str, usize, usize); 3] = [("1 x 1", 1, 1), ("1 x 512", 1, 512), ("8 x 64", 8, 64)];

/// Prints both tables.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(stage: &Stage, plan: Plan) -> anyhow::Result<()> {
    let servers = &stage.subjects[..2];
    let mut figures: Vec<[Figures; 2]> = PATTERNS.iter().map(|_| Default::default()).collect();
    for _ in 0..plan.rounds {
        for ((_, connections, in_flight), row) in PATTERNS.iter().zip(&mut figures) {
            for (server, figures) in servers.iter().zip(row) {
                figures.take(server, &server.tcp, &stage.streamed, (*connections, *in_flight), plan)?;
            }
        }
    }
    println!("\nMedians (minimum to maximum) of {} rounds, over TCP.\n", plan.rounds);
    println!(
        "| streams x in flight | server | decisions/s | p50, µs | p99 | p99.9 | CPU of the server, µs |"
    );
    println!("|---|---|---|---|---|---|---|");
    for ((pattern, ..), row) in PATTERNS.iter().zip(&figures) {
        for (server, figures) in servers.iter().zip(row) {
            println!("| {pattern} | {} | {} |", server.name, figures.cells());
        }
    }
    println!("\n| Tollgate by floor, decoding | decisions/s | p50 | CPU | on one core, decisions/s |");
    println!("|---|---|---|---|---|");
    for ((pattern, ..), [ours, floor]) in PATTERNS.iter().zip(&figures) {
        let on_one_core: Vec<f64> = ours.cpu.iter().map(|nanos| 1e9 / nanos).collect();
        let cells = [
            ratio(&ours.rate, &floor.rate),
            ratio(&ours.p50, &floor.p50),
            ratio(&ours.cpu, &floor.cpu),
            crate::figures::spread(&on_one_core, super::thousands),
        ];
        println!("| {pattern} | {} |", cells.join(" | "));
    }
    Ok(())
}
