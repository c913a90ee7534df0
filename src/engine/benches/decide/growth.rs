//! The growth table: the same decisions at every size, in turn, so that whatever else the
//! machine does falls on all of them.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tollgate_engine::compile::Compiled;
use tollgate_engine::decide::Scratch;

use super::workload::{Kind, Workload};
use super::{SIZES, decide, prepared};

/// How often each size takes its turn.
const ROUNDS: usize = 9;
/// How long one turn lasts, about.
const TURN: Duration = Duration::from_millis(20);
/// How many decisions are timed one by one for the tail.
const SINGLY: usize = 20_000;

/// One size of one kind, while it is measured.
struct Subject {
    workload: Workload,
    compiled: Compiled,
    scratch: Scratch,
    turn: usize,
    batch: usize,
    nanos: Vec<f64>,
}

/// Prints the table of all kinds, or of one.
#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub fn print(only: Option<&str>) {
    println!("\nns a decision: median (min to max) of {ROUNDS} turns, p99 of those timed singly\n");
    println!("| rules | {} | 10 to 10,000 | to 100,000 |", SIZES.map(|n| n.to_string()).join(" | "));
    println!("|---|{}---|---|", "---|".repeat(SIZES.len()));
    let kinds = Kind::ALL.iter().filter(|(name, _)| only.is_none_or(|only| *name == only));
    for (at, (name, kind)) in kinds.enumerate() {
        let mut subjects = SIZES.map(|rules| Subject::of(*kind, rules));
        if at == 0 {
            println!("| (the request alone) | {:.0} |||||||", subjects[0].request_alone());
        }
        for _ in 0..ROUNDS {
            subjects.iter_mut().for_each(Subject::take_turn);
        }
        let medians = subjects.each_ref().map(|subject| median(&subject.nanos));
        let cells = subjects.each_mut().map(|subject| subject.cell());
        let growth = |to: usize| medians[to] / medians[0];
        println!("| {name} | {} | {:.2}x | {:.2}x |", cells.join(" | "), growth(3), growth(4));
    }
    println!("\ncompilation, ms: median (min to max) of 5\n");
    println!("| rules | 10,000 | 100,000 |\n|---|---|---|");
    for (name, kind) in [("exact", Kind::Exact), ("mixed", Kind::Mixed)] {
        let cells = [10_000, 100_000].map(|rules| compilation(kind, rules));
        println!("| {name} | {} |", cells.join(" | "));
    }
}

impl Subject {
    fn of(kind: Kind, rules: usize) -> Self {
        let (workload, compiled) = prepared(kind, rules);
        let mut subject =
            Self { workload, compiled, scratch: Scratch::default(), turn: 0, batch: 1, nanos: Vec::new() };
        while subject.time(subject.batch) < TURN / 2 {
            subject.batch *= 2;
        }
        subject
    }

    fn decide(&mut self) {
        self.turn += 1;
        decide(&self.workload, &self.compiled, self.turn, &mut self.scratch);
    }

    fn time(&mut self, decisions: usize) -> Duration {
        let start = Instant::now();
        for _ in 0..decisions {
            self.decide();
        }
        start.elapsed()
    }

    /// A warm-up of the caches, then one batch.
    fn take_turn(&mut self) {
        self.time(self.batch / 4);
        let took = self.time(self.batch);
        self.nanos.push(took.as_nanos() as f64 / self.batch as f64);
    }

    fn cell(&mut self) -> String {
        let (low, high) = (least(&self.nanos), -least(&self.nanos.iter().map(|n| -n).collect::<Vec<_>>()));
        format!("{:.0} ({low:.0} to {high:.0}), {:.0}", median(&self.nanos), self.p99())
    }

    /// The 99th percentile of decisions timed one by one, less what reading the clock takes.
    fn p99(&mut self) -> f64 {
        let singly = (8 * self.batch).min(SINGLY);
        let clock = sorted((0..singly).map(|_| Instant::now().elapsed()));
        let single = |_| {
            let start = Instant::now();
            self.decide();
            start.elapsed()
        };
        let took = sorted((0..singly).map(single));
        let p99 = took[singly * 99 / 100].saturating_sub(clock[singly / 2]);
        p99.as_nanos() as f64
    }

    fn request_alone(&self) -> f64 {
        let start = Instant::now();
        for turn in 0..self.batch {
            black_box(&self.workload.request(black_box(turn)));
        }
        start.elapsed().as_nanos() as f64 / self.batch as f64
    }
}

fn compilation(kind: Kind, rules: usize) -> String {
    let bundle = Workload::of(kind, rules).bundle;
    let compile = |_| {
        let copy = bundle.clone();
        let start = Instant::now();
        let compiled = copy.map(tollgate_engine::compile::bundle);
        let took = start.elapsed();
        drop(black_box(compiled));
        took.as_secs_f64() * 1e3
    };
    let took: Vec<f64> = (0..5).map(compile).collect();
    let high = took.iter().copied().fold(0.0, f64::max);
    format!("{:.0} ({:.0} to {high:.0})", median(&took), least(&took))
}

fn sorted(all: impl Iterator<Item = Duration>) -> Vec<Duration> {
    let mut all: Vec<Duration> = all.collect();
    all.sort_unstable();
    all
}

fn median(all: &[f64]) -> f64 {
    let mut all = all.to_vec();
    all.sort_unstable_by(f64::total_cmp);
    all[all.len() / 2]
}

fn least(all: &[f64]) -> f64 {
    all.iter().copied().fold(f64::INFINITY, f64::min)
}
