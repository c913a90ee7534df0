//! Throughput and latency of the service and of its floors.

use std::sync::Arc;

use tollgate::load::{Pace, Questions, Target};

use super::{cpu_of, load, micros, ratio, thousands};
use crate::Plan;
use crate::figures::{median, spread};
use crate::stage::{Stage, Subject};

/// Connections, and requests in flight on each.
const PATTERNS: [(&str, usize, usize); 3] = [("1", 1, 1), ("64", 1, 64), ("8 x 16", 8, 16)];

type TargetOf = fn(&Subject) -> &Target;
const TRANSPORTS: [(&str, TargetOf); 2] = [("TCP", |subject| &subject.tcp), ("Unix", |subject| &subject.uds)];

/// What one server did in the rounds of one row.
#[derive(Debug, Default)]
pub struct Figures {
    pub rate: Vec<f64>,
    pub p50: Vec<f64>,
    pub p99: Vec<f64>,
    pub p999: Vec<f64>,
    /// Of the serving thread, an answer.
    pub cpu: Vec<f64>,
}

/// Prints both tables.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(stage: &Stage, plan: Plan) -> anyhow::Result<()> {
    let rows: Vec<_> = TRANSPORTS
        .iter()
        .flat_map(|transport| PATTERNS.iter().map(move |pattern| (transport, pattern)))
        .collect();
    let mut figures: Vec<[Figures; 3]> = rows.iter().map(|_| Default::default()).collect();
    for _ in 0..plan.rounds {
        for ((transport, (_, connections, in_flight)), row) in rows.iter().zip(&mut figures) {
            for (subject, figures) in stage.subjects.iter().zip(row) {
                let target = (transport.1)(subject);
                figures.take(subject, target, &stage.questions, (*connections, *in_flight), plan)?;
            }
        }
    }
    println!("\nMedians (minimum to maximum) of {} rounds.\n", plan.rounds);
    println!("| in flight | server | answers/s | p50, µs | p99 | p99.9 | CPU of the server, µs |");
    println!("|---|---|---|---|---|---|---|");
    for (((transport, _), (pattern, ..)), row) in rows.iter().zip(&figures) {
        for (subject, figures) in stage.subjects.iter().zip(row) {
            println!("| {transport}, {pattern} | {} | {} |", subject.name, figures.cells());
        }
    }
    println!(
        "\n| Tollgate by floor | answers/s: decoding | skipping | p50: decoding | CPU: decoding | skipping |"
    );
    println!("|---|---|---|---|---|---|");
    for (((transport, _), (pattern, ..)), [ours, decodes, skips]) in rows.iter().zip(&figures) {
        let cells = [
            ratio(&ours.rate, &decodes.rate),
            ratio(&ours.rate, &skips.rate),
            ratio(&ours.p50, &decodes.p50),
            ratio(&ours.cpu, &decodes.cpu),
            ratio(&ours.cpu, &skips.cpu),
        ];
        println!("| {transport}, {pattern} | {} |", cells.join(" | "));
    }
    Ok(())
}

impl Figures {
    /// One turn of a closed loop.
    pub fn take(
        &mut self,
        subject: &Subject,
        target: &Target,
        questions: &Arc<Questions>,
        (connections, in_flight): (usize, usize),
        plan: Plan,
    ) -> anyhow::Result<()> {
        let before = cpu_of(subject.thread);
        let outcome = load(target, questions, Pace::Closed { in_flight }, connections, plan).run()?;
        let tally = &outcome.tally;
        anyhow::ensure!(tally.errors() == 0, "{}: {:?}: {:?}", subject.name, tally.faults, tally.first_fault);
        if let (Some(before), Some(after)) = (before, cpu_of(subject.thread)) {
            self.cpu.push((after - before) / tally.all_answered as f64);
        }
        self.rate.push(tally.answered as f64 / outcome.elapsed.as_secs_f64());
        let at = |percentile| tally.latency.value_at_percentile(percentile) as f64;
        self.p50.push(at(50.0));
        self.p99.push(at(99.0));
        self.p999.push(at(99.9));
        Ok(())
    }

    /// A row.
    pub fn cells(&self) -> String {
        let tail = |all: &[f64]| micros(median(all));
        [
            spread(&self.rate, thousands),
            spread(&self.p50, micros),
            tail(&self.p99),
            tail(&self.p999),
            spread(&self.cpu, micros),
        ]
        .join(" | ")
    }
}
