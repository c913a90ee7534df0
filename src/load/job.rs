//! What all connections of one thread share.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::question::Questions;
use super::tally::Tally;
use super::target::Target;
use crate::clock::Clock;

/// The work of one thread, and what came of it so far.
#[derive(Debug)]
pub(super) struct Job {
    pub target: Target,
    pub questions: Arc<Questions>,
    pub clock: Clock,
    /// When the connection that is heard now has read: one look at the clock for all that came together.
    pub now: Cell<u64>,
    /// How long the last answers are waited for, in nanoseconds.
    pub patience: u64,
    pub stop: Arc<AtomicBool>,
    pub progress: Arc<Progress>,
    pub tally: RefCell<Tally>,
}

impl Job {
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// How far a load is, warming up included.
#[derive(Debug, Default)]
pub struct Progress {
    sent: AtomicU64,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Progress {
    pub(super) fn sent(&self, count: u64) {
        self.sent.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn answered(&self, count: u64) {
        self.answered.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn failed(&self, count: u64) {
        self.failed.fetch_add(count, Ordering::Relaxed);
    }

    /// Requests that were sent, answered, and failed.
    #[must_use]
    pub fn now(&self) -> [u64; 3] {
        [&self.sent, &self.answered, &self.failed].map(|count| count.load(Ordering::Relaxed))
    }
}

/// Why there is no load at all.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Nobody listens.
    #[error("no server answers: {0}")]
    Unreachable(#[source] io::Error),
    /// Something else listens.
    #[error(
        "what answers does not speak gRPC; is this the address of `--grpc`, and is TLS as the server has it?"
    )]
    NotHttp2,
    /// The method is not there.
    #[error("the server does not know `{method}`: {said}")]
    Unknown {
        /// The method.
        method: String,
        /// The server's words.
        said: String,
    },
    /// It does not let us.
    #[error("the server does not let you in: {0}")]
    Refused(String),
    /// The system has no thread for us.
    #[error("the load cannot be started: {0}")]
    System(io::Error),
}

/// Why a connection ends before its work is done.
#[derive(Debug)]
pub(super) enum Gone {
    Io(io::Error),
    /// The server takes no more on this one.
    UsedUp,
    /// Somebody has stopped the load.
    Stopped,
    Trouble(Trouble),
}

impl From<io::Error> for Gone {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Trouble> for Gone {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}
