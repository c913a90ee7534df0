//! What an operator does to the program as it is shipped, and whether a decision notices.
//!
//! In an open loop, so that each stall is charged with all that it kept waiting. The calm server is asked in
//! turn with the others; what a second process costs on a machine of two cores is in all rows but the first.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tollgate::load::{Pace, Questions};

use super::{load, micros, ratio};
use crate::Plan;
use crate::figures::{median, spread};
use crate::policies::Policies;
use crate::program::Program;
use crate::stage::{RULES, bundle, request};

const REQUESTS: usize = 4_096;
const PER_SECOND: f64 = 5_000.0;
const CONNECTIONS: usize = 4;

/// What happens meanwhile.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Deed {
    Nothing,
    Scrapes,
    Reloads,
}

/// A row: what it is called, what the server is started with, and what happens.
const ROWS: [(&str, &[&str], Deed); 5] = [
    ("nothing", &[], Deed::Nothing),
    ("ten scrapes a second", &[], Deed::Scrapes),
    ("a new bundle a second", &[], Deed::Reloads),
    ("state to disk each second", &["--state-dir", "state"], Deed::Nothing),
    ("decision log to disk", &["--decision-log-dir", "log"], Deed::Nothing),
];

#[derive(Default)]
struct Figures {
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    cpu: Vec<f64>,
    longest: f64,
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the tables are what this is for")]
pub fn print(plan: Plan) -> anyhow::Result<()> {
    let policies = Policies::mixed(RULES, REQUESTS);
    let requests: Vec<_> = policies.asked.iter().map(request).collect();
    let questions = Arc::new(Questions::unary(&requests));
    let plan = Plan { turn: plan.reload_turn, ..plan };
    let mut servers = Vec::new();
    for (_, args, _) in ROWS {
        let folder = tempfile::tempdir()?;
        write(folder.path(), &policies, 0)?;
        let server = Program::tollgate(folder.path(), &[&["b.yaml"], args].concat())?;
        servers.push((folder, server));
    }
    let mut rows: Vec<Figures> = ROWS.iter().map(|_| Figures::default()).collect();
    for _ in 0..plan.rounds {
        for (((_, _, deed), (folder, server)), row) in ROWS.iter().zip(&servers).zip(&mut rows) {
            let doing = Doing::start(*deed, server, folder.path(), &policies)?;
            let before = server.cpu();
            let outcome =
                load(&server.grpc, &questions, Pace::Open { per_second: PER_SECOND }, CONNECTIONS, plan)
                    .run()?;
            let tally = &outcome.tally;
            row.cpu.push((server.cpu() - before) / tally.all_answered as f64);
            doing.stop()?;
            anyhow::ensure!(tally.errors() == 0, "{deed:?}: {:?}: {:?}", tally.faults, tally.first_fault);
            let at = |percentile| tally.latency.value_at_percentile(percentile) as f64;
            row.p50.push(at(50.0));
            row.p99.push(at(99.0));
            row.p999.push(at(99.9));
            row.longest = row.longest.max(tally.latency.max() as f64);
        }
    }
    println!(
        "\n{PER_SECOND} requests a second, {RULES} rules, three limits; µs, medians (minimum to maximum) of {} rounds.\n",
        plan.rounds
    );
    println!(
        "| meanwhile | p50 | p99 | p99.9 | p99.9 by calm | longest | CPU of the process, µs a request |"
    );
    println!("|---|---|---|---|---|---|---|");
    for ((name, ..), row) in ROWS.iter().zip(&rows) {
        let by_calm = rows.first().map(|calm| ratio(&row.p999, &calm.p999)).unwrap_or_default();
        println!("| {name} | {} |", row.cells(&by_calm));
    }
    Ok(())
}

fn write(folder: &Path, policies: &Policies, number: usize) -> anyhow::Result<()> {
    let fresh = folder.join("fresh");
    std::fs::write(&fresh, bundle(policies, &format!("1.0.{number}")))?;
    std::fs::rename(fresh, folder.join("b.yaml"))?;
    Ok(())
}

/// A thread that does something again and again.
struct Doing {
    stop: Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Doing {
    fn start(deed: Deed, server: &Program, folder: &Path, policies: &Policies) -> anyhow::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let (http, folder) = (server.http.clone(), folder.to_owned());
        // Texts are made before the clock starts.
        let fresh = [1, 2].map(|number| bundle(policies, &format!("1.1.{number}")));
        let every = Duration::from_millis(if deed == Deed::Scrapes { 100 } else { 1_000 });
        let work = move || {
            let mut turn = 0;
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                match deed {
                    Deed::Nothing => {}
                    Deed::Scrapes => crate::program::get(&http, "/metrics").map(drop)?,
                    Deed::Reloads => {
                        turn += 1;
                        std::fs::write(folder.join("fresh"), &fresh[turn % 2])?;
                        std::fs::rename(folder.join("fresh"), folder.join("b.yaml"))?;
                    }
                }
            }
            Ok(())
        };
        Ok(Self { stop, thread: std::thread::spawn(work) })
    }

    fn stop(self) -> anyhow::Result<()> {
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread panicked"))?
    }
}

impl Figures {
    fn cells(&self, by_calm: &str) -> String {
        [
            spread(&self.p50, micros),
            micros(median(&self.p99)),
            spread(&self.p999, micros),
            by_calm.to_owned(),
            micros(self.longest),
            spread(&self.cpu, micros),
        ]
        .join(" | ")
    }
}
