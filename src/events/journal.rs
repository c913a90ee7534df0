//! The newest events, numbered, for those who come back.

use std::collections::VecDeque;
use std::sync::Arc;

use tollgate_engine::time::WallTime;

use super::event::Event;
use super::id::EventId;

/// How many events are kept unless the operator says otherwise (design 3.5).
pub const KEPT: usize = 10_000;

/// An event that has its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its name.
    pub id: EventId,
    /// When it happened.
    pub time: WallTime,
    /// What happened.
    pub event: Event,
    /// How many like it were left out since the last one.
    pub repeated: u64,
}

/// The newest events, in order.
#[derive(Debug)]
pub(super) struct Journal {
    newest: EventId,
    kept: VecDeque<Arc<Recorded>>,
    most: usize,
}

/// An id after which this journal cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// It is of another run of the process, or of another process.
    #[error("`{after}` is an event of another run of this server; start again without `after_event_id`")]
    OtherRun {
        /// What was asked for.
        after: EventId,
    },
    /// Some events after it are gone.
    #[error(
        "the events right after `{after}` are not kept any longer, the oldest is `{oldest}`; \
         start again without `after_event_id`"
    )]
    TooOld {
        /// What was asked for.
        after: EventId,
        /// What there is.
        oldest: EventId,
    },
    /// It has not happened.
    #[error("`{after}` has not happened yet; start again without `after_event_id`")]
    Ahead {
        /// What was asked for.
        after: EventId,
    },
}

impl Journal {
    /// One for this run, which keeps so many.
    pub(super) fn new(run: u64, most: usize) -> Self {
        Self { newest: EventId { run, number: 0 }, kept: VecDeque::new(), most: most.max(1) }
    }

    /// The name of the newest event; of the place before the first when there is none.
    pub(super) const fn newest(&self) -> EventId {
        self.newest
    }

    /// Numbers and keeps an event.
    pub(super) fn record(&mut self, event: Event, time: WallTime, repeated: u64) -> Arc<Recorded> {
        self.newest.number = self.newest.number.saturating_add(1);
        let recorded = Arc::new(Recorded { id: self.newest, time, event, repeated });
        if self.kept.len() >= self.most {
            self.kept.pop_front();
        }
        self.kept.push_back(Arc::clone(&recorded));
        recorded
    }

    /// All events after this one, if none of them is gone.
    pub(super) fn after(&self, after: EventId) -> Result<impl Iterator<Item = &Arc<Recorded>>, NotKept> {
        if after.run != self.newest.run {
            return Err(NotKept::OtherRun { after });
        }
        if after > self.newest {
            return Err(NotKept::Ahead { after });
        }
        if let Some(oldest) = self.kept.front().map(|oldest| oldest.id)
            && after < oldest.before()
        {
            return Err(NotKept::TooOld { after, oldest });
        }
        let from = self.kept.partition_point(|recorded| recorded.id <= after);
        Ok(self.kept.range(from..))
    }
}
