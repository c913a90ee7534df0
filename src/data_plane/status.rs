//! What the data plane says about itself, to `GET /status` and `tollgate status`.

use serde::Serialize;

use super::snapshot::{Serving, Snapshot, State};
use super::{DataPlane, Refusal, StateFile, lock};

/// The state of the data plane.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// Whether decisions can be had, and from what.
    pub state: State,
    /// Whether a bundle serves.
    pub ready: bool,
    /// Whether newer content exists that could not be used.
    pub stale: bool,
    /// The environment of requests that name none.
    pub environment: String,
    /// Who answers: kept over a clean restart where there is a state directory.
    pub instance: String,
    /// The version of this program.
    pub engine: &'static str,
    /// The bundle that serves.
    pub bundle: Option<BundleStatus>,
    /// Why the newest content is not in force; gone as soon as good content comes.
    pub last_error: Option<LastError>,
    /// What the sources offered since the start.
    pub updates: Updates,
    /// Decisions since the start.
    pub decisions: u64,
    /// The file that guardrails outlive the process in; `None` without a state directory.
    pub state_file: Option<StateFile>,
    /// Allowed actions whose report is awaited.
    pub open_decisions: usize,
}

/// The bundle that serves.
#[derive(Clone, Debug, Serialize)]
pub struct BundleStatus {
    /// Its semantic version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// The arm that it serves.
    pub arm: &'static str,
    /// Where it came from.
    pub source: String,
    /// When it was put in force, in RFC 3339.
    pub loaded_at: String,
    /// How long ago that was.
    pub age_seconds: f64,
    /// How many rules it has.
    pub rules: usize,
    /// How many guardrails it has.
    pub guardrails: usize,
}

/// Why content was refused.
#[derive(Clone, Debug, Serialize)]
pub struct LastError {
    /// When, in RFC 3339.
    pub at: String,
    /// What was wrong with what.
    #[serde(flatten)]
    pub refusal: Refusal,
}

/// Counts of what the sources offered.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Updates {
    /// Put in force.
    pub applied: u64,
    /// The same as before.
    pub unchanged: u64,
    /// Refused.
    pub rejected: u64,
}

/// What is remembered about updates.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub updates: Updates,
    pub last_error: Option<LastError>,
}

impl DataPlane {
    /// What the data plane says about itself.
    #[must_use]
    pub fn status(&self) -> Status {
        let snapshot = self.snapshot.load_full();
        let book = lock(&self.book);
        let (updates, last_error) = (book.updates, book.last_error.clone());
        drop(book);
        Status {
            state: snapshot.state,
            ready: snapshot.serving.is_some(),
            stale: snapshot.state == State::ReadyLkg,
            environment: self.options.environment.clone(),
            instance: self.instance.to_string(),
            engine: env!("CARGO_PKG_VERSION"),
            bundle: self.bundle_status(&snapshot),
            last_error,
            updates,
            decisions: self.decisions.sums().count(),
            state_file: self.restart.as_ref().map(|restart| restart.status(self.clock.monotonic())),
            open_decisions: self.open.len(),
        }
    }

    fn bundle_status(&self, snapshot: &Snapshot) -> Option<BundleStatus> {
        let serving = snapshot.serving.as_ref()?;
        let document = serving.compiled.source();
        Some(BundleStatus {
            version: serving.version.clone(),
            digest: serving.digest.clone(),
            arm: snapshot.arm().name(),
            source: serving.source.clone(),
            loaded_at: jiff::Timestamp::from(serving.loaded_at).to_string(),
            age_seconds: self.age_seconds(serving),
            rules: document.rules.len(),
            guardrails: document.guardrails.iter().filter(|one| !one.name.value.is_internal()).count(),
        })
    }

    pub(super) fn age_seconds(&self, serving: &Serving) -> f64 {
        let nanos = self.clock.monotonic().saturating_sub(serving.loaded_at_monotonic);
        std::time::Duration::from_nanos(nanos).as_secs_f64()
    }
}
