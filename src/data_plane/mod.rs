//! Decides, from whatever bundle was installed last, and never waits for a disk or a network.
//!
//! Serving threads read a snapshot that is swapped whole ([`snapshot`]); reading and compiling a
//! bundle ([`install`]) happens on the thread that offers it. A failure leaves the last good one.

mod account;
pub mod answer;
mod approval;
pub mod approvals;
mod authorize;
mod batch;
pub mod budget;
mod explain;
mod guarding;
mod happened;
pub mod install;
mod local;
mod logged;
mod mark;
pub mod operate;
mod pulse;
mod record;
pub mod refusal;
pub mod report;
mod restart;
pub mod retry;
pub mod snapshot;
pub mod span;
mod state_dir;
pub mod status;
pub mod stops;
mod sweep;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tollgate_engine::guardrail::ledger::SHARDS;
use tollgate_engine::guardrail::open::OpenTable;
use tollgate_engine::guardrail::sweep::Sweeper;
use tollgate_engine::guardrail::{At, Live};
use tollgate_engine::read::Bounds;
use tollgate_engine::sign::Approvers;
use uuid::Uuid;

pub use answer::{Answer, Arm, BundleRef, OpenApproval};
pub use approvals::Approvals;
pub use batch::Item;
pub use budget::BudgetAnswer;
pub use install::{Offer, Outcome};
pub use refusal::Refusal;
pub use report::Reported;
pub use retry::RetryAnswer;
pub use snapshot::State;
pub use state_dir::{Restored, StateFile};
pub use status::Status;

use crate::clock::{self, Clock};
use crate::config::value::OnBadState;
use crate::decision_log::{self, Log};
use crate::events::{self, Hub};
use crate::telemetry::decisions::Decisions;
use crate::telemetry::metrics;
use crate::telemetry::outcomes::Outcomes;
use crate::telemetry::recent::Recent;
use mark::Mark;
use pulse::Pulses;
use report::Kept;
use restart::Restart;
use snapshot::Snapshot;
use stops::Board;

/// A serving thread says something about every second; one that was silent for so long is stuck.
const SILENCE: Duration = Duration::from_secs(10);

/// What a data plane is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The environment of requests that name none.
    pub environment: String,
    /// Where the last good bundle and the state of guardrails are kept over a restart.
    pub state_dir: Option<PathBuf>,
    /// How often the state is written.
    pub state_interval: Duration,
    /// What to do about a state file that cannot be read.
    pub on_bad_state: OnBadState,
    /// The bounds on a bundle.
    pub bounds: Bounds,
    /// At most so many sets of labels of the decision counter.
    pub metrics_max_series: usize,
    /// So many events are kept for subscribers that come back.
    pub events_kept: usize,
    /// At most so many decisions are remembered until their report comes.
    pub max_open_decisions: usize,
    /// Whose signatures on grants count.
    pub approvers: Approvers,
    /// At most so many approvals may be open.
    pub max_open_approvals: usize,
    /// Where what is decided is recorded; `None`: nowhere.
    pub decision_log: Option<decision_log::Options>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            environment: "default".to_owned(),
            state_dir: None,
            state_interval: Duration::from_secs(1),
            on_bad_state: OnBadState::default(),
            bounds: Bounds::default(),
            metrics_max_series: 2_000,
            events_kept: events::KEPT,
            max_open_decisions: 1_000_000,
            approvers: Approvers::default(),
            max_open_approvals: 1_000,
            decision_log: None,
        }
    }
}

/// The decision point without its edges.
#[derive(Debug)]
pub struct DataPlane {
    /// Tells the data planes of one process apart, for what threads keep.
    id: u64,
    options: Options,
    clock: Clock,
    snapshot: Arc<ArcSwap<Snapshot>>,
    decisions: Arc<Decisions>,
    /// Held while a bundle is read and compiled, so that offers are taken in turn.
    installing: Mutex<()>,
    book: Mutex<status::Book>,
    /// Bundles that were replaced. They are freed here and not on the serving thread that
    /// happens to look away from them last.
    retired: Mutex<Vec<Arc<snapshot::Serving>>>,
    ready: watch::Sender<bool>,
    /// What outlives the process; `None`: nothing does.
    restart: Option<Restart>,
    instance: Uuid,
    events: Hub,
    /// The state of all guardrails.
    live: Live,
    /// Decisions that took something which their report settles.
    open: OpenTable<Kept>,
    /// Tells the ids of decisions that were allowed and took nothing.
    mark: Mark,
    sweeper: Mutex<Sweeper>,
    /// What operators have stopped.
    stops: Board,
    outcomes: Outcomes,
    /// What was counted a while ago.
    recent: Recent,
    pulses: Pulses,
    approvals: Approvals,
    log: Option<Log>,
    /// Whether it was told that the log cannot be written.
    log_failing: AtomicBool,
}

