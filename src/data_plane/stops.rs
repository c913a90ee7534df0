//! Emergency stops: set, listed, cleared and over (design 1.6, 4.4).
//!
//! Those in force stand in the snapshot, where deciding reads them; what people want to know of
//! them stands here. A stop ends by the clock that never goes back, so that nobody ends one by
//! setting the time; the time that a process was down counts as in all state.

use std::sync::{Arc, Mutex};

use metrics::counter;
use serde::{Deserialize, Serialize};
use tollgate_engine::decide::{Stop, StopEffect, Stops};
use tollgate_engine::guardrail::At;
use tollgate_engine::model::Finding;
use tollgate_engine::read;
use tollgate_engine::time::WallTime;
use tollgate_engine::unit::Span;
use uuid::Uuid;

use super::snapshot::Snapshot;
use super::{DataPlane, lock};
use crate::events::{self, Event, StopChange as Change};
use crate::telemetry::metrics::OPERATOR_ACTIONS;

/// At most so many at a time: each request is held against all of them.
pub const MOST_STOPS: usize = 1_000;
/// The shortest time to live.
pub const SHORTEST: Span = Span::from_nanos(1_000_000_000);
/// The longest: whoever wants something stopped for longer writes a rule.
pub const LONGEST: Span = Span::from_nanos(30 * 86_400 * 1_000_000_000);
/// The longest reason, and the longest name of who gives it, in bytes.
pub const TEXT_BYTES: usize = 256;

/// What an operator asks for.
#[derive(Clone, Copy, Debug)]
pub struct NewStop<'a> {
    /// What it is about, as a target is written.
    pub selector: &'a str,
    /// What it does.
    pub effect: StopEffect,
    /// Why.
    pub reason: &'a str,
    /// Who says so; may be empty.
    pub by: &'a str,
    /// After how long it ends.
    pub ttl: Span,
}

/// A stop as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopView {
    /// Its id.
    pub id: Uuid,
    /// What it is about, as it was written.
    pub selector: Box<str>,
    /// What it does.
    pub effect: StopEffect,
    /// Why.
    pub reason: Box<str>,
    /// Who said so; may be empty.
    pub by: Box<str>,
    /// When it was set.
    pub set_at: WallTime,
    /// When it ends by itself.
    pub expires_at: WallTime,
}

/// Why a stop was not set.
#[derive(Clone, Debug)]
pub enum NotSet {
    /// The selector cannot be read.
    Selector(Vec<Finding>),
    /// There are [`MOST_STOPS`].
    Full,
}

/// A stop on its way through a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedStop {
    /// Its id.
    pub id: u128,
    /// What it is about, as it was written.
    pub selector: String,
    /// Whether it denies; else it allows.
    pub denies: bool,
    /// Why.
    pub reason: String,
    /// Who said so; may be empty.
    pub by: String,
    /// When it was set, in nanoseconds since 1970.
    pub set_at: i64,
    /// When this was written, in nanoseconds since 1970.
    pub saved_at: i64,
    /// What was left of it then, in nanoseconds.
    pub left: u64,
}

/// The stops in force, in the order in which they were set.
#[derive(Debug, Default)]
pub(super) struct Board(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    view: StopView,
    stop: Arc<Stop>,
}

impl DataPlane {
    /// Sets a stop. It decides from the next request on.
    ///
    /// # Errors
    /// Its selector cannot be read, or there are too many.
    pub fn set_stop(&self, wanted: &NewStop<'_>) -> Result<StopView, NotSet> {
        let target = read::selector(wanted.selector).map_err(NotSet::Selector)?;
        let at = self.at();
        let ttl = wanted.ttl.max(SHORTEST).min(LONGEST);
        let stop = Stop::new(&target, wanted.effect, wanted.reason, at.now.after(ttl));
        let view = StopView {
            id: self.clock.secret_id(at.wall),
            selector: wanted.selector.into(),
            effect: wanted.effect,
            reason: wanted.reason.into(),
            by: wanted.by.into(),
            set_at: at.wall,
            expires_at: later(at.wall, ttl),
        };
        let mut entries = lock(&self.stops.0);
        if entries.len() >= MOST_STOPS {
            return Err(NotSet::Full);
        }
        // Before it decides anything.
        self.log_stop(Change::Set, &view, &view.by);
        entries.push(Entry { view: view.clone(), stop: Arc::new(stop) });
        self.put_in_force(&entries);
        drop(entries);
        self.stop_changed(Change::Set, &view, &view.by);
        Ok(view)
    }

    /// The stops in force, those that were set first before the others.
    #[must_use]
    pub fn list_stops(&self) -> Vec<StopView> {
        let at = self.at();
        let entries = lock(&self.stops.0);
        entries.iter().filter(|entry| entry.stop.ends() > at.now).map(|entry| entry.seen(at)).collect()
    }

    /// Ends the stop of this id, or all. Gives those that were in force.
    pub fn clear_stops(&self, only: Option<Uuid>, by: &str) -> Vec<StopView> {
        let cleared = self.end_stops(|entry, _| only.is_none_or(|id| entry.view.id == id));
        cleared.iter().for_each(|view| self.stop_changed(Change::Cleared, view, by));
        cleared
    }

    /// Takes away the stops whose time is over. What they were about is decided by the rules from
    /// the very moment on; this tells of it.
    pub(super) fn expire_stops(&self, snapshot: &Snapshot) {
        if snapshot.stops.is_empty() {
            return;
        }
        let expired = self.end_stops(|entry, at| entry.stop.ends() <= at.now);
        expired.iter().for_each(|view| self.stop_changed(Change::Expired, view, ""));
    }

