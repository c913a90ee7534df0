//! The service beside its floor: throughput and latency over TCP and a Unix socket, latency
//! while the bundle is replaced, and how long reading and compiling one takes.
//!
//! `cargo bench --bench service` prints all tables; `-- load`, `-- reload` or `-- bundle` prints
//! one. Every ratio is of the same round of the same run; see BENCHMARKS.md.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks and files")]

mod figures;
mod floor;
mod load;
mod policies;
mod stage;
mod tables;

use std::time::Duration;

use stage::Stage;
use tables::{bundle, load as loads, reload};

/// What production runs on; the floor gets it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    rounds: usize,
    warm_up: Duration,
    turn: Duration,
    reload_turn: Duration,
}

impl Plan {
    const MEASURE: Self = Self {
        rounds: 5,
        warm_up: Duration::from_millis(100),
        turn: Duration::from_millis(600),
        reload_turn: Duration::from_secs(2),
    };
    /// Only whether it works, for `cargo test --benches`.
    const TRY: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(5),
        turn: Duration::from_millis(20),
        reload_turn: Duration::from_millis(700),
    };
}

#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plan = if arguments.iter().any(|one| one == "--bench") { Plan::MEASURE } else { Plan::TRY };
    let chosen = arguments.iter().find(|one| !one.starts_with('-')).map(String::as_str);
    let wants = |name: &str| chosen.is_none_or(|chosen| chosen == name);
    println!("Load average at the start: {}.\n", figures::load());
    if wants("bundle") {
        bundle::print(plan)?;
    }
    if wants("load") || wants("reload") {
        let stage = Stage::set()?;
        if wants("load") {
            loads::print(&stage, plan)?;
        }
        if wants("reload") {
            reload::print(&stage, plan)?;
        }
    }
    println!("\nLoad average at the end: {}.", figures::load());
    Ok(())
}
