//! What a serving thread writes records with. Nothing of it is shared but its ring, and where the log
//! is off it costs a look at a flag.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tollgate_engine::decide::Request;

use super::record::{self, DecisionRecord, ReportRecord, RetryRecord};
use super::ring::Feeder;
use super::sample;
use super::shared::Shared;
use crate::config::decision_log::{FOR_REPORTS, WhenFull};

/// Writes the records of one thread.
#[derive(Debug)]
pub struct Pen {
    log: Option<Arc<Shared>>,
    /// Made with the first record, since not every thread that looks decides.
    feeder: Option<Feeder>,
    text: Vec<u8>,
    /// Bytes and number of the records that room was found for and that are still to come.
    promised: (usize, usize),
}

/// A bound on what is kept of the room that a large record took.
const KEPT: usize = 64 << 10;

impl Pen {
    /// The pen of a thread; without a log it writes nothing.
    #[must_use]
    pub(super) const fn new(log: Option<Arc<Shared>>) -> Self {
        Self { log, feeder: None, text: Vec::new(), promised: (0, 0) }
    }

    /// One that writes nothing.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(None)
    }

    /// Whether there is a log.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.log.is_some()
    }

    /// Whether an action may be decided: where actions are refused that cannot be recorded, there
    /// must be room for the record of this one too. Nothing else is asked of a request before.
    #[must_use]
    pub fn has_room(&mut self, request: Option<&Request<'_>>, guards: usize) -> bool {
        let Some(log) = self.log.as_ref().filter(|log| log.when_full == WhenFull::Refuse) else {
            return true;
        };
        let need = record::most_bytes(request, guards, &mut self.text);
        let feeder = self.feeder.get_or_insert_with(|| log.feeder());
        let (bytes, count) = (self.promised.0 + need, self.promised.1 + 1);
        let has_room = feeder.has_room(bytes + log.ring_bytes / FOR_REPORTS, count);
        if has_room {
            self.promised = (bytes, count);
        }
        has_room
    }

    /// The same of a batch of which all is recorded or nothing. Where it does not even fit the whole ring,
    /// the thread gets a larger one: else such a batch would be refused each time.
    #[must_use]
    pub fn has_room_for_all<'r>(
        &mut self,
        requests: impl Iterator<Item = Option<&'r Request<'r>>>,
        guards: usize,
    ) -> bool {
        let Some(log) = self.log.as_ref().filter(|log| log.when_full == WhenFull::Refuse) else {
            return true;
        };
        let (mut bytes, mut count) = self.promised;
        for request in requests {
            bytes += record::most_bytes(request, guards, &mut self.text);
            count += 1;
        }
        let room = bytes + log.ring_bytes / FOR_REPORTS;
        let feeder = self.feeder.get_or_insert_with(|| log.feeder());
        if !feeder.could_have_room(room, count) {
            *feeder = log.feeder_for(room, count);
        }
        let has_room = feeder.has_room(room, count);
        if has_room {
            self.promised = (bytes, count);
        }
        has_room
    }

    /// Every record that room was found for is written, or will not be.
    pub const fn done(&mut self) {
        self.promised = (0, 0);
    }

    /// Notes that an action was refused since there was no room for its record.
    pub fn refused(&mut self) {
        if let Some(log) = &self.log {
            self.feeder.get_or_insert_with(|| log.feeder()).refuse();
        }
    }

    /// Writes a decision, if it is in the share that is recorded.
    #[inline]
    pub fn decision(&mut self, record: &DecisionRecord<'_, '_, '_>) {
        let Some(log) = &self.log else { return };
        if !log.rates.is_all() && !sample::is_kept(record.id) {
            log.sampled_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.write(record.at.now.nanos(), |text| record::decision(text, record));
    }

    /// Writes a report, if its decision is in the share that is recorded.
    pub fn report(&mut self, record: &ReportRecord<'_>) {
        let Some(log) = &self.log else { return };
        if !log.rates.is_all() && !sample::is_kept(record.id) {
            log.sampled_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.write(record.at.now.nanos(), |text| record::report(text, record));
    }

    /// Writes a retry decision.
    pub fn retry(&mut self, record: &RetryRecord<'_, '_>) {
        if self.log.is_some() {
            self.write(record.at.now.nanos(), |text| record::retry(text, record));
        }
    }

    fn write(&mut self, stamp: u64, put: impl FnOnce(&mut Vec<u8>)) {
        let Some(log) = &self.log else { return };
        self.text.clear();
        put(&mut self.text);
        let feeder = self.feeder.get_or_insert_with(|| log.feeder());
        feeder.push(stamp, &self.text, log.when_full == WhenFull::DropOldest);
        if self.text.capacity() > KEPT {
            self.text = Vec::new();
        }
    }
}
