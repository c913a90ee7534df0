//! The thread that writes: takes records out of the rings in the order in which they were brought,
//! numbers them, makes lines of them, and does not take more until those are where they should go.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tollgate_engine::time::WallTime;

use super::edition::Edition;
use super::line::{self, Place, Writes};
use super::rare::Rare;
use super::ring::{Taken, Tap};
use super::shared::{Shared, lock};
use super::sink::{Batch, Sink, Trouble};
use crate::clock::Clock;
use crate::config::decision_log::WhenFull;

/// Lines that are written at once.
const AT_ONCE: usize = 256 << 10;
/// How long the thread rests when nothing waits, and when something did.
const REST: Duration = Duration::from_millis(10);
const SHORT_REST: Duration = Duration::from_millis(1);
/// How long after a failure it tries again: from the first to the last.
const AGAIN: Duration = Duration::from_millis(50);
const AGAIN_AT_MOST: Duration = Duration::from_secs(1);
/// How often an operator is told of a failure that lasts.
const TELL_AGAIN: u64 = 30_000_000_000;
/// How long a sink may take at the end.
const AT_THE_END: u64 = 5_000_000_000;

/// The state of the thread that writes.
pub(super) struct Writer {
    shared: Arc<Shared>,
    sink: Box<dyn Sink>,
    clock: Clock,
    writes: Writes,
    sources: Vec<Source>,
    threads: usize,
    rare: Option<Box<Rare>>,
    rare_told: u64,
    seq: u64,
    lines: Vec<u8>,
    records: u64,
    /// When the oldest record of the lines was brought.
    oldest: u64,
    edition: Arc<Edition>,
    told_of_failure: Option<u64>,
    /// When it must have come to its end, once somebody wants it to.
    ends: Option<u64>,
}

/// A ring, and the record that was taken out of it last.
struct Source {
    thread: usize,
    tap: Tap,
    taken: Option<Taken>,
    bytes: Vec<u8>,
}

impl Writer {
    pub fn new(shared: Arc<Shared>, sink: Box<dyn Sink>, clock: Clock, writes: Writes) -> Self {
        let edition = shared.newest_edition();
        Self {
            shared,
            sink,
            clock,
            writes,
            sources: Vec::new(),
            threads: 0,
            rare: None,
            rare_told: 0,
            seq: 0,
            lines: Vec::new(),
            records: 0,
            oldest: 0,
            edition,
            told_of_failure: None,
            ends: None,
        }
    }

    /// Writes until the log is closed.
    pub fn run(mut self) {
        self.own("start", &json!({"version": env!("CARGO_PKG_VERSION"), "when_full": self.when_full()}));
        loop {
            let stopping = self.ends().is_some();
            let all_taken = self.collect();
            let worked = !self.lines.is_empty();
            self.deliver();
            self.tend();
            if stopping && all_taken && self.rare.is_none() {
                break;
            }
            let rest = if worked { SHORT_REST } else { REST };
            if all_taken && !stopping {
                std::thread::park_timeout(rest);
            }
        }
        self.own("end", &json!({}));
        self.deliver();
        let left = self.sink.finish(self.ends.unwrap_or(0));
        self.arrived(0);
        if left > 0 {
            self.shared.counts.unsent.fetch_add(left, Ordering::Relaxed);
            tracing::error!(records = left, "the decision log ends with records that could not be written");
        }
    }

    /// When it must have come to its end. Asked again and again, also while nothing can be written.
    fn ends(&mut self) -> Option<u64> {
        if self.ends.is_none() && self.shared.stop.load(Ordering::Acquire) {
            self.ends = Some(self.clock.monotonic().saturating_add(AT_THE_END));
            self.sink.hasten();
        }
        self.ends
    }

