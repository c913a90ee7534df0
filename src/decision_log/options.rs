//! What a decision log is made with.

use std::path::PathBuf;
use std::time::Duration;

use super::mask::HashKey;
use crate::config::decision_log::{Fsync, Rates, WhenFull};

/// What a decision log is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it goes.
    pub target: Target,
    /// What happens when there is no room.
    pub when_full: WhenFull,
    /// The room of each thread.
    pub ring_bytes: usize,
    /// What operators mask.
    pub masks: Vec<String>,
    /// What masked values are hashed with.
    pub hash_key: Option<HashKey>,
    /// What is recorded at all.
    pub rates: Rates,
}

/// Where a decision log goes.
#[derive(Clone, Debug)]
pub enum Target {
    /// To files in a directory.
    Files(Files),
    /// To a collector.
    Collector(Box<Collector>),
    /// To stdout.
    Stdout,
}

/// How files are written and kept.
#[derive(Clone, Debug)]
pub struct Files {
    /// The directory.
    pub dir: PathBuf,
    /// A file is rotated when it has so many bytes.
    pub rotate_bytes: u64,
    /// Or when it is so old.
    pub rotate_after: Duration,
    /// So many rotated files are kept.
    pub keep_files: usize,
    /// And so many bytes of them.
    pub keep_bytes: u64,
    /// When files are flushed to the disk.
    pub fsync: Fsync,
    /// The interval of that.
    pub fsync_every: Duration,
}

/// How a collector is sent what it collects.
#[derive(Clone, Debug)]
pub struct Collector {
    /// Where it is.
    pub url: String,
    /// Holds the value of the header `Authorization`.
    pub auth_file: Option<PathBuf>,
    /// Authorities that may vouch for it besides the system's.
    pub ca_file: Option<PathBuf>,
    /// Where batches wait; `None`: in memory.
    pub buffer_dir: Option<PathBuf>,
    /// So many bytes may wait.
    pub buffer_bytes: u64,
    /// A batch is sent when it has so many bytes.
    pub batch_bytes: u64,
    /// Or when it is so old.
    pub batch_after: Duration,
    /// So long may it take to answer.
    pub timeout: Duration,
}
