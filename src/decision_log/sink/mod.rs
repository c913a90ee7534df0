//! Where lines go: files, a collector, stdout.

mod collector;
mod files;
mod rotated;
mod sender;
mod spool;
mod stdout;

pub use collector::CollectorSink;
pub use files::{BUNDLES, FileSink, keep_bundle};
pub use stdout::StdoutSink;

/// Lines that are to be written together, whole.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'b> {
    /// Each with its end.
    pub lines: &'b [u8],
    /// How many are records, and not about the log itself.
    pub records: u64,
    /// When the oldest of them was brought; 0 where there is none.
    pub oldest: u64,
}

/// Why lines are not where they should be.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A file.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A buffer.
    #[error("the buffer for the collector is full with {waiting} bytes: {why}")]
    Full {
        /// How many bytes wait there.
        waiting: u64,
        /// Why they do not arrive.
        why: String,
    },
    /// A collector.
    #[error("{why}")]
    Collector {
        /// Why.
        why: String,
        /// How often since it was told of last.
        times: u64,
    },
    /// Stdout.
    #[error("stdout: {0}")]
    Stdout(std::io::Error),
}

/// Something that takes lines. What it has taken it keeps, and what it has refused it has not taken.
pub trait Sink: Send {
    /// Takes lines.
    ///
    /// # Errors
    /// None of them was taken; they are to be brought again.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Trouble>;

    /// Does what time brings about. Called many times a second. Gives whether all is well; where it is
    /// not, that was told before.
    ///
    /// # Errors
    /// It did not work, and is tried again.
    fn tend(&mut self) -> Result<bool, Trouble>;

    /// An operator wants a new file.
    fn rotate(&mut self) {}

    /// Bytes that were taken and are not where they should go, and when the oldest was brought.
    fn backlog(&self) -> (u64, Option<u64>) {
        (0, None)
    }

    /// Records that are where they should go since it was asked last: those that were just taken, or of
    /// those that were taken a while ago those that have arrived.
    fn arrived(&mut self, taken: u64) -> u64 {
        taken
    }

    /// Records that were taken and are given up since it was asked last.
    fn given_up(&mut self) -> u64 {
        0
    }

    /// The end is near: what waits for a better moment is tried once more now.
    fn hasten(&mut self) {}

    /// Nothing comes any more: has until `ends` to get rid of what it holds. Gives how many records
    /// are lost with it.
    fn finish(&mut self, ends: u64) -> u64;
}
