//! Decisions while a million keys are idle and go.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tollgate_engine::guardrail::sweep::Sweeper;
use tollgate_engine::model::guardrail::Algorithm;

use super::figures::spread;
use super::stage::{MANY, SECOND, Stage, rate_limit};

const ROUNDS: usize = 5;
/// How long decisions are timed.
const TURN: Duration = Duration::from_millis(2_500);
/// How often the server sweeps, and how much at once.
const PAUSE: Duration = Duration::from_millis(100);
const PIECES: usize = 64;
/// What asks meanwhile.
const BUSY: usize = 1_024;

/// How the keys go.
#[derive(Clone, Copy)]
enum Pace {
    Not,
    AsServed,
    WithoutPause,
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "the table is what this is for")]
pub fn print() {
    println!(
        "\nns of a charge of one window among {BUSY} keys: median (minimum to maximum) of {ROUNDS} rounds\n"
    );
    println!("| a million idle keys | p50 | p99 | p99.9 | p99.99 | longest | keys that went |");
    println!("|---|---|---|---|---|---|---|");
    let paces = [
        ("stay", Pace::Not),
        ("go as served, ten steps a second", Pace::AsServed),
        ("go without a pause between steps", Pace::WithoutPause),
    ];
    let mut rows: Vec<Vec<[f64; 6]>> = paces.iter().map(|_| Vec::new()).collect();
    for _ in 0..ROUNDS {
        for (row, (_, pace)) in rows.iter_mut().zip(paces) {
            row.push(round(pace));
        }
    }
    for (row, (what, _)) in rows.iter().zip(paces) {
        let column = |at: usize| row.iter().map(|figures| figures[at]).collect::<Vec<_>>();
        let cells = (0..6).map(|at| spread(&column(at), |n| format!("{n:.0}")));
        println!("| {what} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
}

fn round(pace: Pace) -> [f64; 6] {
    // Idle for a tenth of a second is as good as new.
    let limit = rate_limit("w", 1_000_000, SECOND / 10, Algorithm::SlidingWindow);
    let stage = Stage::of(vec![limit]);
    let mut fill = stage.hand(MANY, (0, 1), 0);
    (0..MANY).for_each(|_| fill.charge());
    let keys = || stage.guards().map(|guard| guard.keys()).sum::<u64>();
    let before = keys();
    let over = AtomicBool::new(false);
    let mut took = Vec::with_capacity(1 << 24);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut sweeper = Sweeper::default();
            while !over.load(Ordering::Relaxed) {
                match pace {
                    Pace::Not => {}
                    Pace::AsServed | Pace::WithoutPause => {
                        sweeper.step(&stage.live, &stage.made.guards, stage.now(), PIECES);
                    }
                }
                if !matches!(pace, Pace::WithoutPause) {
                    std::thread::sleep(PAUSE);
                }
            }
        });
        let mut hand = stage.hand(BUSY, (0, 1), 0);
        let start = Instant::now();
        let mut last = start;
        while last.duration_since(start) < TURN && took.len() < took.capacity() {
            hand.charge();
            let now = Instant::now();
            took.push(u32::try_from(now.duration_since(last).as_nanos()).unwrap_or(u32::MAX));
            last = now;
        }
        over.store(true, Ordering::Relaxed);
    });
    took.sort_unstable();
    let at = |share: f64| f64::from(took[((took.len() - 1) as f64 * share) as usize]);
    let gone = before.saturating_sub(keys());
    [at(0.5), at(0.99), at(0.999), at(0.9999), at(1.0), gone as f64]
}