impl DataPlane {
    /// A data plane without a bundle, or with the last good one of the state directory.
    ///
    /// Reads the state directory and compiles what is in it: not for a serving thread.
    ///
    /// # Errors
    /// When the state directory cannot be made or read, or is used by another process, when its state
    /// cannot be read and the options say to refuse it, when the decision log cannot be written, or when
    /// a thread cannot be started.
    pub fn new(mut options: Options, clock: Clock) -> anyhow::Result<Arc<Self>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let restart =
            options.state_dir.as_deref().map(|dir| Restart::open(dir, &options, &clock)).transpose()?;
        let kept = restart.as_ref().and_then(Restart::take_instance);
        let mark = restart.as_ref().and_then(Restart::mark);
        let instance = kept.unwrap_or_else(|| clock.secret_id(clock.wall()));
        let log = options.decision_log.take();
        let log = log.map(|options| Log::start(options, instance, &clock)).transpose()?;
        let approvals = Approvals::new(instance, options.approvers.clone(), options.max_open_approvals);
        if let Some(saved) = restart.as_ref().and_then(Restart::approvals) {
            approvals.import(&saved);
        }
        let plane = Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            instance,
            approvals,
            snapshot: Arc::new(ArcSwap::from_pointee(Snapshot::empty())),
            decisions: Arc::new(Decisions::new(options.metrics_max_series)),
            installing: Mutex::default(),
            book: Mutex::default(),
            retired: Mutex::default(),
            ready: watch::Sender::new(false),
            restart,
            events: Hub::start(options.events_kept, clock.clone())?,
            live: Live::new(SHARDS, clock::any_seed()),
            open: OpenTable::new(options.max_open_decisions, clock::any_seed()),
            mark: Mark::new(mark.unwrap_or_else(clock::any_seed)),
            sweeper: Mutex::default(),
            stops: Board::default(),
            outcomes: Outcomes::default(),
            log,
            log_failing: AtomicBool::new(false),
            recent: Recent::since(clock.monotonic()),
            pulses: Pulses::default(),
            options,
            clock,
        });
        let weak: Weak<Self> = Arc::downgrade(&plane);
        metrics::ask_at_scrape(weak);
        // Before any bundle serves, so that nothing slips through.
        plane.import_stops(plane.restart.iter().flat_map(Restart::stops));
        plane.restore();
        if let Some(restart) = &plane.restart {
            restart.start(&plane, plane.options.state_interval)?;
        }
        Ok(plane)
    }

    /// Whether a bundle serves.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        *self.ready.borrow()
    }

    /// Follows whether a bundle serves.
    #[must_use]
    pub fn watch_ready(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// The bounds on a bundle.
    #[must_use]
    pub const fn bounds(&self) -> &Bounds {
        &self.options.bounds
    }

    /// What time it is, by both clocks.
    fn at(&self) -> At {
        At { now: self.clock.moment(), wall: self.clock.wall() }
    }

    /// The clock that decisions are taken by.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What people are asked, and what they answered.
    #[must_use]
    pub const fn approvals(&self) -> &Approvals {
        &self.approvals
    }

    /// How long a serving thread has said nothing, if that is so long that it must be stuck.
    #[must_use]
    pub fn stuck(&self) -> Option<Duration> {
        self.pulses.longest_silence(self.clock.monotonic()).filter(|silence| *silence >= SILENCE)
    }

    /// Call it once, after the last decision: what must survive a clean end is written.
    pub fn close(&self) {
        if let Some(restart) = &self.restart {
            restart.close(self.instance);
        }
        if let Some(log) = &self.log {
            log.close();
        }
    }
}

/// A panic elsewhere leaves what these locks hold in order, so it is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
