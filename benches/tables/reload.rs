//! Latency while another bundle is put in force every second.
//!
//! Reading and compiling take a core for a while, and on a machine of two cores that alone shows.
//! So the floor is measured beside the same reloads: what only Tollgate suffers is the swap's.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use tollgate::load::Pace;

use super::{load, micros};
use crate::Plan;
use crate::figures::{median, spread};
use crate::stage::{Stage, Subject, apply};

const EVERY: Duration = Duration::from_secs(1);
/// Requests a second, in an open loop over four connections.
const RATES: [f64; 2] = [1_000.0, 10_000.0];

#[derive(Debug, Default)]
struct Figures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    longest: f64,
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(stage: &Stage, plan: Plan) -> anyhow::Result<()> {
    let servers = &stage.subjects[..2];
    let mut rows: Vec<_> = RATES
        .iter()
        .flat_map(|rate| servers.iter().map(move |server| (rate, server)))
        .map(|row| (row, <[Figures; 2]>::default()))
        .collect();
    let mut took = Vec::new();
    for _ in 0..plan.rounds {
        for ((rate, server), [calm, reloaded]) in &mut rows {
            calm.take(&measure(stage, server, **rate, plan)?);
            let reloads = Reloads::start(stage)?;
            let loud = measure(stage, server, **rate, plan)?;
            took.extend(reloads.stop()?);
            reloaded.take(&loud);
        }
    }
    println!("\nOver TCP, medians (minimum to maximum) of {} rounds, µs.\n", plan.rounds);
    println!("| requests/s | server | bundle | p50 | p99 | p99.9 | longest |\n|---|---|---|---|---|---|---|");
    for ((rate, server), both) in &rows {
        for (figures, bundle) in both.iter().zip(["stays", "replaced every second"]) {
            println!("| {rate} | {} | {bundle} | {} |", server.name, figures.cells());
        }
    }
    let shown = spread(&took, |ms| format!("{ms:.0}"));
    println!("\n{} bundles were put in force, each within {shown} ms.", took.len());
    Ok(())
}

fn measure(stage: &Stage, server: &Subject, rate: f64, plan: Plan) -> anyhow::Result<Histogram<u64>> {
    let plan = Plan { turn: plan.reload_turn, ..plan };
    let outcome = load(&server.tcp, &stage.questions, Pace::Open { per_second: rate }, 4, plan).run()?;
    Ok(outcome.tally.latency)
}

/// A thread that replaces the bundle.
struct Reloads {
    stop: std::sync::mpsc::Sender<()>,
    thread: JoinHandle<anyhow::Result<Vec<f64>>>,
}

impl Reloads {
    /// The first comes after half of the time between two.
    fn start(stage: &Stage) -> anyhow::Result<Self> {
        let (stop, stopped) = channel();
        let (plane, mut offers) = (Arc::clone(&stage.plane), stage.offers.clone());
        let serving = plane.status().bundle.map(|bundle| bundle.version);
        if serving.as_deref() != Some("1.0.1") {
            offers.reverse();
        }
        let work = move || {
            let mut took = Vec::new();
            let mut wait = EVERY / 2;
            for offer in offers.iter().cycle() {
                if stopped.recv_timeout(wait) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
                let start = Instant::now();
                apply(&plane, offer)?;
                took.push(start.elapsed().as_secs_f64() * 1e3);
                wait = EVERY.saturating_sub(start.elapsed());
            }
            Ok(took)
        };
        Ok(Self { stop, thread: std::thread::Builder::new().name("reloads".to_owned()).spawn(work)? })
    }

    /// How long each took, in milliseconds.
    fn stop(self) -> anyhow::Result<Vec<f64>> {
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that reloads panicked"))?
    }
}

impl Figures {
    fn take(&mut self, latency: &Histogram<u64>) {
        let at = |percentile| latency.value_at_percentile(percentile) as f64;
        self.p50.push(at(50.0));
        self.p99.push(at(99.0));
        self.p999.push(at(99.9));
        self.longest = self.longest.max(latency.max() as f64);
    }

    fn cells(&self) -> String {
        let (p50, p99) = (micros(median(&self.p50)), micros(median(&self.p99)));
        format!("{p50} | {p99} | {} | {}", spread(&self.p999, micros), micros(self.longest))
    }
}
