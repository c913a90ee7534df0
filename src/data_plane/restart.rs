//! Going on where the process before ended (design 2.2): what is written, and when it is put back.
//!
//! What was kept is put back when the first bundle comes, before that bundle serves anybody: the
//! last good one of the state directory, or else the first that a source gives. Until then the
//! file stays as it is, but for the stops that an operator sets and clears meanwhile. Guardrails that only the newer of the two names get theirs with it.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tollgate_engine::guardrail::open::OpenTable;
use tollgate_engine::guardrail::{At, Guards, Live};
use uuid::Uuid;

use super::approvals::SavedApprovals;
use super::report::Kept;
use super::state_dir::{
    Blocks, Contents, Head, Health, Keeper, KeptState, Section, StateDir, StateFile, Writer, guardrails,
};
use super::stops::SavedStop;
use super::{DataPlane, Options, lock};
use crate::clock::Clock;

/// What outlives this process, and what it found.
#[derive(Debug)]
pub(super) struct Restart {
    pub(super) dir: Arc<StateDir>,
    kept: Mutex<Option<KeptState>>,
    /// The file as it was found, until what it holds serves: from then on all is written anew.
    found: Mutex<Option<Arc<Blocks>>>,
    /// Set when the stops are others than the file's.
    stops_changed: AtomicBool,
    /// Set before the last writing.
    ends: AtomicBool,
    health: Arc<Mutex<Health>>,
    keeper: Mutex<Option<Keeper>>,
}

impl Restart {
    /// Takes the directory and reads what is in it.
    pub(super) fn open(path: &Path, options: &Options, clock: &Clock) -> anyhow::Result<Self> {
        let dir = StateDir::open(path)?;
        let (kept, set_aside) = dir.kept::<Kept>(options.on_bad_state, clock.wall())?;
        Ok(Self {
            dir: Arc::new(dir),
            found: Mutex::new(kept.as_ref().map(KeptState::blocks)),
            stops_changed: AtomicBool::new(false),
            ends: AtomicBool::new(false),
            kept: Mutex::new(kept),
            health: Arc::new(Mutex::new(Health::new(set_aside, clock.monotonic()))),
            keeper: Mutex::default(),
        })
    }

    /// The instance that ended cleanly, if it wrote the state as well: grants are bound to it, and
    /// those that were spent are in there.
    pub(super) fn take_instance(&self) -> Option<Uuid> {
        let instance = self.dir.take_instance()?;
        let writer = lock(&self.kept).as_ref().map(|kept| kept.head().instance);
        (writer == Some(instance.as_u128())).then_some(instance)
    }

    /// What people were asked, and what is left of their grants. Of use to the same instance only.
    pub(super) fn approvals(&self) -> Option<SavedApprovals> {
        lock(&self.kept).as_ref().map(KeptState::approvals)
    }

    /// What operators had stopped.
    pub(super) fn stops(&self) -> Vec<SavedStop> {
        lock(&self.kept).as_ref().map(KeptState::stops).unwrap_or_default()
    }

    /// By which ids of decisions that took nothing were known.
    pub(super) fn mark(&self) -> Option<u64> {
        lock(&self.kept).as_ref().map(|kept| kept.head().mark)
    }

    /// Puts back what belongs to guardrails that are about to serve.
    pub(super) fn put_back(&self, live: &Live, guards: &Guards, open: &OpenTable<Kept>, at: At) {
        let mut kept = lock(&self.kept);
        let Some(state) = kept.as_mut().filter(|state| state.is_waiting()) else { return };
        let is_first = state.is_untouched();
        let restored = state.apply(live, guards, open, at);
        if is_first {
            let head = state.head();
            let written = jiff::Timestamp::from(state.written()).to_string();
            let (instance, program) = (Uuid::from_u128(head.instance).to_string(), head.program.as_str());
            let (keys, keys_left_out) = (restored.keys, restored.keys_left_out);
            let (open, settled) = (restored.open_decisions, restored.settled_decisions);
            tracing::info!(
                written,
                instance,
                program,
                keys,
                keys_left_out,
                open,
                settled,
                "going on with the state that was kept"
            );
            lock(&self.health).restored(restored);
        } else if restored.keys > 0 {
            let keys = restored.keys;
            tracing::info!(keys, "going on with the state of guardrails that came with this bundle");
        }
        if !state.is_waiting() {
            *kept = None;
        }
    }

    /// What was kept serves now.
    pub(super) fn goes_on(&self) {
        *lock(&self.found) = None;
    }

    /// An operator has set or cleared a stop, which must be known after a restart.
    pub(super) fn stops_changed(&self) {
        self.stops_changed.store(true, Ordering::SeqCst);
    }

    /// A source has given its bundle: whatever it does not name is gone.
    pub(super) fn forget_the_rest(&self) {
        let mut kept = lock(&self.kept);
        if kept.as_ref().is_some_and(|state| !state.is_untouched()) {
            *kept = None;
        }
    }

    /// Starts writing.
    pub(super) fn start(&self, plane: &Arc<DataPlane>, every: Duration) -> io::Result<()> {
        let (dir, health) = (Arc::clone(&self.dir), Arc::clone(&self.health));
        let clock = plane.clock.clone();
        let keeper = Keeper::start(dir, Arc::downgrade(plane), health, clock, every)?;
        *lock(&self.keeper) = Some(keeper);
        Ok(())
    }

    /// Writes a last time. The instance lives on only with its state.
    pub(super) fn close(&self, instance: Uuid) {
        self.ends.store(true, Ordering::SeqCst);
        let keeper = lock(&self.keeper).take();
        if keeper.is_some_and(Keeper::close) {
            self.dir.keep_instance(instance);
        }
    }

    /// How old the newest file is.
    pub(super) fn age_seconds(&self, now: u64) -> f64 {
        lock(&self.health).age_seconds(now)
    }

    /// As the status shows it.
    pub(super) fn status(&self, now: u64) -> StateFile {
        lock(&self.health).show(now)
    }
}

impl Contents for DataPlane {
    fn is_waiting(&self) -> bool {
        self.restart.as_ref().is_none_or(|restart| {
            lock(&restart.found).is_some() && !restart.stops_changed.load(Ordering::SeqCst)
        })
    }

    fn save(&self, file: &mut Writer<'_>) -> io::Result<()> {
        let stops = self.export_stops();
        let found = self.restart.as_ref().and_then(|restart| lock(&restart.found).clone());
        if let Some(found) = found {
            // What waits for its guardrails goes on waiting, from when it was written.
            file.copy(&found, Section::Stops)?;
            return stops.iter().try_for_each(|one| file.record(Section::Stops, one));
        }
        let at = self.at();
        let head = Head {
            written: at.wall.nanos(),
            instance: self.instance.as_u128(),
            mark: self.mark.secret(),
            program: env!("CARGO_PKG_VERSION").to_owned(),
        };
        file.record(Section::Head, &head)?;
        guardrails(file, &self.live, &self.open, || Arc::clone(&self.snapshot.load().guards), at)?;
        stops.iter().try_for_each(|one| file.record(Section::Stops, one))?;
        // They end with the instance, so that after an unclean end nobody would read them.
        if self.restart.as_ref().is_some_and(|restart| restart.ends.load(Ordering::SeqCst)) {
            let saved = self.approvals.export();
            saved.approvals.iter().try_for_each(|one| file.record(Section::Approvals, one))?;
            saved.spent.iter().try_for_each(|one| file.record(Section::Spent, one))?;
        }
        Ok(())
    }
}
