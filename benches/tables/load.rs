//! Throughput and latency of the service and of its floors.

use super::{cpu_of, micros, thousands, times};
use crate::Plan;
use crate::figures::{median, spread};
use crate::load::{Pattern, Target, turn};
use crate::stage::{Stage, Subject};

const PATTERNS: [(&str, Pattern); 3] = [
    ("1", Pattern { connections: 1, in_flight: 1 }),
    ("64", Pattern { connections: 1, in_flight: 64 }),
    ("8 x 16", Pattern { connections: 8, in_flight: 16 }),
];

type TargetOf = fn(&Subject) -> &Target;
const TRANSPORTS: [(&str, TargetOf); 2] = [("TCP", |subject| &subject.tcp), ("Unix", |subject| &subject.uds)];

/// What one server did in the rounds of one row.
#[derive(Debug, Default)]
struct Figures {
    rate: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    /// Of the serving thread, an answer.
    cpu: Vec<f64>,
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
        for ((transport, pattern), row) in rows.iter().zip(&mut figures) {
            for (subject, figures) in stage.subjects.iter().zip(row) {
                figures.take(stage, subject, (transport.1)(subject), pattern.1, plan)?;
            }
        }
    }
    println!("\nMedians (minimum to maximum) of {} rounds.\n", plan.rounds);
    println!("| in flight | server | answers/s | p50, µs | p99 | p99.9 | CPU of the server, µs |");
    println!("|---|---|---|---|---|---|---|");
    for (((transport, _), (pattern, _)), row) in rows.iter().zip(&figures) {
        for (subject, figures) in stage.subjects.iter().zip(row) {
            println!("| {transport}, {pattern} | {} | {} |", subject.name, figures.cells());
        }
    }
    println!(
        "\n| Tollgate by floor | answers/s: decoding | skipping | p50: decoding | CPU: decoding | skipping |"
    );
    println!("|---|---|---|---|---|---|");
    for (((transport, _), (pattern, _)), [ours, decodes, skips]) in rows.iter().zip(&figures) {
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
    fn take(
        &mut self,
        stage: &Stage,
        subject: &Subject,
        target: &Target,
        pattern: Pattern,
        plan: Plan,
    ) -> anyhow::Result<()> {
        let before = cpu_of(subject.thread);
        let asked = turn(target, &stage.questions, pattern, plan.warm_up, plan.turn);
        let answers = stage.runtime.block_on(asked)?;
        if let (Some(before), Some(after)) = (before, cpu_of(subject.thread)) {
            self.cpu.push((after - before) / answers.all as f64);
        }
        self.rate.push(answers.measured as f64 / plan.turn.as_secs_f64());
        let at = |percentile| answers.latency.value_at_percentile(percentile) as f64;
        self.p50.push(at(50.0));
        self.p99.push(at(99.0));
        self.p999.push(at(99.9));
        Ok(())
    }

    fn cells(&self) -> String {
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

/// Round by round, since both sides of a round had the same machine.
fn ratio(ours: &[f64], floors: &[f64]) -> String {
    let ratios: Vec<f64> = ours.iter().zip(floors).map(|(ours, floor)| ours / floor).collect();
    spread(&ratios, times)
}
