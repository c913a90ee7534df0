//! What each serving thread keeps for itself between decisions: its view of the snapshot, room
//! to work in, its counts, the refusals that it has to tell of, its pen. Nothing of it is shared, so
//! nothing of it is locked.

use std::cell::Cell;
use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use tollgate_engine::decide::Tools;

use super::DataPlane;
use super::snapshot::Snapshot;
use crate::clock;
use crate::decision_log::{Log, Pen};
use crate::events::Refusals;
use crate::telemetry::decisions::Tally;

/// The parts that one decision needs.
pub(super) struct Parts<'a> {
    pub snapshot: &'a Snapshot,
    pub tools: &'a mut Tools,
    pub tally: &'a mut Tally,
    pub refusals: &'a mut Refusals,
    pub pen: &'a mut Pen,
}

struct Local {
    plane: u64,
    cache: Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>,
    /// Where the snapshot lies that `tally` knows the labels of. The cache holds it, so that no
    /// other snapshot can lie there.
    counted: usize,
    tools: Tools,
    tally: Tally,
    refusals: Refusals,
    pen: Pen,
}

thread_local! {
    static LOCAL: Cell<Option<Box<Local>>> = const { Cell::new(None) };
}

/// Runs `work` with what this thread keeps for the data plane.
pub(super) fn with<R>(plane: &DataPlane, work: impl FnOnce(Parts<'_>) -> R) -> R {
    let mut borrowed = Borrowed(LOCAL.take().filter(|local| local.plane == plane.id));
    let local = borrowed.0.get_or_insert_with(|| Box::new(Local::new(plane)));
    work(local.parts())
}

/// Puts what it holds back when it is dropped, also by a panic.
struct Borrowed(Option<Box<Local>>);

impl Drop for Borrowed {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(local) = &mut self.0
        {
            local.tools.clear();
        }
        LOCAL.set(self.0.take());
    }
}

impl Local {
    fn new(plane: &DataPlane) -> Self {
        Self {
            plane: plane.id,
            cache: Cache::new(Arc::clone(&plane.snapshot)),
            counted: 0,
            tools: Tools::seeded(clock::any_seed()),
            tally: plane.decisions.tally(),
            refusals: Refusals::default(),
            pen: plane.log.as_ref().map_or_else(Pen::none, Log::pen),
        }
    }

    fn parts(&mut self) -> Parts<'_> {
        let snapshot: &Snapshot = self.cache.load();
        let at = std::ptr::from_ref(snapshot).addr();
        if at != self.counted {
            self.tally.forget();
            self.counted = at;
        }
        let Self { tools, tally, refusals, pen, .. } = self;
        Parts { snapshot, tools, tally, refusals, pen }
    }
}