    /// Makes lines of what waits; whether that was all.
    fn collect(&mut self) -> bool {
        // Taken before the rings are looked at: whatever a record follows from was brought before it
        // was stamped, so it stands in the log before it.
        let cut = self.clock.moment().nanos();
        for tap in self.shared.new_taps() {
            self.sources.push(Source { thread: self.threads, tap, taken: None, bytes: Vec::new() });
            self.threads += 1;
        }
        // Said before they are taken: who looks at the rings first and then here sees them in one of both.
        let waits = self.sources.iter().filter_map(|source| source.tap.ring.oldest()).min();
        waits.into_iter().for_each(|stamp| self.shared.note_oldest(stamp));
        let filled: Vec<_> = self.sources.iter().map(|source| source.tap.filled()).collect();
        while self.lines.len() < AT_ONCE {
            for (at, until) in filled.iter().enumerate() {
                let Some(source) = self.sources.get_mut(at).filter(|source| source.taken.is_none()) else {
                    continue;
                };
                source.taken = source.tap.take(*until, cut, &mut source.bytes);
                if let Some(lost) = source.taken.map(|taken| taken.lost).filter(|lost| *lost > 0) {
                    let thread = source.thread;
                    self.lost(Some(thread), lost);
                }
            }
            if self.rare.is_none() {
                self.rare = self.shared.rare.pop();
            }
            let rare = self.rare.as_ref().map(|rare| rare.stamp).filter(|stamp| *stamp < cut);
            let stamped = |(at, source): (usize, &Source)| source.taken.map(|taken| (taken.stamp, at));
            let first = self.sources.iter().enumerate().filter_map(stamped).min();
            match (first, rare) {
                (Some((stamp, at)), rare) if rare.is_none_or(|rare| stamp < rare) => self.tell(at),
                (_, Some(_)) => self.tell_rare(),
                (None, None) | (Some(_), None) => {
                    self.close_gaps(&filled);
                    return true;
                }
            }
        }
        false
    }

    /// Everything that waited was taken: what was lost after the last record is known.
    fn close_gaps(&mut self, filled: &[super::ring::Filled]) {
        for (at, until) in filled.iter().enumerate() {
            let Some(source) = self.sources.get_mut(at) else { continue };
            if source.tap.is_empty(*until) {
                let (thread, lost) = (source.thread, source.tap.lost_since(*until));
                self.lost(Some(thread), lost);
            }
        }
        let lost = self.shared.rare_lost.load(Ordering::Relaxed);
        if lost > self.rare_told {
            let more = lost - self.rare_told;
            self.rare_told = lost;
            self.lost(None, more);
        }
        let shared = &self.shared;
        self.sources.retain(|source| {
            let is_gone = source.tap.ring.is_closed() && source.tap.is_finished();
            if is_gone {
                shared.ring_is_gone(&source.tap.ring);
            }
            !is_gone
        });
        self.shared.forget_editions(self.clock.monotonic());
    }

    fn tell(&mut self, at: usize) {
        let seq = self.seq + 1;
        let Some(source) = self.sources.get_mut(at) else { return };
        let Some(taken) = source.taken.take() else { return };
        let place = Place { seq, thread: Some(source.thread), stamp: taken.stamp };
        let (shared, known) = (&self.shared, &mut self.edition);
        let edition = |number| {
            if known.number == number { Arc::clone(known) } else { shared.edition(number) }
        };
        let told = line::record(&mut self.lines, &self.writes, place, &source.bytes, edition);
        let thread = source.thread;
        if told.is_none() {
            tracing::error!(thread, "a record of the decision log cannot be read back: please report it");
            return self.lost(Some(thread), 1);
        }
        self.seq = seq;
        self.records += 1;
        self.note_oldest(taken.stamp);
    }

    fn tell_rare(&mut self) {
        let Some(rare) = self.rare.take() else { return };
        self.seq += 1;
        self.records += 1;
        self.edition = self.shared.newest_edition();
        let place = Place { seq: self.seq, thread: None, stamp: rare.stamp };
        line::rare(&mut self.lines, &self.writes, place, &rare, &self.edition);
        self.note_oldest(rare.stamp);
    }

    fn note_oldest(&mut self, stamp: u64) {
        if self.oldest == 0 {
            self.oldest = stamp;
            self.shared.note_oldest(stamp);
        }
    }

    /// Says in the log itself that records are missing here.
    fn lost(&mut self, thread: Option<usize>, count: u64) {
        if count > 0 {
            let body = match thread {
                Some(thread) => json!({"count": count, "when_full": self.when_full(), "of_thread": thread}),
                None => json!({"count": count, "when_full": self.when_full()}),
            };
            self.own("lost", &body);
        }
    }

