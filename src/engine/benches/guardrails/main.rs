//! What guardrails cost: a decision, on one key and on many, by one thread and by two; however
//! many limits there are that do not match; a key's memory; and while a million keys go.
//!
//! `cargo bench -p tollgate-engine --bench guardrails` prints all tables; `-- decisions`,
//! `-- growth`, `-- memory` or `-- sweeping` prints one. `-- --profile charge|decide
//! windows|buckets|mixed one|many DECISIONS` only decides, for those who watch from outside.

#![expect(clippy::disallowed_methods, reason = "a bench asks the clock, and what it was started with")]

#[path = "../../../../benches/figures/mod.rs"]
mod figures;
#[path = "../workload/mod.rs"]
#[allow(dead_code, reason = "made for more than this")]
mod workload;

mod decisions;
mod growth;
mod memory;
#[allow(dead_code, reason = "made for more than this")]
mod stage;
mod sweeping;
mod timing;

use stage::{MANY, Stage, Three};

#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments = arguments.iter().map(String::as_str);
    let arguments: Vec<&str> = arguments.filter(|one| *one != "--bench").collect();
    if let ["--profile", what, three, keys, decisions] = *arguments.as_slice() {
        return profile(what, three, keys, decisions);
    }
    let chosen = arguments.iter().find(|one| !one.starts_with('-'));
    let wants = |name: &str| chosen.is_none_or(|chosen| *chosen == name);
    println!("Load average at the start: {}.", figures::load());
    for (name, print) in [
        ("decisions", decisions::print as fn()),
        ("growth", growth::print),
        ("memory", memory::print),
        ("sweeping", sweeping::print),
    ] {
        if wants(name) {
            print();
        }
    }
    println!("\nLoad average at the end: {}.", figures::load());
}

/// So many decisions, and nothing else.
fn profile(what: &str, three: &str, keys: &str, decisions: &str) {
    let found = Three::ALL.iter().find(|(name, _)| *name == three);
    let (Some((_, three)), Ok(decisions)) = (found, decisions.parse()) else {
        unreachable!("`--profile` takes, for example, `charge windows one 1000000`");
    };
    let keys = if keys == "one" { 1 } else { MANY };
    let stage = Stage::with(*three, keys);
    let mut hand = stage.hand(keys, (0, 1), 0);
    let decide = if what == "charge" { timing::CHARGE } else { timing::DECIDE };
    (0_usize..decisions).for_each(|_| decide(&mut hand));
}
