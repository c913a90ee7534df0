//! Counting decisions without a lock or a cache line that two threads share.
//!
//! Each serving thread owns a [`Tally`] and writes to cells of its own; a scrape reads the cells
//! of all threads and adds them up. A lock is taken when a thread meets a set of labels for the
//! first time, and by the scrape.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::counter;
use tollgate_engine::compile::OTHER;

use super::metrics::{AtScrape, CONTEXT_VIOLATIONS, DECISIONS, EVALUATION_ERRORS};
use super::page::Page;

/// Upper bounds of the buckets of durations, in nanoseconds.
pub const BOUNDS: [u64; 18] = [
    1_000,
    2_000,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
];

/// Sets of labels kept free for those whose agent and action are [`OTHER`].
const KEPT_FREE: usize = 64;

/// The labels of one decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Labels<'a> {
    /// Which bundle decided.
    pub arm: &'static str,
    /// What was decided.
    pub effect: &'static str,
    /// Why.
    pub reason_code: &'static str,
    /// When it was asked.
    pub phase: &'static str,
    /// Who, in the bundle's own vocabulary.
    pub agent: &'a str,
    /// What, in the bundle's own vocabulary.
    pub action: &'a str,
}

/// What else a decision adds to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// How long it took.
    pub nanos: u64,
    /// Whether it was decided by a condition that could not be evaluated.
    pub decisive_error: bool,
    /// Rules whose condition could not be evaluated and that did not decide.
    pub other_errors: u32,
    /// Fields of the context that do not fit what the bundle declares.
    pub context_violations: u32,
}

/// The counts of all threads.
#[derive(Debug)]
pub struct Decisions {
    max_series: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    series: HashMap<OwnLabels, Series>,
    threads: Vec<Arc<Totals>>,
    /// Of threads that ended.
    ended: Sums,
    handed_over: Sums,
    next_thread: u64,
}

