//! The log at a collector: lines are gathered to batches, which wait in a bounded spool until a thread of
//! its own has sent them.
//!
//! A batch is sent at least once, and the same batch always under the same name. What the spool has no
//! room for is not taken, so that it waits in the rings, where the policy for full rings holds.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use uuid::Uuid;

use super::files::{hold, trouble};
use super::sender::Sender;
use super::spool::{Content, Parcel, Spool, adopt};
use super::{Batch, Sink, Trouble};
use crate::clock::Clock;
use crate::decision_log::options::Collector;

/// Sends lines to a collector.
#[derive(Debug)]
pub struct CollectorSink {
    options: Collector,
    clock: Clock,
    boot: Uuid,
    number: u64,
    open: Option<Open>,
    spool: Arc<Spool>,
    /// Failures that were told.
    told: u64,
    thread: Option<JoinHandle<()>>,
    /// Nobody else writes to the buffer while this is there.
    _held: Option<File>,
}

/// A batch that is not complete.
#[derive(Debug)]
struct Open {
    name: String,
    room: Room,
    bytes: u64,
    records: u64,
    began: u64,
    /// When its oldest record was brought.
    oldest: u64,
}

#[derive(Debug)]
enum Room {
    Memory(Vec<u8>),
    Disk(File, PathBuf),
}

/// A step of waiting for the last batches.
const STEP: Duration = Duration::from_millis(10);

impl CollectorSink {
    /// Takes up what an earlier run has left to be sent, and begins to send.
    ///
    /// # Errors
    /// The buffer cannot be written, or a certificate cannot be read.
    pub fn open(options: Collector, clock: Clock, boot: Uuid, gives_up: bool) -> anyhow::Result<Self> {
        let spool = Arc::new(Spool::default());
        let mut held = None;
        if let Some(dir) = &options.buffer_dir {
            let cannot = || format!("{}: the decision log cannot be buffered there", dir.display());
            DirBuilder::new().recursive(true).mode(0o700).create(dir).with_context(cannot)?;
            held = Some(hold(dir)?);
            let left = adopt(dir, clock.moment().nanos()).with_context(cannot)?;
            left.into_iter().for_each(|parcel| spool.put(parcel));
        }
        let sender = Sender::new(&options, Arc::clone(&spool), clock.clone(), gives_up)?;
        let thread = std::thread::Builder::new().name("log-collector".into());
        let thread = Some(thread.spawn(move || sender.run())?);
        Ok(Self { options, clock, boot, number: 0, open: None, spool, told: 0, thread, _held: held })
    }

    fn begin(&mut self, oldest: u64) -> Result<Open, Trouble> {
        self.number += 1;
        let millis = self.clock.wall().nanos().max(0) / 1_000_000;
        let boot: String = self.boot.simple().to_string().chars().skip(24).collect();
        let name = format!("batch-{millis:014}-{boot}-{:08}", self.number);
        let room = match &self.options.buffer_dir {
            None => Room::Memory(Vec::new()),
            Some(dir) => {
                let path = dir.join(format!("{name}.part"));
                let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(&path);
                Room::Disk(file.map_err(|error| trouble(&path, error))?, path)
            }
        };
        let began = self.clock.moment().nanos();
        let oldest = if oldest == 0 { began } else { oldest };
        Ok(Open { name, room, bytes: 0, records: 0, began, oldest })
    }

    fn close(&mut self) -> Result<(), Trouble> {
        let Some(open) = self.open.take_if(|open| open.bytes > 0) else { return Ok(()) };
        let content = match open.room {
            Room::Memory(lines) => Content::Memory(lines.into()),
            Room::Disk(file, path) => {
                let whole = path.with_extension("jsonl");
                if let Err(error) = std::fs::rename(&path, &whole) {
                    let told = trouble(&path, error);
                    if path.exists() {
                        self.open = Some(Open { room: Room::Disk(file, path), ..open });
                    } else {
                        // Somebody has taken it away.
                        self.spool.lose(open.records);
                    }
                    return Err(told);
                }
                Content::File(whole)
            }
        };
        let (name, bytes, records, oldest) = (open.name, open.bytes, open.records, open.oldest);
        self.spool.put(Parcel { name, bytes, records, oldest, content });
        Ok(())
    }

    fn is_due(&self) -> bool {
        let every = u64::try_from(self.options.batch_after.as_nanos()).unwrap_or(u64::MAX);
        let now = self.clock.moment().nanos();
        self.open.as_ref().is_some_and(|open| {
            open.bytes >= self.options.batch_bytes || now.saturating_sub(open.began) >= every
        })
    }

    fn open_bytes(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.bytes)
    }
}

impl Sink for CollectorSink {
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Trouble> {
        let waiting = self.spool.bytes() + self.open_bytes();
        if waiting > 0 && waiting + batch.lines.len() as u64 > self.options.buffer_bytes {
            // It may be all that waits, and it is sent only when it is complete.
            self.close()?;
            let why = self.spool.trouble().unwrap_or_else(|| "it is slower than what comes".to_owned());
            return Err(Trouble::Full { waiting, why });
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(batch.oldest)?,
        };
        let written = open.write(batch.lines);
        open.records += if written.is_ok() { batch.records } else { 0 };
        self.open = Some(open);
        written
    }

    fn tend(&mut self) -> Result<bool, Trouble> {
        if self.is_due() {
            self.close()?;
        }
        let failures = self.spool.failures();
        match self.spool.trouble() {
            Some(why) if failures > self.told => {
                let more = failures - self.told;
                self.told = failures;
                Err(Trouble::Collector { why, times: more })
            }
            Some(_) => Ok(false),
            None => Ok(true),
        }
    }

    fn backlog(&self) -> (u64, Option<u64>) {
        let oldest = self.spool.oldest().or_else(|| self.open.as_ref().map(|open| open.oldest));
        (self.spool.bytes() + self.open_bytes(), oldest)
    }

    fn arrived(&mut self, _: u64) -> u64 {
        self.spool.take_arrived()
    }

    fn given_up(&mut self) -> u64 {
        self.spool.take_given_up()
    }

    fn hasten(&mut self) {
        self.spool.hasten();
    }

    fn finish(&mut self, ends: u64) -> u64 {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the last batch of the decision log stays where it is");
        }
        self.spool.end();
        let is_over = |thread: &JoinHandle<()>| thread.is_finished();
        while !self.thread.as_ref().is_none_or(is_over) && self.clock.monotonic() < ends {
            std::thread::sleep(STEP);
        }
        self.spool.left_in_memory()
    }
}

impl Open {
    fn write(&mut self, lines: &[u8]) -> Result<(), Trouble> {
        match &mut self.room {
            Room::Memory(room) => room.extend_from_slice(lines),
            Room::Disk(file, path) => {
                if let Err(error) = file.write_all(lines) {
                    let told = trouble(path, error);
                    // Half a line would be joined to the next.
                    file.set_len(self.bytes).map_err(|error| trouble(path, error))?;
                    return Err(told);
                }
            }
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

/// What is there of a file, up to the end of its last whole line.
pub(super) fn cut_torn(path: &Path) -> io::Result<u64> {
    let bytes = std::fs::read(path)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end as u64 + 1);
    OpenOptions::new().write(true).open(path)?.set_len(whole)?;
    Ok(whole)
}
