//! The decision log: one record for each decision, report, retry decision, bundle, change of a
//! guardrail and action of an operator (design 2.3).
//!
//! A serving thread writes a record down with its [`Pen`], in a ring that is its own; one thread
//! (`writer`) takes records out of all rings, makes lines of JSON of them ([`line`]), and brings
//! them where they should go (`sink`). Names, masks and JSON are its work, so that where it is
//! decided hardly more is done than copying. Nobody waits for it: what finds no room is dropped and
//! counted, or was refused before anything was charged.

mod code;
mod edition;
mod key;
mod line;
mod mask;
pub mod options;
mod pen;
mod rare;
pub mod reader;
pub mod record;
mod ring;
pub mod sample;
mod shared;
mod sink;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tollgate_engine::guardrail::Guards;
use uuid::Uuid;

pub use key::KeyTold;
pub use line::{AUTHORIZE, WITHIN_LIMITS};
pub use mask::{BadPointer, HashKey, Masks, SHORTEST_KEY};
pub use options::{Options, Target};
pub use pen::Pen;
pub use rare::Rare;
pub use shared::{Dropped, Health};
pub use sink::BUNDLES;

use crate::clock::Clock;
use crate::config::decision_log::{Rates, WhenFull};
use edition::Edition;
use line::Writes;
use shared::{Shared, lock};
use sink::{CollectorSink, FileSink, Sink, StdoutSink};
use writer::Writer;

/// How long the end of a log may take, in steps of this.
const STEP: Duration = Duration::from_millis(5);
const LONGEST_END: usize = 2_000;

/// A log that is written.
#[derive(Debug)]
pub struct Log {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    clock: Clock,
    masks: Vec<String>,
    hash_key: Option<HashKey>,
    /// Where bundles are kept too.
    dir: Option<PathBuf>,
}

/// What a log has done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Records that are where they should go.
    pub written: u64,
    /// Bytes of these, as lines.
    pub bytes: u64,
    /// Records that are nowhere.
    pub dropped: Dropped,
    /// Records that were left out, since not all are recorded.
    pub sampled_out: u64,
    /// Attempts to write that failed.
    pub errors: u64,
    /// Bytes that wait to be written.
    pub waiting: u64,
    /// Bytes that wait for a collector.
    pub backlog: u64,
    /// How long the oldest record has waited, in nanoseconds.
    pub lag: u64,
}

impl Log {
    /// Opens what the options name, and starts to write.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn start(options: Options, instance: Uuid, clock: &Clock) -> anyhow::Result<Self> {
        let (target, gives_up) = (options.target.clone(), options.when_full != WhenFull::Refuse);
        Self::start_with(options, instance, clock, |boot| open(target, gives_up, boot, clock))
    }

    fn start_with(
        options: Options,
        instance: Uuid,
        clock: &Clock,
        sink: impl FnOnce(Uuid) -> anyhow::Result<Box<dyn Sink>>,
    ) -> anyhow::Result<Self> {
        let writes = Writes { instance, boot: clock.secret_id(clock.wall()) };
        let masks = Masks::new(options.masks.iter().map(String::as_str), options.hash_key.clone())?;
        let first = Edition { masks, ..Edition::default() };
        let shared =
            Arc::new(Shared::new(options.when_full, options.ring_bytes, options.rates.clone(), first));
        let dir = match &options.target {
            Target::Files(files) => Some(files.dir.clone()),
            Target::Collector(_) | Target::Stdout => None,
        };
        let sink = sink(writes.boot)?;
        let writer = Writer::new(Arc::clone(&shared), sink, clock.clone(), writes);
        let thread = std::thread::Builder::new().name("decision-log".into());
        let thread = thread.spawn(move || writer.run()).context("the decision log cannot be started")?;
        let thread = Mutex::new(Some(thread));
        let (masks, hash_key) = (options.masks, options.hash_key);
        Ok(Self { shared, thread, clock: clock.clone(), masks, hash_key, dir })
    }

    /// What a serving thread writes with.
    #[must_use]
    pub fn pen(&self) -> Pen {
        Pen::new(Some(Arc::clone(&self.shared)))
    }

    /// Tells something that happens rarely. Never waits.
    pub fn tell(&self, rare: Rare) {
        self.shared.tell(Box::new(rare));
    }

    /// A bundle will serve: gives the number that its records name.
    pub fn follow(&self, version: &str, digest: &str, guards: &Arc<Guards>, masks: &[Box<str>]) -> u32 {
        let pointers = || self.masks.iter().map(String::as_str).chain(masks.iter().map(|mask| &**mask));
        let masks = Masks::new(pointers(), self.hash_key.clone()).unwrap_or_else(|error| {
            tracing::error!(%error, "a mask of the bundle cannot be followed: whole requests are masked");
            Masks::everything(self.hash_key.clone())
        });
        let edition = Edition {
            number: 0,
            version: version.to_owned(),
            digest: digest.to_owned(),
            guards: Arc::clone(guards),
            masks,
        };
        self.shared.follow(edition, self.clock.monotonic())
    }

    /// Keeps the text of a bundle beside its records, so that they can be explained later. May take
    /// long: not for a serving thread.
    pub fn keep_bundle(&self, digest: &str, content: &serde_json::Value) {
        let Some(dir) = &self.dir else { return };
        if let Err(error) = sink::keep_bundle(dir, digest, content) {
            let error = format!("{error:#}");
            tracing::warn!(error, "the bundle cannot be kept beside the decision log");
        }
    }

    /// What is recorded at all.
    #[must_use]
    pub fn rates(&self) -> &Rates {
        &self.shared.rates
    }

    /// Begins a new file.
    pub fn rotate(&self) {
        self.shared.rotate.store(true, Ordering::Release);
    }

    /// What was done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = &self.shared.counts;
        let oldest = self.shared.oldest();
        let now = self.clock.moment().nanos();
        Stats {
            written: counts.written.load(Ordering::Relaxed),
            bytes: counts.bytes.load(Ordering::Relaxed),
            dropped: self.shared.dropped(),
            sampled_out: self.shared.sampled_out.load(Ordering::Relaxed),
            errors: counts.errors.load(Ordering::Relaxed),
            waiting: self.shared.waiting(),
            backlog: counts.backlog.load(Ordering::Relaxed),
            lag: oldest.map_or(0, |oldest| now.saturating_sub(oldest)),
        }
    }

    /// Whether what is written arrives.
    #[must_use]
    pub fn health(&self) -> Health {
        lock(&self.shared.health).clone()
    }

    /// Writes what waits, and ends. Call it after the last record.
    pub fn close(&self) {
        self.shared.stop.store(true, Ordering::Release);
        let Some(thread) = lock(&self.thread).take() else { return };
        thread.thread().unpark();
        // A pipe that nobody reads holds it for ever.
        for _ in 0..LONGEST_END {
            if thread.is_finished() {
                break;
            }
            std::thread::sleep(STEP);
        }
        if !thread.is_finished() {
            tracing::error!("the decision log does not come to its end; what waits is lost");
        } else if thread.join().is_err() {
            tracing::error!("the decision log ended by a panic: please report it");
        }
    }
}

fn open(target: Target, gives_up: bool, boot: Uuid, clock: &Clock) -> anyhow::Result<Box<dyn Sink>> {
    Ok(match target {
        Target::Files(files) => Box::new(FileSink::open(files, clock.clone(), boot)?),
        Target::Collector(collector) => {
            Box::new(CollectorSink::open(*collector, clock.clone(), boot, gives_up)?)
        }
        Target::Stdout => Box::new(StdoutSink::default()),
    })
}

impl Drop for Log {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests;
