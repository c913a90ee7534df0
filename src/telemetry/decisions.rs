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

use super::exemplar::{Exemplar, Place};
use super::metrics::{CONTEXT_VIOLATIONS, DECISIONS, EVALUATION_ERRORS, SHADOW_FLIPS};
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

/// Buckets of durations; the last has no upper bound.
pub const BUCKETS: usize = BOUNDS.len() + 1;

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

/// How a decision would have come out otherwise if guardrails in shadow were enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flip {
    /// It allowed, and would have denied.
    AllowToDeny,
    /// It allowed, and would have throttled.
    AllowToThrottle,
    /// It throttled, and would have denied.
    ThrottleToDeny,
}

/// All of them, by number, as labels.
const FLIPS: [[&str; 2]; 3] = [["ALLOW", "DENY"], ["ALLOW", "THROTTLE"], ["THROTTLE", "DENY"]];

/// What else a decision adds to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// How long it took.
    pub nanos: u64,
    /// Its id.
    pub decision: u128,
    /// When it was taken, in nanoseconds since 1970.
    pub at: u64,
    /// The trace that it belongs to; 0: none.
    pub trace: u128,
    /// Whether an action may run now, so that its report is awaited.
    pub awaits_report: bool,
    /// What guardrails in shadow would have made of it.
    pub flip: Option<Flip>,
    /// Whether it was decided by a condition that could not be evaluated.
    pub decisive_error: bool,
    /// Rules whose condition could not be evaluated and that did not decide.
    pub other_errors: u32,
    /// Fields of the context that do not fit what the bundle declares.
    pub context_violations: u32,
}

impl Sample {
    const fn exemplar(&self) -> Exemplar {
        Exemplar { nanos: self.nanos, at: self.at, decision: self.decision, trace: self.trace }
    }
}

/// The counts of all threads.
#[derive(Debug)]
pub struct Decisions {
    max_series: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    series: HashMap<Arc<OwnLabels>, Series>,
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
    /// What the last scrape was given.
    shown: Option<u64>,
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
    buckets: [Cell; BUCKETS],
    exemplars: [Place; BUCKETS],
    flips: [Cell; FLIPS.len()],
    nanos: Cell,
    erred: Cell,
    allowed: Cell,
    decisive_errors: Cell,
    other_errors: Cell,
    context_violations: Cell,
}

/// Counts added up.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// Decisions by how long they took; the last bucket has no upper bound.
    pub buckets: [u64; BUCKETS],
    /// How long they took together.
    pub nanos: u64,
    /// Those with a condition that could not be evaluated.
    pub erred: u64,
    /// Those that let an action run.
    pub allowed: u64,
    flips: [u64; FLIPS.len()],
    decisive_errors: u64,
    other_errors: u64,
    context_violations: u64,
}

impl Sums {
    /// All decisions.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds the other's counts.
    pub fn add(&mut self, other: &Self) {
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        for (own, other) in self.flips.iter_mut().zip(&other.flips) {
            *own += other;
        }
        self.nanos += other.nanos;
        self.erred += other.erred;
        self.allowed += other.allowed;
        self.decisive_errors += other.decisive_errors;
        self.other_errors += other.other_errors;
        self.context_violations += other.context_violations;
    }
}

impl Totals {
    fn read(&self) -> Sums {
        Sums {
            buckets: std::array::from_fn(|i| self.buckets[i].get()),
            flips: std::array::from_fn(|i| self.flips[i].get()),
            nanos: self.nanos.get(),
            erred: self.erred.get(),
            allowed: self.allowed.get(),
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
    pub fn sums(&self) -> Sums {
        self.lock().sums()
    }

    fn cell(&self, thread: u64, labels: &Labels<'_>) -> Arc<Cell> {
        let mut inner = self.lock();
        let fixed = [labels.arm, labels.effect, labels.reason_code, labels.phase];
        let mut key: OwnLabels = (fixed, [labels.agent.into(), labels.action.into()]);
        let full = inner.series.len() >= self.max_series.saturating_sub(KEPT_FREE);
        if full && !inner.series.contains_key(&key) {
            key.1 = [OTHER.into(), OTHER.into()];
        }
        let series = inner.series.entry(Arc::new(key)).or_default();
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

impl Inner {
    /// Every series with its count; `known` says whether the bundle still has an agent and an action.
    ///
    /// One of a bundle that is gone is dropped when no thread counts on it any longer and a scrape has
    /// seen its last count: else bundles that follow each other would use up the room for series.
    fn counts(&mut self, known: impl Fn(&str, &str) -> bool) -> Vec<(Arc<OwnLabels>, u64)> {
        let mut counts = Vec::with_capacity(self.series.len());
        self.series.retain(|labels, series| {
            let sum = series.sum();
            let [agent, action] = &labels.1;
            let over = series.cells.is_empty() && series.shown == Some(sum);
            if over && !known(agent, action) {
                return false;
            }
            series.shown = Some(sum);
            counts.push((Arc::clone(labels), sum));
            true
        });
        counts
    }

    fn exemplars(&self) -> [Option<Exemplar>; BUCKETS] {
        let mut best = [None; BUCKETS];
        for totals in &self.threads {
            for (best, place) in best.iter_mut().zip(&totals.exemplars) {
                *best = Exemplar::better(*best, place.read());
            }
        }
        best
    }
}

impl Decisions {
    /// Brings the page up to date; `known` says whether the bundle has this agent and this action.
    pub fn hand_over(&self, page: &mut Page, known: impl Fn(&str, &str) -> bool) {
        // A serving thread that meets new labels waits for this lock: nothing is written under it.
        let mut inner = self.lock();
        let mut counts = inner.counts(known);
        let (sums, exemplars) = (inner.sums(), inner.exemplars());
        let before = std::mem::replace(&mut inner.handed_over, sums.clone());
        drop(inner);
        counts.sort_unstable();
        for (labels, count) in counts {
            let ([arm, effect, reason_code, phase], [agent, action]) = &*labels;
            let labels = [
                ("arm", *arm),
                ("effect", *effect),
                ("reason_code", *reason_code),
                ("phase", *phase),
                ("agent", agent),
                ("action", action),
            ];
            page.add(DECISIONS, &labels, double(count));
        }
        for ([from, to], count) in FLIPS.into_iter().zip(sums.flips) {
            page.add(SHADOW_FLIPS, &[("from", from), ("to", to)], double(count));
        }
        counter!(EVALUATION_ERRORS, "kind" => "decisive")
            .increment(sums.decisive_errors - before.decisive_errors);
        counter!(EVALUATION_ERRORS, "kind" => "other").increment(sums.other_errors - before.other_errors);
        counter!(CONTEXT_VIOLATIONS).increment(sums.context_violations - before.context_violations);
        page.add_durations(&sums, &exemplars);
    }
}

#[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
const fn double(n: u64) -> f64 {
    n as f64
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
        let bucket = BOUNDS.iter().position(|bound| sample.nanos <= *bound).unwrap_or(BOUNDS.len());
        totals.buckets[bucket].add(1);
        totals.exemplars[bucket].offer(&sample.exemplar());
        totals.nanos.add(sample.nanos);
        if sample.awaits_report {
            totals.allowed.add(1);
        }
        if sample.decisive_error || sample.other_errors > 0 {
            totals.erred.add(1);
        }
        if let Some(flip) = sample.flip {
            totals.flips[flip as usize].add(1);
        }
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
