//! The log in files: one that grows, and those that were rotated.
//!
//! A file has its name from the start and never changes it, so that who follows it can go on reading;
//! rotating begins the next one. Its name says when it was begun, by which run of the process, and
//! the how-manieth of it that it is.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use uuid::Uuid;

use super::rotated::Rotated;
use super::{Batch, Sink, Trouble};
use crate::clock::Clock;
use crate::config::decision_log::Fsync;
use crate::decision_log::options::Files;

/// Writes lines to files.
#[derive(Debug)]
pub struct FileSink {
    options: Files,
    clock: Clock,
    boot: Uuid,
    number: u64,
    open: Option<Open>,
    rotated: Rotated,
    /// The file is to be rotated with the next lines.
    due: bool,
    /// The directory: nobody else writes there while this is there.
    held: File,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    /// Whole lines, in bytes.
    length: u64,
    began: u64,
    /// When what was written last is to be flushed.
    unflushed: Option<u64>,
}

impl FileSink {
    /// Makes the directory where it is missing, and begins a file.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn open(options: Files, clock: Clock, boot: Uuid) -> anyhow::Result<Self> {
        let dir = options.dir.clone();
        let cannot = || format!("{}: the decision log cannot be written there", dir.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).with_context(cannot)?;
        let held = hold(&dir)?;
        let rotated = Rotated::start(&options).with_context(cannot)?;
        let mut sink = Self { options, clock, boot, number: 0, open: None, rotated, due: false, held };
        sink.begin().with_context(cannot)?;
        Ok(sink)
    }

    fn begin(&mut self) -> io::Result<()> {
        let path = self.options.dir.join(self.name());
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path)?;
        if self.options.fsync == Fsync::Always {
            // Else a power cut may take the whole file.
            self.held.sync_all()?;
        }
        self.number += 1;
        self.due = false;
        self.rotated.writing(Some(&path));
        let began = self.clock.monotonic();
        self.open = Some(Open { file, path, length: 0, began, unflushed: None });
        Ok(())
    }

    /// `decisions-20261121T142233123Z-0192f3aa-000001.jsonl`
    fn name(&self) -> String {
        let time = jiff::Timestamp::from(self.clock.wall()).strftime("%Y%m%dT%H%M%S%3fZ").to_string();
        let boot: String = self.boot.simple().to_string().chars().skip(24).collect();
        format!("decisions-{time}-{boot}-{:06}.jsonl", self.number + 1)
    }

    fn is_due(&self) -> bool {
        let age = std::time::Duration::from_nanos;
        self.open.as_ref().is_none_or(|open| {
            let old = age(self.clock.monotonic().saturating_sub(open.began)) >= self.options.rotate_after;
            let full = open.length >= self.options.rotate_bytes;
            open.length > 0 && (self.due || old || full || !open.path.exists())
        })
    }

    fn ready(&mut self) -> Result<(), Trouble> {
        if self.is_due() {
            self.close()?;
            self.begin().map_err(|error| trouble(&self.options.dir, error))?;
        }
        Ok(())
    }

    /// The file that grows becomes one that was rotated.
    fn close(&mut self) -> Result<(), Trouble> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if self.options.fsync != Fsync::Never {
            open.file.sync_data().map_err(|error| trouble(&open.path, error))?;
        }
        if let Some(open) = self.open.take() {
            self.rotated.writing(None);
            self.rotated.add(open.path);
        }
        Ok(())
    }
}

impl Sink for FileSink {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Trouble> {
        self.ready()?;
        let now = self.clock.monotonic();
        let Some(open) = &mut self.open else {
            return Err(trouble(&self.options.dir, io::ErrorKind::NotFound.into()));
        };
        if let Err(error) = open.file.write_all(batch.lines) {
            let told = trouble(&open.path, error);
            // What was written of the lines would stand in the middle of the file.
            if open.file.set_len(open.length).is_err() {
                self.due = true;
            }
            return Err(told);
        }
        let before = open.length;
        open.length += batch.lines.len() as u64;
        match self.options.fsync {
            Fsync::Never => {}
            Fsync::Interval => {
                let every = u64::try_from(self.options.fsync_every.as_nanos()).unwrap_or(u64::MAX);
                open.unflushed.get_or_insert(now.saturating_add(every));
            }
            Fsync::Always => {
                if let Err(error) = open.file.sync_data() {
                    let told = trouble(&open.path, error);
                    // They are brought again.
                    self.due |= open.file.set_len(before).is_err();
                    open.length = before;
                    return Err(told);
                }
            }
        }
        Ok(())
    }

    fn tend(&mut self) -> Result<bool, Trouble> {
        let now = self.clock.monotonic();
        if let Some(open) = &mut self.open
            && open.unflushed.is_some_and(|due| due <= now)
        {
            open.file.sync_data().map_err(|error| trouble(&open.path, error))?;
            open.unflushed = None;
        }
        if self.open.as_ref().is_some_and(|open| open.length > 0) {
            self.ready()?;
        }
        Ok(true)
    }

    fn rotate(&mut self) {
        self.due = true;
    }

    fn finish(&mut self, _: u64) -> u64 {
        if let Some(open) = &self.open
            && let Err(error) = open.file.sync_data()
        {
            let path = open.path.display().to_string();
            tracing::error!(path, %error, "the decision log could not be flushed at the end");
        }
        self.rotated.finish();
        0
    }
}

/// Takes a directory until the handle is dropped, or until the process ends in whatever way. A second
/// process would compress and delete what this one writes.
pub(super) fn hold(dir: &Path) -> anyhow::Result<File> {
    let shown = dir.display();
    let handle = File::open(dir).with_context(|| format!("{shown}: the directory cannot be opened"))?;
    // A file system without locks cannot tell.
    if let Err(TryLockError::WouldBlock) = handle.try_lock() {
        bail!("{shown}: another process writes its decision log there; give each a directory of its own");
    }
    Ok(handle)
}

pub(super) fn trouble(path: &Path, error: io::Error) -> Trouble {
    Trouble::File { path: path.display().to_string(), error }
}

/// Keeps the text of a bundle beside the log that names its digest, once.
///
/// # Errors
/// It cannot be written.
pub fn keep_bundle(dir: &Path, digest: &str, content: &serde_json::Value) -> anyhow::Result<()> {
    let folder = dir.join(BUNDLES);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let path = folder.join(format!("{}.json", digest.replace(':', "-")));
    // Also one that is there: it is of use again, so that it is not the oldest.
    let beside = path.with_extension("tmp");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    // Not through a buffer that is dropped, which would hide that the disk is full.
    file.write_all(&serde_json::to_vec(content)?)?;
    Ok(fs::rename(&beside, &path)?)
}

/// The folder of bundles in the folder of the log.
pub const BUNDLES: &str = "bundles";