    /// How many are in force.
    pub(super) fn count_stops(&self) -> usize {
        let now = self.clock.moment();
        lock(&self.stops.0).iter().filter(|entry| entry.stop.ends() > now).count()
    }

    /// All stops, for the file that outlives the process.
    #[must_use]
    pub fn export_stops(&self) -> Vec<SavedStop> {
        let at = self.at();
        lock(&self.stops.0).iter().map(|entry| entry.saved(at)).collect()
    }

    /// Puts stops in force that an earlier process had. Those whose time is over stay out, and so
    /// does one that this version cannot read, which it says.
    pub fn import_stops(&self, saved: impl IntoIterator<Item = SavedStop>) {
        let at = self.at();
        let mut entries = lock(&self.stops.0);
        for saved in saved {
            let is_new = entries.iter().all(|entry| entry.view.id.as_u128() != saved.id);
            if is_new && let Some(entry) = Entry::restored(&saved, at) {
                entries.push(entry);
            }
        }
        entries.truncate(MOST_STOPS);
        let count = entries.len();
        self.put_in_force(&entries);
        drop(entries);
        if count > 0 {
            tracing::warn!(count, "emergency stops are in force; see `tollgate stop list`");
        }
    }

    fn end_stops(&self, ends: impl Fn(&Entry, At) -> bool) -> Vec<StopView> {
        let at = self.at();
        let mut entries = lock(&self.stops.0);
        let ended: Vec<Entry> = entries.extract_if(.., |entry| ends(entry, at)).collect();
        if !ended.is_empty() {
            self.put_in_force(&entries);
        }
        ended.iter().map(|entry| entry.seen(at)).collect()
    }

    /// Serving threads decide by these from now on.
    fn put_in_force(&self, entries: &[Entry]) {
        let stops = Arc::new(Stops::of(entries.iter().map(|entry| Arc::clone(&entry.stop))));
        self.snapshot.rcu(|now| Snapshot { stops: Arc::clone(&stops), ..Snapshot::clone(now) });
    }

    /// Tells what became of a stop, loudly.
    fn stop_changed(&self, change: Change, view: &StopView, by: &str) {
        if let Some(restart) = &self.restart {
            restart.stops_changed();
        }
        if change != Change::Set {
            self.log_stop(change, view, by);
        }
        let (id, selector, effect) = (view.id.to_string(), &*view.selector, view.effect_name());
        let (reason, until) = (&*view.reason, jiff::Timestamp::from(view.expires_at).to_string());
        match change {
            Change::Set => {
                counter!(OPERATOR_ACTIONS, "operation" => "SET_STOP").increment(1);
                tracing::warn!(id, selector, effect, reason, by, until, "an emergency stop is in force");
            }
            Change::Cleared => {
                counter!(OPERATOR_ACTIONS, "operation" => "CLEAR_STOP").increment(1);
                tracing::warn!(id, selector, effect, reason, by, "an emergency stop was cleared");
            }
            Change::Expired => {
                tracing::warn!(id, selector, effect, reason, "the time of an emergency stop is over");
            }
        }
        let event = events::Stop {
            change,
            stop_id: view.id,
            selector: selector.into(),
            effect,
            reason: reason.into(),
            by: by.into(),
        };
        self.events.emit(Event::Stop(event), self.clock.wall());
    }
}

impl StopView {
    /// The name of what it does, in logs.
    #[must_use]
    pub const fn effect_name(&self) -> &'static str {
        match self.effect {
            StopEffect::Deny => "DENY",
            StopEffect::Allow => "ALLOW",
        }
    }
}

impl Entry {
    /// Its end told by the wall clock as it goes now, if somebody has set that meanwhile.
    fn seen(&self, at: At) -> StopView {
        const SAME: u64 = 1_000_000_000;
        let mut view = self.view.clone();
        let ends = later(at.wall, self.stop.ends().since(at.now));
        if ends.nanos().abs_diff(view.expires_at.nanos()) > SAME {
            view.expires_at = ends;
        }
        view
    }

    fn saved(&self, at: At) -> SavedStop {
        SavedStop {
            id: self.view.id.as_u128(),
            selector: self.view.selector.to_string(),
            denies: self.view.effect == StopEffect::Deny,
            reason: self.view.reason.to_string(),
            by: self.view.by.to_string(),
            set_at: self.view.set_at.nanos(),
            saved_at: at.wall.nanos(),
            left: self.stop.ends().since(at.now).nanos(),
        }
    }

    fn restored(saved: &SavedStop, at: At) -> Option<Self> {
        let down = at.wall.nanos().saturating_sub(saved.saved_at).max(0).unsigned_abs();
        let left = Span::from_nanos(saved.left.saturating_sub(down)).min(LONGEST);
        let (id, selector) = (Uuid::from_u128(saved.id), saved.selector.as_str());
        if left == Span::default() {
            return None;
        }
        let Ok(target) = read::selector(selector) else {
            let id = id.to_string();
            tracing::error!(id, selector, "an emergency stop cannot be read any longer; set it again");
            return None;
        };
        let effect = if saved.denies { StopEffect::Deny } else { StopEffect::Allow };
        let stop = Arc::new(Stop::new(&target, effect, &saved.reason, at.now.after(left)));
        let view = StopView {
            id,
            selector: selector.into(),
            effect,
            reason: saved.reason.as_str().into(),
            by: saved.by.as_str().into(),
            set_at: WallTime::from_nanos(saved.set_at),
            expires_at: later(at.wall, left),
        };
        Some(Self { view, stop })
    }
}

fn later(wall: WallTime, span: Span) -> WallTime {
    WallTime::from_nanos(wall.nanos().saturating_add(i64::try_from(span.nanos()).unwrap_or(i64::MAX)))
}
