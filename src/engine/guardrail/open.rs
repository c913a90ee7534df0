//! Open decisions: what is to be settled by a report that has not come yet.
//!
//! Each id goes out once. It is remembered for an hour after it was settled, so that a report
//! that comes twice is told so; and an open one is kept for an hour after its last lease, so that
//! a late report still corrects. The table is bounded: what does not fit any more is forgotten,
//! the oldest first, and its leases end by themselves as their guardrails say.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};

use foldhash::quality::FixedState;

use super::ledger::Ledger;
use super::live::Guards;
use super::report::Outcome;
use super::settle::{Events, HORIZON, Taken};
use super::state::At;
use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering, Padded, lock};
use super::verdict::Ticket;
use crate::time::Moment;
use crate::unit::Span;

/// What is to be settled, with what else the caller keeps about a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened<M> {
    /// When it was decided, and its timeout obligation.
    pub taken: Taken,
    /// What it took.
    pub tickets: Box<[Ticket]>,
    /// What the caller keeps.
    pub meta: M,
}

/// The decisions that have not been reported yet, by their ids.
#[derive(Debug)]
pub struct OpenTable<M> {
    shards: Box<[Padded<Mutex<Shard<M>>>]>,
    /// How many a shard may hold.
    most: usize,
    dropped: AtomicU64,
    expired: AtomicU64,
}

#[derive(Debug)]
struct Shard<M> {
    open: HashMap<u128, Opened<M>, FixedState>,
    /// When to look at an open one again, the earliest first; never later than it is kept.
    due: BinaryHeap<Reverse<(Moment, u128)>>,
    settled: HashSet<u128, FixedState>,
    /// When each was settled.
    order: VecDeque<(Moment, u128)>,
    /// The latest that was settled of those that were forgotten before their hour, for want of room.
    forgotten: Moment,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported<M> {
    /// It is the first; with what the caller kept, and what settling brought about.
    Applied(M, Taken, Events),
    /// It came before.
    Duplicate,
    /// Nobody knows the decision.
    Unknown,
}

/// What is known of the report of a decision that took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// It is the first.
    First,
    /// It came before.
    Before,
    /// It may have come before.
    Unknown,
}

/// What became of a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewed {
    /// The shortest lease that is left, at its full length.
    Renewed(Span),
    /// It was reported before.
    Duplicate,
    /// Nobody knows the decision, or it holds nothing any more.
    Unknown,
}

impl<M> OpenTable<M> {
    /// A table for so many open decisions; at most a sixteenth more where there are many.
    #[must_use]
    pub fn new(most: usize, seed: u64) -> Self {
        const WHOLE: usize = 4_096;
        let shards = (most / WHOLE).clamp(1, 256).next_power_of_two();
        // Ids do not spread quite evenly; the table should not drop before it is full.
        let share = most.checked_div(shards).unwrap_or(most);
        let most = if shards == 1 { most } else { share.saturating_add(share / 16) };
        let made = (0..shards).map(|_| Padded(Mutex::new(Shard::new(seed))));
        Self {
            shards: made.collect(),
            most: most.max(1),
            dropped: AtomicU64::new(0),
            expired: AtomicU64::new(0),
        }
    }

    /// Opens a decision.
    pub fn open(&self, id: u128, opened: Opened<M>) {
        let Some(mut shard) = self.shard(id) else { return };
        if shard.open.len() >= self.most && shard.drop_oldest() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        shard.due.push(Reverse((opened.kept_until(), id)));
        shard.open.insert(id, opened);
    }

    /// Settles a decision with how it ended, the first time that it is reported.
    pub fn report(
        &self,
        ledger: &Ledger,
        guards: &Guards,
        id: u128,
        outcome: &Outcome,
        at: At,
    ) -> Reported<M> {
        let opened = {
            let Some(mut shard) = self.shard(id) else {
                return Reported::Unknown;
            };
            match shard.open.remove(&id) {
                Some(opened) if opened.kept_until() <= at.now => return Reported::Unknown,
                Some(opened) => {
                    shard.settled(id, at.now, self.most);
                    opened
                }
                None if shard.settled.contains(&id) => return Reported::Duplicate,
                None => return Reported::Unknown,
            }
        };
        let events = ledger.settle(guards, opened.taken, &opened.tickets, outcome, at);
        Reported::Applied(opened.meta, opened.taken, events)
    }

    /// Renews what a decision still holds.
    pub fn renew(&self, ledger: &Ledger, guards: &Guards, id: u128, now: Moment) -> Renewed {
        let Some(mut shard) = self.shard(id) else {
            return Renewed::Unknown;
        };
        // The shard stays locked, so that no report settles tickets that are being renewed.
        let Some(opened) = shard.open.get_mut(&id) else {
            let known = shard.settled.contains(&id);
            return if known { Renewed::Duplicate } else { Renewed::Unknown };
        };
        let renewed = ledger.renew(guards, opened.taken, &mut opened.tickets, now);
        renewed.map_or(Renewed::Unknown, Renewed::Renewed)
    }

