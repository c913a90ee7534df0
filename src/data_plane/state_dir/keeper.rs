//! The thread that writes the state: at an interval, and once more at the end.
//!
//! It is never waited for but at the end. A disk that fails or hangs makes the state old and
//! nothing slower.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use super::format::Writer;
use super::{Health, STATE, StateDir};
use crate::clock::Clock;
use crate::data_plane::lock;

/// What is written.
pub(in crate::data_plane) trait Contents: Send + Sync + 'static {
    /// Whether what was kept has not been taken over yet, and nothing is to be added to it: the file
    /// stays as it is until then.
    fn is_waiting(&self) -> bool;

    /// Puts all of it into a file.
    fn save(&self, file: &mut Writer<'_>) -> io::Result<()>;
}

/// Writes the state for as long as it is not closed or dropped.
#[derive(Debug)]
pub(in crate::data_plane) struct Keeper {
    closing: Option<Sender<Sender<bool>>>,
    thread: Option<JoinHandle<()>>,
}

/// The shortest interval: below it the disk would do nothing else.
const LEAST: Duration = Duration::from_millis(10);
/// The end of the process waits so long for a disk: a million open decisions take some seconds.
const PATIENCE: Duration = Duration::from_secs(20);

impl Keeper {
    /// Starts the thread.
    pub(in crate::data_plane) fn start<C: Contents>(
        dir: Arc<StateDir>,
        contents: Weak<C>,
        health: Arc<Mutex<Health>>,
        clock: Clock,
        every: Duration,
    ) -> io::Result<Self> {
        let (closing, closed) = mpsc::channel();
        let writing = Writing { dir, contents, health, clock };
        let thread = std::thread::Builder::new().name("state".to_owned());
        let thread = thread.spawn(move || writing.run(&closed, every.max(LEAST)))?;
        Ok(Self { closing: Some(closing), thread: Some(thread) })
    }

    /// Writes a last time and ends; whether all of the state is on the disk.
    pub(in crate::data_plane) fn close(mut self) -> bool {
        let (done, written) = mpsc::channel();
        let asked = self.closing.take().is_some_and(|closing| closing.send(done).is_ok());
        let written = asked.then(|| written.recv_timeout(PATIENCE));
        match written {
            Some(Err(RecvTimeoutError::Timeout)) => {
                tracing::error!("the state could not be written in time; ending all the same");
                self.thread = None;
                false
            }
            written => matches!(written, Some(Ok(true))),
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.closing = None;
        // Nobody else may use the directory while the thread could still write into it. It may be
        // the last that holds what it writes, and then it is the thread itself that drops this.
        let other = |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(other) {
            let _ = thread.join();
        }
    }
}

struct Writing<C> {
    dir: Arc<StateDir>,
    contents: Weak<C>,
    health: Arc<Mutex<Health>>,
    clock: Clock,
}

impl<C: Contents> Writing<C> {
    fn run(self, closed: &Receiver<Sender<bool>>, every: Duration) {
        let mut rest = every;
        loop {
            match closed.recv_timeout(rest) {
                Err(RecvTimeoutError::Timeout) => {
                    let begun = self.clock.monotonic();
                    if self.write().is_none() {
                        return;
                    }
                    let took = Duration::from_nanos(self.clock.monotonic().saturating_sub(begun));
                    rest = rest_after(every, took);
                }
                Ok(done) => {
                    let _ = done.send(self.write() == Some(true));
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Writes once; whether it is on the disk. `None`: nobody has anything to write any more.
    fn write(&self) -> Option<bool> {
        let contents = self.contents.upgrade()?;
        if contents.is_waiting() {
            return Some(true);
        }
        let (begun, wall) = (self.clock.monotonic(), self.clock.wall());
        let result = self.dir.replace(STATE, |out| {
            let mut file = Writer::new(out)?;
            contents.save(&mut file)?;
            file.finish()
        });
        lock(&self.health).wrote(&result, begun, wall);
        Some(result.is_ok())
    }
}

/// How long to rest after a write, so that what is on the disk is never older than the interval
/// when the next is done, and a write that takes long leaves the machine half of the time.
fn rest_after(every: Duration, took: Duration) -> Duration {
    every.saturating_sub(took.saturating_mul(2)).max(took)
}

#[cfg(test)]
mod tests;
