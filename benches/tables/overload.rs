//! Ten times the load that the server can carry: what becomes of the requests that it accepts.
//!
//! The generator has to make ten times as many requests as the server can decide on, so that the rules
//! are ones that no index helps with: each decision reads all of them.

use std::fmt::Write as _;
use std::sync::Arc;

use tollgate::load::{Outcome, Pace, Questions};

use super::{load, micros, ratio, thousands};
use crate::Plan;
use crate::figures::{median, spread};
use crate::policies::Policies;
use crate::program::Program;
use crate::stage::request;

const RULES: usize = 2_000;
const REQUESTS: usize = 1_024;
const CONNECTIONS: usize = 8;
/// Loads by the server's capacity.
const TIMES: [f64; 4] = [0.5, 1.0, 2.0, 10.0];
/// Which of them is just what it can carry.
const ALL: usize = 1;

#[derive(Default)]
struct Figures {
    offered: Vec<f64>,
    accepted: Vec<f64>,
    refused: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    unsent: u64,
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(plan: Plan) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("b.yaml"), bundle())?;
    let server = Program::tollgate(folder.path(), &["b.yaml"])?;
    let requests: Vec<_> = Policies::mixed(16, REQUESTS).asked.iter().map(request).collect();
    let questions = Arc::new(Questions::unary(&requests));
    let plan = Plan { turn: plan.reload_turn, ..plan };
    let ask = |pace| load(&server.grpc, &questions, pace, CONNECTIONS, plan).run();
    let mut rows: Vec<Figures> = TIMES.iter().map(|_| Figures::default()).collect();
    let mut capacities = Vec::new();
    for _ in 0..plan.rounds {
        let capacity = answers(&ask(Pace::Closed { in_flight: 8 })?);
        capacities.push(capacity);
        for (times, row) in TIMES.iter().zip(&mut rows) {
            let per_second = capacity * times;
            row.take(per_second, &ask(Pace::Open { per_second })?);
        }
    }
    println!(
        "\n{RULES} rules that no index finds, {CONNECTIONS} connections; in a closed loop {} answers/s. \
         Medians (minimum to maximum) of {} rounds.\n",
        spread(&capacities, thousands),
        plan.rounds
    );
    println!(
        "| load | offered/s | accepted/s | refused/s | p50 of accepted, µs | p99 | p99.9 | never sent | p99 by that of 1 x |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (times, row) in TIMES.iter().zip(&rows) {
        println!("| {times} x | {} | {} |", row.cells(), ratio(&row.p99, &rows[ALL].p99));
    }
    Ok(())
}

fn answers(outcome: &Outcome) -> f64 {
    outcome.tally.answered as f64 / outcome.elapsed.as_secs_f64()
}

/// Denies, each of which has to be looked at, and an allow below them.
fn bundle() -> String {
    let mut text = String::from("format: tollgate/v1\nversion: 1.0.0\ndefaults: {effect: allow}\nrules:\n");
    for number in 0..RULES {
        let _ = writeln!(
            text,
            "  - {{id: deny-{number:04}, effect: deny, reason: Not from there, \
             when: 'context.sender.domain.endsWith(\".nowhere-{number}\")'}}"
        );
    }
    text
}

impl Figures {
    fn take(&mut self, offered: f64, outcome: &Outcome) {
        let tally = &outcome.tally;
        self.offered.push(offered);
        self.accepted.push(answers(outcome));
        self.refused.push(tally.errors() as f64 / outcome.elapsed.as_secs_f64());
        let at = |percentile| tally.latency.value_at_percentile(percentile) as f64;
        self.p50.push(at(50.0));
        self.p99.push(at(99.0));
        self.p999.push(at(99.9));
        self.unsent += tally.unsent;
    }

    fn cells(&self) -> String {
        let rate = |all: &[f64]| thousands(median(all));
        [
            rate(&self.offered),
            spread(&self.accepted, thousands),
            rate(&self.refused),
            spread(&self.p50, micros),
            spread(&self.p99, micros),
            micros(median(&self.p999)),
            self.unsent.to_string(),
        ]
        .join(" | ")
    }
}
