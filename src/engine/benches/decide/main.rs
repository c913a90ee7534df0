//! One decision in process, by kind and number of rules, and how it grows.
//!
//! `cargo bench -p tollgate-engine` runs criterion and then prints the growth table;
//! `cargo bench -p tollgate-engine -- --growth [kind]` prints the table alone. Both include the
//! building of the borrowed request from its pools, which the table's first row gives alone.
//! `-- --profile kind rules decisions` only decides, for those who watch from outside.

#![expect(clippy::disallowed_methods, reason = "a bench asks the clock, and what it was started with")]

#[path = "../workload/mod.rs"]
mod workload;

mod growth;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Scratch, authorize};
use tollgate_engine::time::WallTime;

use workload::{Kind, Workload};

const SIZES: [usize; 5] = [10, 100, 1_000, 10_000, 100_000];
const NOW: WallTime = WallTime::from_nanos(1_795_248_000_000_000_000);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let measures = arguments.iter().any(|one| one == "--bench");
    let arguments = arguments.iter().map(String::as_str);
    let arguments: Vec<&str> = arguments.filter(|one| *one != "--bench").collect();
    match arguments.as_slice() {
        ["--growth"] => growth::print(None),
        ["--growth", only] => growth::print(Some(only)),
        ["--profile", kind, rules, decisions] => profile(kind, rules, decisions),
        chosen => {
            measure();
            if measures && chosen.is_empty() {
                growth::print(None);
            }
        }
    }
}

/// Criterion's part.
fn measure() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1_500))
        .sample_size(20)
        .configure_from_args();
    decisions(&mut criterion);
    compilation(&mut criterion);
    criterion.final_summary();
}

/// So many decisions on so many rules, and nothing else.
fn profile(kind: &str, rules: &str, decisions: &str) {
    let found = Kind::ALL.iter().find(|(name, _)| *name == kind);
    let (Some((_, kind)), Ok(rules), Ok(decisions)) = (found, rules.parse(), decisions.parse()) else {
        unreachable!("`--profile` takes a kind and two numbers, such as `exact 10000 1000000`");
    };
    let (workload, compiled) = prepared(*kind, rules);
    let mut scratch = Scratch::default();
    (0..decisions).for_each(|turn| decide(&workload, &compiled, turn, &mut scratch));
}

fn decisions(criterion: &mut Criterion) {
    for (name, kind) in Kind::ALL {
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::Elements(1));
        for rules in SIZES {
            let id = BenchmarkId::from_parameter(rules);
            let made = std::cell::LazyCell::new(|| prepared(kind, rules));
            group.bench_function(id, |bencher| {
                let (workload, compiled) = &*made;
                let mut scratch = Scratch::default();
                let mut turn = 0;
                bencher.iter(|| {
                    turn += 1;
                    decide(workload, compiled, turn, &mut scratch)
                });
            });
        }
        group.finish();
    }
}

fn compilation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for (name, kind) in [("exact", Kind::Exact), ("mixed", Kind::Mixed)] {
        for rules in [10_000, 100_000] {
            group.throughput(Throughput::Elements(rules as u64));
            group.bench_function(BenchmarkId::new(name, rules), |bencher| {
                let bundle = Workload::of(kind, rules).bundle;
                let copy = || bundle.clone();
                bencher.iter_batched(copy, |copy| copy.map(compile::bundle), BatchSize::PerIteration);
            });
        }
    }
    group.finish();
}

/// A workload and its compiled bundle.
fn prepared(kind: Kind, rules: usize) -> (Workload, Compiled) {
    let mut workload = Workload::of(kind, rules);
    let bundle = workload.bundle.take();
    let compiled = bundle.map(compile::bundle);
    let Some(Ok(compiled)) = compiled else {
        unreachable!("a workload's bundle compiles");
    };
    (workload, compiled)
}

/// One decision; its result is hidden from the optimiser.
fn decide(workload: &Workload, compiled: &Compiled, turn: usize, scratch: &mut Scratch) {
    let request = workload.request(turn);
    black_box(authorize(compiled, black_box(&request), "production", NOW, None, scratch));
}
