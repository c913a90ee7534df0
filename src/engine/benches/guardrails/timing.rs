//! How long something takes, on a machine that does other things too.
//!
//! A turn is short, and one in which the machine took a thread off its core does not count, where
//! Linux tells so: what is left is the work itself and the waiting for locks.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::stage::{Hand, Stage};

/// How often each takes its turn.
pub const ROUNDS: usize = 15;
/// How long a turn lasts, about.
const TURN: Duration = Duration::from_millis(4);
/// How often a turn is taken again that was disturbed.
const TRIES: usize = 60;
/// A thread may wait for a core for this share of its turn.
const DISTURBED: f64 = 0.03;

/// What is measured of a hand.
pub type Step = fn(&mut Hand<'_>);
/// The guardrails alone.
pub const CHARGE: Step = |hand| hand.charge();
/// A whole decision.
pub const DECIDE: Step = |hand| hand.decide();

/// One stage, and the steps that its hands take, one a thread, while they are measured.
#[derive(Debug)]
pub struct Subject<'s> {
    stage: &'s Stage,
    keys: usize,
    threads: usize,
    step: Step,
    batch: usize,
    /// How many steps each thread has taken.
    taken: usize,
    refused: usize,
    /// Nanoseconds that a step takes on its thread.
    pub nanos: Vec<f64>,
    /// Steps a second of all threads.
    pub rate: Vec<f64>,
}

impl<'s> Subject<'s> {
    pub fn new(stage: &'s Stage, keys: usize, threads: usize, step: Step) -> Self {
        let (nanos, rate) = (Vec::new(), Vec::new());
        let mut made = Self { stage, keys, threads, step, batch: 500, taken: 0, refused: 0, nanos, rate };
        while made.turn().0 < TURN / 2 {
            made.batch *= 2;
        }
        made
    }

    /// Measures once, if the machine lets it.
    pub fn measure(&mut self) {
        for _ in 0..TRIES {
            let (wall, waited) = self.turn();
            if waited.as_secs_f64() <= DISTURBED * wall.as_secs_f64() {
                let batch = self.batch as f64;
                self.nanos.push(wall.as_nanos() as f64 / batch);
                self.rate.push(batch * self.threads as f64 / wall.as_secs_f64());
                return;
            }
        }
    }

    /// The share of steps that were refused.
    pub fn refused(&self) -> f64 {
        self.refused as f64 / (self.taken * self.threads) as f64
    }

    /// How long one batch on each thread takes, and how long a thread waited for a core or was late.
    fn turn(&mut self) -> (Duration, Duration) {
        let barrier = Barrier::new(self.threads);
        let Self { stage, keys, threads, step, batch, taken, .. } = *self;
        let run = |own: usize| {
            let mut hand = stage.hand(keys, (own, threads), taken);
            step(&mut hand);
            barrier.wait();
            let (waited, start) = (waited(), Instant::now());
            (0..batch).for_each(|_| step(&mut hand));
            (start, Instant::now(), self::waited().saturating_sub(waited), hand.refused)
        };
        let took: Vec<(Instant, Instant, Duration, usize)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads)
                .map(|own| {
                    let run = &run;
                    scope.spawn(move || run(own))
                })
                .collect();
            let mut took = vec![run(0)];
            took.extend(others.into_iter().filter_map(|other| other.join().ok()));
            took
        });
        self.taken += batch + 1;
        self.refused += took.iter().map(|(.., refused)| refused).sum::<usize>();
        let (starts, ends) = (took.iter().map(|took| took.0), took.iter().map(|took| took.1));
        let wall = starts.clone().min().zip(ends.clone().max()).map(|(start, end)| end - start);
        // Threads that did not start together were not both at work all the time.
        let late = starts.clone().min().zip(starts.max()).map(|(first, last)| last - first);
        let waited = took.iter().map(|took| took.2).max();
        (wall.unwrap_or_default(), waited.max(late).unwrap_or_default())
    }
}

/// For how long this thread has wanted a core and had none.
fn waited() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = stat.split(' ').nth(1).and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or_default())
}
