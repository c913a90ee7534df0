//! The service beside its floor and beside Cerbos: throughput and latency over TCP and a Unix socket,
//! streams, overload, what operators do meanwhile, how long a start takes and how much memory.
//!
//! `cargo bench --bench service` prints all tables; `-- load`, `-- stream`, `-- overload`, `-- reload`,
//! `-- operate`, `-- process`, `-- cerbos` or `-- bundle` prints one. Every ratio is of the same round of
//! the same run; see BENCHMARKS.md.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads clocks and files")]

mod cerbos;
mod figures;
mod floor;
mod policies;
mod program;
mod stage;
mod tables;

use std::time::Duration;

use stage::{Play, Stage};
use tables::{bundle, cerbos as both, load, operate, overload, process, reload, stream};

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
    /// How many sizes of bundles, where there are several.
    sizes: usize,
}

impl Plan {
    const MEASURE: Self = Self {
        rounds: 5,
        warm_up: Duration::from_millis(100),
        turn: Duration::from_millis(600),
        reload_turn: Duration::from_secs(2),
        sizes: usize::MAX,
    };
    /// Only whether it works, for `cargo test --benches`.
    const TRY: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(5),
        turn: Duration::from_millis(20),
        reload_turn: Duration::from_millis(700),
        sizes: 1,
    };
}

/// Prints tables, of programs of its own or of what is on the stage.
type Alone = fn(Plan) -> anyhow::Result<()>;
type Staged = fn(&Stage, Plan) -> anyhow::Result<()>;

#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let plan = if arguments.iter().any(|one| one == "--bench") { Plan::MEASURE } else { Plan::TRY };
    let chosen = arguments.iter().find(|one| !one.starts_with('-')).map(String::as_str);
    let wants = |name: &str| chosen.is_none_or(|chosen| chosen == name);
    println!("Load average at the start: {}.\n", figures::load());
    let alone: [(&str, Alone); 4] = [
        ("bundle", bundle::print),
        ("process", process::print),
        ("operate", operate::print),
        ("cerbos", both::print),
    ];
    for (_, print) in alone.iter().filter(|(name, _)| wants(name)) {
        print(plan)?;
    }
    let staged: [(Play, &[(&str, Staged)]); 2] = [
        (Play::Large, &[("load", load::print), ("stream", stream::print), ("reload", reload::print)]),
        (Play::Small, &[("stream", stream::print)]),
    ];
    for (play, tables) in staged {
        if tables.iter().any(|(name, _)| wants(name)) {
            let stage = Stage::set(play)?;
            for (_, print) in tables.iter().filter(|(name, _)| wants(name)) {
                print(&stage, plan)?;
            }
        }
    }
    if wants("overload") {
        overload::print(plan)?;
    }
    println!("\nLoad average at the end: {}.", figures::load());
    Ok(())
}
