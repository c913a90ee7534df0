//! Files that were rotated: compressed one after the other on a thread of its own, and deleted, the
//! oldest first, when there are too many.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::SystemTime;

use super::files::BUNDLES;
use crate::decision_log::options::Files;
use crate::decision_log::reader::{self, PLAIN, ZSTD};
use crate::decision_log::shared::lock;

/// How hard zstd tries.
const LEVEL: i32 = 3;
/// Files that could not be compressed and are tried again at most; others wait for the next start.
const LEFT: usize = 1_024;
/// Bundles that are kept in any case.
const BUNDLES_KEPT: usize = 8;

/// Takes care of files that were rotated.
#[derive(Debug)]
pub struct Rotated {
    files: Option<Sender<PathBuf>>,
    thread: Option<JoinHandle<()>>,
    writing: Arc<Mutex<Option<PathBuf>>>,
}

impl Rotated {
    /// Also compresses what an earlier run has left.
    pub fn start(options: &Files) -> io::Result<Self> {
        let (files, given) = channel();
        let writing = Arc::new(Mutex::new(None));
        let work = Work { options: options.clone(), writing: Arc::clone(&writing) };
        for left in reader::files(&options.dir)? {
            if is_plain(&left) {
                // Nobody is there yet who could have gone.
                let _ = files.send(left);
            }
        }
        let thread = std::thread::Builder::new().name("log-files".into());
        let thread = thread.spawn(move || work.run(&given))?;
        Ok(Self { files: Some(files), thread: Some(thread), writing })
    }

    /// Which file grows, and is left alone.
    pub fn writing(&self, path: Option<&Path>) {
        *lock(&self.writing) = path.map(Path::to_owned);
    }

    /// A file that grows no more.
    pub fn add(&self, path: PathBuf) {
        if let Some(files) = &self.files {
            // If the thread has ended by a panic, the file stays as it is.
            let _ = files.send(path);
        }
    }

    /// Ends. What is left the next run compresses.
    pub fn finish(&mut self) {
        self.files = None;
        if let Some(thread) = self.thread.take().filter(JoinHandle::is_finished) {
            let _ = thread.join();
        }
    }
}

struct Work {
    options: Files,
    writing: Arc<Mutex<Option<PathBuf>>>,
}

impl Work {
    fn run(&self, given: &Receiver<PathBuf>) {
        self.delete_beyond();
        let mut left = VecDeque::new();
        while let Ok(path) = given.recv() {
            if !is_compressed(&path) {
                left.push_back(path);
            } else {
                again(&mut left);
            }
            self.delete_beyond();
        }
    }

    fn delete_beyond(&self) {
        if let Err(error) = self.try_delete() {
            let dir = self.options.dir.display().to_string();
            tracing::warn!(dir, %error, "old files of the decision log cannot be deleted");
        }
    }

    fn try_delete(&self) -> io::Result<()> {
        let writing = lock(&self.writing).clone();
        let mut files = reader::files(&self.options.dir)?;
        files.retain(|path| Some(path) != writing.as_ref());
        let sizes: Vec<u64> =
            files.iter().map(|path| fs::metadata(path).map_or(0, |data| data.len())).collect();
        let (mut count, mut bytes) = (files.len(), sizes.iter().sum::<u64>());
        for (path, size) in files.iter().zip(sizes) {
            if count <= self.options.keep_files && bytes <= self.options.keep_bytes {
                break;
            }
            fs::remove_file(path)?;
            (count, bytes) = (count - 1, bytes.saturating_sub(size));
        }
        let left = reader::files(&self.options.dir)?;
        let oldest = left.first().and_then(|path| modified(path));
        forget_bundles(&self.options.dir.join(BUNDLES), oldest)
    }
}

/// Deletes bundles that were put in force before the oldest record that is kept; the newest stay.
fn forget_bundles(folder: &Path, oldest: Option<SystemTime>) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    let mut all: Vec<(SystemTime, PathBuf)> =
        entries.flatten().filter_map(|entry| Some((modified(&entry.path())?, entry.path()))).collect();
    all.sort();
    let beyond = all.len().saturating_sub(BUNDLES_KEPT);
    for (at, path) in all.into_iter().take(beyond) {
        if oldest.is_some_and(|oldest| at < oldest) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|data| data.modified()).ok()
}

fn is_plain(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == PLAIN)
}

/// Compresses a file, and tells the operator where it does not work.
fn is_compressed(path: &Path) -> bool {
    let Err(error) = compress(path) else { return true };
    let path = path.display().to_string();
    tracing::warn!(path, %error, "a file of the decision log is not compressed yet; it is tried again");
    false
}

/// Tries those again that could not be compressed, the oldest first, until one cannot be again: that one
/// waits behind the others then, so that it does not hold them up.
fn again(left: &mut VecDeque<PathBuf>) {
    let beyond = left.len().saturating_sub(LEFT);
    left.drain(..beyond);
    while let Some(path) = left.pop_front() {
        if !is_compressed(&path) {
            left.push_back(path);
            break;
        }
    }
}

/// Puts a compressed file in place of a plain one; at any moment one of them is whole.
fn compress(path: &Path) -> io::Result<()> {
    let mut from = match File::open(path) {
        Ok(from) => from,
        // Somebody has taken it away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if from.metadata()?.len() == 0 {
        return fs::remove_file(path);
    }
    let to = path.with_extension(format!("{PLAIN}.{ZSTD}"));
    let beside = path.with_extension("tmp");
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    let mut encoder = zstd::stream::write::Encoder::new(file, LEVEL)?;
    encoder.include_checksum(true)?;
    let copied = io::copy(&mut from, &mut encoder).and_then(|_| encoder.finish()?.sync_all());
    if let Err(error) = copied {
        let _ = fs::remove_file(&beside);
        return Err(error);
    }
    fs::File::open(&beside)?.set_modified(from.metadata()?.modified()?)?;
    fs::rename(&beside, &to)?;
    fs::remove_file(path)
}