/// As in [`Labels`]: arm, effect, reason code, phase; then agent and action.
type OwnLabels = ([&'static str; 4], [Box<str>; 2]);

#[derive(Debug, Default)]
struct Series {
    /// One for each thread that met these labels.
    cells: Vec<(u64, Arc<Cell>)>,
    /// Of threads that ended or forgot their cell.
    ended: u64,
    handed_over: u64,
}

/// A count that one thread writes; on a cache line of its own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Cell(AtomicU64);

impl Cell {
    /// Only the thread that owns the cell adds, so nothing is lost between load and store.
    fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of one thread that have no labels of their own.
#[derive(Debug, Default)]
struct Totals {
    buckets: [Cell; BOUNDS.len() + 1],
    nanos: Cell,
    decisive_errors: Cell,
    other_errors: Cell,
    context_violations: Cell,
}

/// Counts added up.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// Decisions by how long they took; the last bucket has no upper bound.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// How long they took together.
    pub nanos: u64,
    decisive_errors: u64,
    other_errors: u64,
    context_violations: u64,
}

impl Sums {
    /// Adds the other's counts.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        self.nanos += other.nanos;
        self.decisive_errors += other.decisive_errors;
        self.other_errors += other.other_errors;
        self.context_violations += other.context_violations;
    }
}

impl Totals {
    fn read(&self) -> Sums {
        Sums {
            buckets: std::array::from_fn(|i| self.buckets[i].get()),
            nanos: self.nanos.get(),
            decisive_errors: self.decisive_errors.get(),
            other_errors: self.other_errors.get(),
            context_violations: self.context_violations.get(),
        }
    }
}

impl Decisions {
    /// Counts with at most so many sets of labels; past that, agent and action become
    /// [`OTHER`].
    #[must_use]
    pub fn new(max_series: usize) -> Self {
        Self { max_series, inner: Mutex::default() }
    }

    /// The counts of the calling thread.
    #[must_use]
    pub fn tally(self: &Arc<Self>) -> Tally {
        let totals = Arc::new(Totals::default());
        let mut inner = self.lock();
        inner.threads.push(Arc::clone(&totals));
        inner.next_thread += 1;
        let thread = inner.next_thread;
        drop(inner);
        Tally { all: Arc::clone(self), thread, totals, cells: HashMap::default() }
    }

    /// All decisions so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.lock().sums().buckets.iter().sum()
    }

    fn cell(&self, thread: u64, labels: &Labels<'_>) -> Arc<Cell> {
        let mut inner = self.lock();
        let fixed = [labels.arm, labels.effect, labels.reason_code, labels.phase];
        let mut key: OwnLabels = (fixed, [labels.agent.into(), labels.action.into()]);
        let full = inner.series.len() >= self.max_series.saturating_sub(KEPT_FREE);
        if full && !inner.series.contains_key(&key) {
            key.1 = [OTHER.into(), OTHER.into()];
        }
        let series = inner.series.entry(key).or_default();
        if let Some((_, cell)) = series.cells.iter().find(|(owner, _)| *owner == thread) {
            return Arc::clone(cell);
        }
        let cell = Arc::new(Cell::default());
        series.cells.push((thread, Arc::clone(&cell)));
        cell
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn sums(&mut self) -> Sums {
        let mut sums = Sums::default();
        let ended = &mut self.ended;
        self.threads.retain_mut(|totals| match Arc::get_mut(totals) {
            // Nobody else holds it: its thread has ended.
            Some(last) => {
                ended.add(&last.read());
                false
            }
            None => {
                sums.add(&totals.read());
                true
            }
        });
        sums.add(ended);
        sums
    }
}

impl Series {
    fn sum(&mut self) -> u64 {
        let (mut sum, ended) = (0, &mut self.ended);
        self.cells.retain_mut(|(_, cell)| match Arc::get_mut(cell) {
            Some(last) => {
                *ended += last.get();
                false
            }
            None => {
                sum += cell.get();
                true
            }
        });
        sum + *ended
    }
}

impl AtScrape for Decisions {
    fn hand_over(&self, page: &mut Page) {
        let mut inner = self.lock();
        for (([arm, effect, reason_code, phase], [agent, action]), series) in &mut inner.series {
            let sum = series.sum();
            counter!(
                DECISIONS,
                "arm" => *arm,
                "effect" => *effect,
                "reason_code" => *reason_code,
                "phase" => *phase,
                "agent" => agent.to_string(),
                "action" => action.to_string()
            )
            .increment(sum - series.handed_over);
            series.handed_over = sum;
        }
        let sums = inner.sums();
        let before = std::mem::replace(&mut inner.handed_over, sums.clone());
        drop(inner);
        counter!(EVALUATION_ERRORS, "kind" => "decisive")
            .increment(sums.decisive_errors - before.decisive_errors);
        counter!(EVALUATION_ERRORS, "kind" => "other").increment(sums.other_errors - before.other_errors);
        counter!(CONTEXT_VIOLATIONS).increment(sums.context_violations - before.context_violations);
        page.add_durations(&sums);
    }
}

/// The counts of one thread.
#[derive(Debug)]
pub struct Tally {
    all: Arc<Decisions>,
    thread: u64,
    totals: Arc<Totals>,
    cells: HashMap<Address, Arc<Cell>, foldhash::fast::RandomState>,
}

/// Where the texts of a set of labels lie. As long as the bundle that they belong to is held,
/// equal addresses and lengths are equal texts.
type Address = [usize; 8];

fn address(labels: &Labels<'_>) -> Address {
    let at = |text: &str| text.as_ptr().addr();
    [
        at(labels.arm),
        at(labels.effect),
        at(labels.reason_code),
        at(labels.phase),
        at(labels.agent),
        labels.agent.len(),
        at(labels.action),
        labels.action.len(),
    ]
}

impl Tally {
    /// Counts one decision.
    pub fn count(&mut self, labels: &Labels<'_>, sample: Sample) {
        let address = address(labels);
        if let Some(cell) = self.cells.get(&address) {
            cell.add(1);
        } else {
            let cell = self.all.cell(self.thread, labels);
            cell.add(1);
            if self.cells.len() > self.all.max_series.saturating_mul(4) {
                self.cells.clear();
            }
            self.cells.insert(address, cell);
        }
        let totals = &self.totals;
        let bucket = BOUNDS.iter().position(|bound| sample.nanos <= *bound);
        totals.buckets[bucket.unwrap_or(BOUNDS.len())].add(1);
        totals.nanos.add(sample.nanos);
        if sample.decisive_error {
            totals.decisive_errors.add(1);
        }
        if sample.other_errors > 0 {
            totals.other_errors.add(sample.other_errors.into());
        }
        if sample.context_violations > 0 {
            totals.context_violations.add(sample.context_violations.into());
        }
    }

    /// Forgets where labels lie, because the bundle that held them is given up.
    pub fn forget(&mut self) {
        self.cells.clear();
    }
}

#[cfg(test)]
mod tests;