    /// Forgets decisions whose hour is over, looking at so many; how many it looked at.
    pub fn sweep(&self, shard: usize, steps: usize, now: Moment) -> usize {
        let Some(mut shard) = self.shards.get(shard).map(|shard| lock(&shard.0)) else {
            return 0;
        };
        shard.forget_settled(now);
        let mut seen = 0;
        while seen < steps && shard.due.peek().is_some_and(|Reverse((due, _))| *due <= now) {
            let Some(Reverse((_, id))) = shard.due.pop() else { break };
            seen = seen.saturating_add(1);
            match shard.open.get(&id).map(Opened::kept_until) {
                Some(until) if until > now => shard.due.push(Reverse((until, id))),
                Some(_) => {
                    shard.open.remove(&id);
                    self.expired.fetch_add(1, Ordering::Relaxed);
                }
                None => {}
            }
        }
        shard.compact();
        seen
    }

    /// How many shards there are to sweep.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// How many decisions are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(&shard.0).open.len()).sum()
    }

    /// Whether none is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many were forgotten for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// How many were forgotten because nobody reported them in time.
    #[must_use]
    pub fn expired(&self) -> u64 {
        self.expired.load(Ordering::Relaxed)
    }

    /// Calls `open` with the decisions of a shard that are open, but for those that are opened or
    /// settled meanwhile. Nobody waits for more than a few of them to be copied.
    pub fn each_open(&self, shard: usize, open: &mut dyn FnMut(u128, &Opened<M>)) {
        const AT_ONCE: usize = 64;
        let Some(shard) = self.shards.get(shard) else { return };
        let ids: Vec<u128> = lock(&shard.0).open.keys().copied().collect();
        for ids in ids.chunks(AT_ONCE) {
            let shard = lock(&shard.0);
            for id in ids {
                if let Some(opened) = shard.open.get(id) {
                    open(*id, opened);
                }
            }
        }
    }

    /// The decisions of a shard that were settled, and when, the oldest first.
    #[must_use]
    pub fn settled(&self, shard: usize) -> Vec<(Moment, u128)> {
        self.shards.get(shard).map(|shard| lock(&shard.0).order.iter().copied().collect()).unwrap_or_default()
    }

    /// Notes that a decision that took nothing was reported. Where so many are settled that those
    /// of its time are forgotten already, nobody knows whether this one was among them.
    pub fn settle_once(&self, id: u128, decided: Moment, now: Moment) -> Once {
        let Some(mut shard) = self.shard(id) else { return Once::Unknown };
        if shard.settled.contains(&id) {
            return Once::Before;
        }
        if shard.forgotten >= decided && shard.forgotten > Moment::ZERO {
            return Once::Unknown;
        }
        shard.settled(id, now, self.most);
        Once::First
    }

    /// Remembers that a decision was settled before a restart.
    pub fn remember(&self, id: u128, when: Moment) {
        if let Some(mut shard) = self.shard(id) {
            shard.settled(id, when, self.most);
        }
    }

    fn shard(&self, id: u128) -> Option<MutexGuard<'_, Shard<M>>> {
        // The last bits of an id are random.
        let shards = u128::try_from(self.shards.len()).unwrap_or(1).max(1);
        let at = usize::try_from(id.checked_rem(shards)?).ok()?;
        self.shards.get(at).map(|shard| lock(&shard.0))
    }
}

impl<M> Opened<M> {
    /// Until when a report may come.
    #[must_use]
    pub fn kept_until(&self) -> Moment {
        let at_least = self.taken.at.after(self.taken.timeout.unwrap_or_default());
        let leases = self.tickets.iter().filter_map(|ticket| ticket.claim.ends());
        leases.fold(at_least, Moment::max).after(HORIZON)
    }
}

impl<M> Shard<M> {
    fn new(seed: u64) -> Self {
        let hasher = FixedState::with_seed(seed);
        Self {
            open: HashMap::with_hasher(hasher.clone()),
            due: BinaryHeap::new(),
            settled: HashSet::with_hasher(hasher),
            order: VecDeque::new(),
            forgotten: Moment::ZERO,
        }
    }

    fn settled(&mut self, id: u128, now: Moment, most: usize) {
        self.forget_settled(now);
        if self.order.len() >= most {
            let oldest = self.order.front().map_or(Moment::ZERO, |(when, _)| *when);
            self.forgotten = self.forgotten.max(oldest);
            self.forget_oldest();
        }
        if self.settled.insert(id) {
            self.order.push_back((now, id));
        }
        self.compact();
    }

    fn forget_settled(&mut self, now: Moment) {
        while self.order.front().is_some_and(|(when, _)| when.after(HORIZON) <= now) {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, id)) = self.order.pop_front() {
            self.settled.remove(&id);
        }
    }

    /// Drops the decision that is due first.
    fn drop_oldest(&mut self) -> bool {
        while let Some(Reverse((due, id))) = self.due.pop() {
            match self.open.get(&id).map(Opened::kept_until) {
                Some(until) if until > due => self.due.push(Reverse((until, id))),
                Some(_) => return self.open.remove(&id).is_some(),
                None => {}
            }
        }
        false
    }

    /// Drops the traces of settled decisions, once they are more than those that are open.
    fn compact(&mut self) {
        if self.due.len() > self.open.len().saturating_mul(2).saturating_add(64) {
            let open = &self.open;
            self.due.retain(|Reverse((_, id))| open.contains_key(id));
        }
    }
}

#[cfg(test)]
mod tests;
