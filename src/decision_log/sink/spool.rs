//! Batches that wait for the collector, the oldest first: in memory, or as files that an end of the process
//! does not take away.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::collector::cut_torn;
use crate::decision_log::shared::lock;

/// So many batches that were given up are kept for people to look at; the oldest go first.
const ASIDE: usize = 16;

/// A batch that is complete.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// Its name, the same whenever it is sent.
    pub name: String,
    /// How many bytes of lines.
    pub bytes: u64,
    /// How many records; 0 where it is left by an earlier run, which has counted them.
    pub records: u64,
    /// When its oldest record was brought.
    pub oldest: u64,
    /// The lines.
    pub content: Content,
}

/// Where the lines of a batch are.
#[derive(Clone, Debug)]
pub enum Content {
    /// In memory.
    Memory(Arc<[u8]>),
    /// In a file.
    File(PathBuf),
}

/// Batches that wait.
#[derive(Debug, Default)]
pub struct Spool {
    waiting: Mutex<VecDeque<Parcel>>,
    bytes: AtomicU64,
    pub came: Notify,
    ended: AtomicBool,
    haste: AtomicBool,
    failures: AtomicU64,
    arrived: AtomicU64,
    given_up: AtomicU64,
    trouble: Mutex<Option<String>>,
}

impl Spool {
    pub fn put(&self, parcel: Parcel) {
        self.bytes.fetch_add(parcel.bytes, Ordering::Relaxed);
        lock(&self.waiting).push_back(parcel);
        self.came.notify_one();
    }

    /// The oldest, which stays until it was [`Spool::sent`] or is given up.
    pub fn first(&self) -> Option<Parcel> {
        lock(&self.waiting).front().cloned()
    }

    /// The oldest has arrived.
    pub fn sent(&self) {
        let records = self.first().map_or(0, |parcel| parcel.records);
        self.arrived.fetch_add(records, Ordering::Relaxed);
        self.done();
    }

    pub fn take_arrived(&self) -> u64 {
        self.arrived.swap(0, Ordering::Relaxed)
    }

    /// The oldest was sent, or is given up.
    fn done(&self) {
        if let Some(parcel) = lock(&self.waiting).pop_front() {
            self.bytes.fetch_sub(parcel.bytes, Ordering::Relaxed);
            if let Content::File(path) = parcel.content
                && let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                let path = path.display().to_string();
                tracing::warn!(path, %error, "a batch that was sent cannot be deleted; it may be sent again");
            }
        }
    }

    /// The oldest cannot be sent, ever.
    pub fn give_up(&self, why: &str) {
        let Some(parcel) = self.first() else { return };
        let (batch, records) = (parcel.name.as_str(), parcel.records);
        tracing::error!(batch, records, why, "a batch of the decision log is given up");
        self.lose(records);
        if let Content::File(path) = &parcel.content {
            let aside = path.with_file_name(format!("refused-{}.jsonl", parcel.name));
            let _ = fs::rename(path, &aside);
            keep_newest_aside(aside.parent());
        }
        self.done();
    }

    /// Records are nowhere any more.
    pub fn lose(&self, records: u64) {
        self.given_up.fetch_add(records, Ordering::Relaxed);
    }

    pub fn take_given_up(&self) -> u64 {
        self.given_up.swap(0, Ordering::Relaxed)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn oldest(&self) -> Option<u64> {
        lock(&self.waiting).front().map(|parcel| parcel.oldest)
    }

    /// Records that are nowhere else.
    pub fn left_in_memory(&self) -> u64 {
        let in_memory = |parcel: &&Parcel| matches!(parcel.content, Content::Memory(_));
        lock(&self.waiting).iter().filter(in_memory).map(|parcel| parcel.records).sum()
    }

    /// Nothing comes any more.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.came.notify_one();
    }

    /// The next rest is over at once.
    pub fn hasten(&self) {
        self.haste.store(true, Ordering::Release);
        self.came.notify_one();
    }

    pub fn take_haste(&self) -> bool {
        self.haste.swap(false, Ordering::AcqRel)
    }

    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    pub fn failed(&self, why: String) {
        *lock(&self.trouble) = Some(why);
        self.failures.fetch_add(1, Ordering::Release);
    }

    pub fn works(&self) {
        *lock(&self.trouble) = None;
    }

    pub fn trouble(&self) -> Option<String> {
        lock(&self.trouble).clone()
    }

    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Acquire)
    }
}

fn keep_newest_aside(dir: Option<&Path>) {
    let Some(Ok(entries)) = dir.map(fs::read_dir) else { return };
    let is_aside = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("refused-") && name.ends_with(".jsonl")
    };
    let mut aside: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_aside).collect();
    aside.sort();
    for path in aside.iter().rev().skip(ASIDE) {
        // What cannot be deleted is looked at again with the next one.
        let _ = fs::remove_file(path);
    }
}

/// What an earlier run has left, the oldest first. A batch that it did not complete is one too, without the
/// line that it was torn in.
pub fn adopt(dir: &Path, now: u64) -> io::Result<Vec<Parcel>> {
    let mut left: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("batch-") && (name.ends_with(".part") || name.ends_with(".jsonl")) {
            left.push(path);
        }
    }
    left.sort();
    let mut parcels = Vec::new();
    for path in left {
        let bytes = cut_torn(&path)?;
        if bytes == 0 {
            fs::remove_file(&path)?;
            continue;
        }
        let whole = path.with_extension("jsonl");
        fs::rename(&path, &whole)?;
        let name = whole.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        parcels.push(Parcel { name, bytes, records: 0, oldest: now, content: Content::File(whole) });
    }
    Ok(parcels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_does_not_fill_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::default();
        for number in 0..40 {
            let path = folder.path().join(format!("batch-{number:04}.jsonl"));
            fs::write(&path, "{}\n").unwrap();
            let (name, content) = (format!("batch-{number:04}"), Content::File(path));
            spool.put(Parcel { name, bytes: 3, records: 1, oldest: 0, content });
            spool.give_up("the collector says that it is malformed");
        }
        let left = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<String> = left.map(|name| name.into_string().unwrap()).collect();
        left.sort();
        assert_eq!((left.len(), &*left[0]), (ASIDE, "refused-batch-0024.jsonl"));
        assert_eq!((spool.bytes(), spool.take_given_up()), (0, 40));
    }
}
