//! What became of the state file, for the status, the metrics and the log.

use metrics::{counter, gauge};
use serde::Serialize;
use tollgate_engine::time::WallTime;

use super::kept::Restored;
use crate::telemetry::metrics::{STATE_BYTES, STATE_WRITES};

/// The state file as the status shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StateFile {
    /// When the newest one was written, in RFC 3339; none yet in this process.
    pub written_at: Option<String>,
    /// How long ago that was, or the start: what a kill would lose.
    pub age_seconds: f64,
    /// How many bytes it has.
    pub bytes: u64,
    /// How often it was written since the start.
    pub writes: u64,
    /// How often that failed.
    pub failures: u64,
    /// Why it cannot be written at the moment.
    pub error: Option<String>,
    /// What the process before left, as far as it went on.
    pub restored: Option<Restored>,
    /// The name of the file that could not be read at the start.
    pub set_aside: Option<String>,
}

/// What is remembered about writing.
#[derive(Debug, Default)]
pub(in crate::data_plane) struct Health {
    shown: StateFile,
    /// When the newest file was begun, or the process, by the clock that never goes back.
    since: u64,
}

impl Health {
    /// Nothing was written yet.
    pub(in crate::data_plane) fn new(set_aside: Option<String>, now: u64) -> Self {
        Self { shown: StateFile { set_aside, ..StateFile::default() }, since: now }
    }

    /// Notes what was put back.
    pub(in crate::data_plane) fn restored(&mut self, restored: Restored) {
        self.shown.restored = Some(restored);
    }

    /// Notes what became of a write. The log hears of a change alone: a disk that fails does so
    /// every second.
    pub(super) fn wrote(&mut self, result: &std::io::Result<u64>, begun: u64, wall: WallTime) {
        let shown = &mut self.shown;
        match result {
            Ok(bytes) => {
                counter!(STATE_WRITES, "result" => "written").increment(1);
                #[expect(clippy::cast_precision_loss, reason = "of petabytes")]
                gauge!(STATE_BYTES).set(*bytes as f64);
                shown.writes += 1;
                shown.bytes = *bytes;
                shown.written_at = Some(jiff::Timestamp::from(wall).to_string());
                self.since = begun;
                if shown.error.take().is_some() {
                    tracing::info!("the state is written again");
                }
            }
            Err(error) => {
                counter!(STATE_WRITES, "result" => "failed").increment(1);
                shown.failures += 1;
                if shown.error.replace(error.to_string()).is_none() {
                    tracing::error!(%error, "the state cannot be written: a restart now would lose newer charges");
                }
            }
        }
    }

    /// How old the newest file is, in seconds.
    pub(in crate::data_plane) fn age_seconds(&self, now: u64) -> f64 {
        std::time::Duration::from_nanos(now.saturating_sub(self.since)).as_secs_f64()
    }

    /// As the status shows it.
    pub(in crate::data_plane) fn show(&self, now: u64) -> StateFile {
        StateFile { age_seconds: self.age_seconds(now), ..self.shown.clone() }
    }
}