    fn own(&mut self, kind: &str, body: &serde_json::Value) {
        self.seq += 1;
        let place = Place { seq: self.seq, thread: None, stamp: self.clock.moment().nanos() };
        let wall: WallTime = self.clock.wall();
        line::own(&mut self.lines, &self.writes, place, kind, wall, body);
    }

    /// Gets rid of the lines; tries until it works, or until the time is over.
    fn deliver(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let mut wait = AGAIN;
        loop {
            let batch = Batch { lines: &self.lines, records: self.records, oldest: self.oldest };
            match self.sink.write(&batch) {
                Ok(()) => break self.delivered(),
                Err(trouble) => self.failed(&trouble),
            }
            self.count();
            if self.ends().is_some_and(|ends| self.clock.monotonic() >= ends) {
                break self.given_up();
            }
            std::thread::park_timeout(wait);
            wait = (wait * 2).min(AGAIN_AT_MOST);
        }
        self.lines.clear();
        if self.lines.capacity() > 4 * AT_ONCE {
            self.lines = Vec::new();
        }
        (self.records, self.oldest) = (0, 0);
        self.count();
    }

    fn delivered(&mut self) {
        self.arrived(self.records);
        self.shared.counts.bytes.fetch_add(self.lines.len() as u64, Ordering::Relaxed);
    }

    fn arrived(&mut self, taken: u64) {
        let arrived = self.sink.arrived(taken);
        self.shared.counts.written.fetch_add(arrived, Ordering::Relaxed);
    }

    fn given_up(&mut self) {
        let records = self.records;
        self.shared.counts.unsent.fetch_add(records, Ordering::Relaxed);
        tracing::error!(records, "records of the decision log could not be written before the end");
    }

    /// What time brings about: rotation, flushes.
    fn tend(&mut self) {
        if self.shared.rotate.swap(false, Ordering::AcqRel) {
            self.sink.rotate();
        }
        match self.sink.tend() {
            Ok(true) => self.works_again(),
            Ok(false) => {}
            Err(trouble) => self.failed(&trouble),
        }
        self.count();
    }

    /// Notes what became of what the sink has taken.
    fn count(&mut self) {
        let given_up = self.sink.given_up();
        if given_up > 0 {
            self.shared.counts.unsent.fetch_add(given_up, Ordering::Relaxed);
        }
        self.arrived(0);
        let (bytes, oldest) = self.sink.backlog();
        self.shared.counts.backlog.store(bytes, Ordering::Relaxed);
        let lines = Some(self.oldest).filter(|oldest| *oldest > 0);
        let taken = self.sources.iter().filter_map(|source| source.taken.map(|taken| taken.stamp));
        let rare = self.rare.as_ref().map(|rare| rare.stamp);
        let oldest = [lines, rare, oldest].into_iter().flatten().chain(taken).min();
        self.shared.counts.oldest.store(oldest.unwrap_or(0), Ordering::Relaxed);
    }

    fn failed(&mut self, trouble: &Trouble) {
        let times = if let Trouble::Collector { times, .. } = trouble { *times } else { 1 };
        self.shared.counts.errors.fetch_add(times, Ordering::Relaxed);
        let now = self.clock.monotonic();
        lock(&self.shared.health).failing = Some(trouble.to_string());
        if self.told_of_failure.is_none_or(|told| now.saturating_sub(told) > TELL_AGAIN) {
            let (why, when_full) = (trouble.to_string(), self.when_full());
            tracing::error!(
                why,
                when_full,
                "the decision log cannot be written; what waits is kept and tried again"
            );
            self.told_of_failure = Some(now);
        }
    }

    fn works_again(&mut self) {
        if self.told_of_failure.take().is_some() {
            lock(&self.shared.health).failing = None;
            tracing::info!("the decision log can be written again");
        }
    }

    fn when_full(&self) -> &'static str {
        match self.shared.when_full {
            WhenFull::DropNewest => "drop_newest",
            WhenFull::DropOldest => "drop_oldest",
            WhenFull::Refuse => "refuse",
        }
    }
}
