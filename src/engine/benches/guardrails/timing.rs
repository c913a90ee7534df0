//! How long something takes, on a machine that does other things too.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::stage::{Hand, Stage};

/// How often each takes its turn.
pub const ROUNDS: usize = 9;
/// How long a turn lasts, about.
const TURN: Duration = Duration::from_millis(50);

/// What is measured of a hand.
pub type Step = fn(&mut Hand<'_>);
/// The guardrails alone.
pub const CHARGE: Step = |hand| hand.charge();
/// A whole decision.
pub const DECIDE: Step = |hand| hand.decide();

/// One stage, and the steps that its hands take, while they are measured.
pub struct Subject<'s> {
    stage: &'s Stage,
    keys: usize,
    threads: usize,
    step: Step,
    batch: usize,
    /// Nanoseconds that a step takes on its thread.
    pub nanos: Vec<f64>,
    /// Steps a second of all threads.
    pub rate: Vec<f64>,
    pub refused: usize,
    pub steps: usize,
}

impl<'s> Subject<'s> {
    pub fn new(stage: &'s Stage, keys: usize, threads: usize, step: Step) -> Self {
        let (nanos, rate) = (Vec::new(), Vec::new());
        let mut made = Self { stage, keys, threads, step, batch: 1_000, nanos, rate, refused: 0, steps: 0 };
        while made.turn().0 < TURN / 2 {
            made.batch *= 2;
        }
        (made.refused, made.steps) = (0, 0);
        made
    }

    /// Measures once.
    pub fn measure(&mut self) {
        let (wall, cpu) = self.turn();
        let batch = self.batch as f64;
        self.nanos.push(cpu.as_nanos() as f64 / batch);
        self.rate.push(batch * self.threads as f64 / wall.as_secs_f64());
    }

    /// How long one batch on each thread takes: the longest, and a thread's share of its core.
    fn turn(&mut self) -> (Duration, Duration) {
        let barrier = Barrier::new(self.threads);
        let (stage, keys, step, batch) = (self.stage, self.keys, self.step, self.batch);
        let threads = self.threads;
        let run = |own: usize| {
            let mut hand = stage.hand(keys, (own, threads));
            barrier.wait();
            let watch = Watch::start();
            (0..batch).for_each(|_| step(&mut hand));
            (watch.stop(), hand.refused)
        };
        let took: Vec<((Duration, Duration), usize)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|own| scope.spawn(move || run(own))).collect();
            let mut took = vec![run(0)];
            took.extend(others.into_iter().filter_map(|other| other.join().ok()));
            took
        });
        self.steps += batch * threads;
        self.refused += took.iter().map(|(_, refused)| refused).sum::<usize>();
        let wall = took.iter().map(|((wall, _), _)| *wall).max().unwrap_or_default();
        // Who waits for a lock is not on its core; with one thread nobody waits.
        let cpu = took.iter().map(|((wall, cpu), _)| if threads == 1 { *cpu } else { *wall }).max();
        (wall, cpu.unwrap_or_default())
    }
}

/// Measures the wall's time, and the time that this thread was on a core, where Linux says so.
struct Watch {
    wall: Instant,
    cpu: Option<Duration>,
}

impl Watch {
    fn start() -> Self {
        Self { cpu: on_core(), wall: Instant::now() }
    }

    fn stop(self) -> (Duration, Duration) {
        let wall = self.wall.elapsed();
        let cpu = self.cpu.and_then(|before| on_core()?.checked_sub(before));
        (wall, cpu.unwrap_or(wall))
    }
}

fn on_core() -> Option<Duration> {
    // Brings the count up to date.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}
