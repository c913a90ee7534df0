//! Load for a running server, and what became of it: `tollgate bench`, and the benches of this
//! repository.
//!
//! The client is our own, because one that does everything takes more CPU than the server that it
//! asks, and a generator on one core must be able to drive a server on the other. It writes
//! requests that were encoded before, and reads of an answer what is counted. It knows as much of
//! HTTP/2 and gRPC as that takes.

mod connection;
mod flight;
mod hear;
mod hpack;
mod huffman;
mod job;
mod outgoing;
mod question;
mod reply;
mod schedule;
mod tally;
mod target;
mod thread;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub use job::{Progress, Trouble};
pub use question::Questions;
pub use schedule::{Pace, Span};
pub use tally::{Fault, Tally};
pub use target::Target;
pub use thread::Spent;

use crate::clock::Clock;
use thread::Ready;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Load {
    /// To whom.
    pub target: Target,
    /// What is asked.
    pub questions: Arc<Questions>,
    /// How requests follow each other.
    pub pace: Pace,
    /// Over how many connections, each of them on one of the threads.
    pub connections: usize,
    /// By how many threads.
    pub threads: usize,
    /// How long before anything is measured.
    pub warm_up: Duration,
    /// How long it is measured.
    pub lasts: Duration,
    /// After how many measured requests it ends before that.
    pub count: Option<u64>,
    /// How long connecting may take, and how long the last answers are waited for.
    pub patience: Duration,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Counts and times.
    pub tally: Tally,
    /// The measured time.
    pub elapsed: Duration,
    /// What the threads spent, where the system says it.
    pub spent: Option<Spent>,
    /// Whether it was stopped before its end.
    pub is_stopped: bool,
}

/// A load under way.
#[derive(Debug)]
pub struct Running {
    threads: Vec<JoinHandle<thread::Done>>,
    clock: Clock,
    ready: Arc<Ready>,
    progress: Arc<Progress>,
    stop: Arc<AtomicBool>,
    count: Option<u64>,
}

impl Load {
    /// Does it, and waits for its end.
    ///
    /// # Errors
    /// Nobody answers, or not as this server does.
    pub fn run(&self) -> Result<Outcome, Trouble> {
        self.start()?.finish()
    }

    /// Begins.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub fn start(&self) -> Result<Running, Trouble> {
        let (progress, stop) = (Arc::<Progress>::default(), Arc::<AtomicBool>::default());
        let clock = Clock::system();
        let threads = self.threads.clamp(1, self.connections.max(1));
        let ready = Arc::new(Ready::new(threads));
        let shares = (0..threads).map(|number| {
            let share = thread::Share {
                load: self.clone(),
                clock: clock.clone(),
                number,
                threads,
                ready: Arc::clone(&ready),
                progress: Arc::clone(&progress),
                stop: Arc::clone(&stop),
            };
            std::thread::Builder::new().name(format!("load-{number}")).spawn(move || share.work())
        });
        let threads = shares.collect::<std::io::Result<Vec<_>>>().map_err(|error| {
            stop.store(true, Ordering::Relaxed);
            Trouble::System(error)
        })?;
        Ok(Running { threads, clock, ready, progress, stop, count: self.count })
    }
}

impl Running {
    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How much of its time is over, from 0 to 1; nothing before all connections stand.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a share for people")]
    pub fn share(&self) -> f64 {
        self.ready.span().map_or(0.0, |span| {
            let all = span.until.saturating_sub(span.start).max(1);
            let over = self.clock.monotonic().saturating_sub(span.start).min(all);
            over as f64 / all as f64
        })
    }

    /// Whether all of it is done.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Ends it now; what is in flight gets no answer.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// As [`Load::run`].
    pub fn finish(self) -> Result<Outcome, Trouble> {
        let (mut tally, mut spent, mut trouble) = (Tally::default(), Some(Spent::default()), None);
        for thread in self.threads {
            match thread.join() {
                Ok(Ok((own, own_spent))) => {
                    tally.add(&own);
                    spent = spent.zip(own_spent).map(|(a, b)| a.and(b));
                }
                Ok(Err(own)) => trouble = Some(own),
                Err(_) => trouble = Some(Trouble::System(std::io::Error::other("a thread panicked"))),
            }
        }
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        let span = self.ready.span().unwrap_or_default();
        let now = self.clock.monotonic();
        let is_stopped = self.stop.load(Ordering::Relaxed);
        let is_counted_out = self.count.is_some_and(|count| tally.sent >= count);
        let end = match (is_stopped, is_counted_out) {
            (true, _) => now.min(span.until),
            (false, true) => tally.last.clamp(span.from, span.until),
            (false, false) => span.until,
        };
        let elapsed = Duration::from_nanos(end.saturating_sub(span.from));
        Ok(Outcome { tally, elapsed, spent, is_stopped })
    }
}
