//! All state of all guardrails and decisions, out and in again.
//!
//! What is written is collected shard by shard, so that no request waits for more than one shard
//! to be copied. Charges that come in between may be in or not; none is older than the collection.
//! The types that are written say in what form by `serde`; whoever writes them keeps them readable.

use serde::{Deserialize, Serialize};

use super::directory::Hold;
use super::guard::{Guard, GuardId, Rules};
use super::key::Key;
use super::lease::{Lease, LeaseId};
use super::live::{Guards, Live};
use super::open::{OpenTable, Opened};
use super::saved::{Frame, Offset, SavedKey};
use super::settle::Taken;
use super::state::{At, Claim};
use super::verdict::Ticket;
use super::{breaker::Passage, budget};
use crate::model::guardrail::OnExpiry;
use crate::time::WallTime;
use crate::unit::Span;

/// One guardrail, without its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedGuard {
    /// Its number in this file.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// What must be the same for its keys to mean the same: type, algorithm, `key_by`.
    pub identity: String,
    /// Its rules as text; they tell the breakers of two arms apart.
    pub rules: String,
    /// The end of the latest window that a budget entered, in nanoseconds since 1970, and the
    /// length of its windows, zero for life.
    pub window: (i64, u64),
    /// When an operator last emptied all of it.
    pub reset_at: Offset,
    /// What an operator holds all its keys in.
    pub hold: Hold,
}

/// What a decision took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTicket {
    /// The number of the guardrail in this file.
    pub guard: u32,
    /// The text of the key.
    pub key: Vec<u8>,
    /// What.
    pub claim: SavedClaim,
}

/// What a decision took from one guardrail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SavedClaim {
    /// Past a breaker: the epoch, and the probe's end and number.
    Passage(u32, Option<(Offset, u64)>),
    /// A place: its end and number.
    Place(Offset, u64),
    /// Amounts: their end and number, how much, the window, and whether they are charged when
    /// nobody reports.
    Reserved {
        /// When the reservation ends, and its number.
        lease: (Offset, u64),
        /// How much, in the order of [`budget::MEASURES`].
        amounts: [Option<u64>; 6],
        /// The end of the window in nanoseconds since 1970, and its length.
        window: (i64, u64),
        /// Whether it is charged when nobody reports.
        charged: bool,
    },
}

/// One open decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedDecision<M> {
    /// Its id.
    pub id: u128,
    /// When it was taken.
    pub taken: Offset,
    /// Its timeout obligation, in nanoseconds.
    pub timeout: Option<u64>,
    /// What it took.
    pub tickets: Vec<SavedTicket>,
    /// What the caller keeps.
    pub meta: M,
}

/// Which guardrails of a file are which of this process.
#[derive(Clone, Debug)]
pub struct Translation<'g> {
    pairs: Vec<(u32, &'g Guard)>,
    frame: Frame,
}

/// How long the process was down; a clock that went back gives nothing back.
#[must_use]
pub fn down(written: WallTime, now: WallTime) -> Span {
    let nanos = now.nanos().saturating_sub(written.nanos());
    Span::from_nanos(u64::try_from(nanos).unwrap_or(0))
}

impl Live {
    /// All guardrails, without their keys.
    #[must_use]
    pub fn save_guards(&self, guards: &Guards, at: At) -> Vec<SavedGuard> {
        let frame = Frame::writing(at.now);
        let mut saved: Vec<SavedGuard> = guards.iter().map(|guard| guard.save(frame)).collect();
        saved.sort_by_key(|guard| guard.id);
        saved
    }

    /// How many shards of keys there are to save.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.ledger.table.shards()
    }

    /// The keys of a shard, each with the number of its guardrail.
    #[must_use]
    pub fn save_shard(&self, shard: usize, at: At) -> Vec<(u32, SavedKey)> {
        let frame = Frame::writing(at.now);
        let Some(shard) = self.ledger.table.lock(shard) else {
            return Vec::new();
        };
        let saved = shard.iter().map(|slot| {
            let key = slot.key.as_bytes().to_vec();
            (slot.guard().0, SavedKey { key, state: slot.state.save(frame) })
        });
        saved.collect()
    }

    /// Finds the guardrails of a file that was written so long before.
    #[must_use]
    pub fn translate<'g>(
        &self,
        saved: &[SavedGuard],
        guards: &'g Guards,
        down: Span,
        at: At,
    ) -> Translation<'g> {
        let frame = Frame::reading(at.now, down);
        let mut pairs: Vec<(u32, &'g Guard)> = Vec::new();
        for exactly in [true, false] {
            for old in saved {
                if pairs.iter().any(|(id, _)| *id == old.id) {
                    continue;
                }
                let mut named = guards.iter().filter(|guard| guard.name.as_str() == old.name);
                let taken = |guard: &Guard| pairs.iter().any(|(_, other)| other.id == guard.id);
                let fits = |guard: &Guard| {
                    guard.identity() == old.identity && (!exactly || guard.rules_text() == old.rules)
                };
                if let Some(guard) = named.find(|guard| fits(guard) && !taken(guard)) {
                    if guard.window_length().unwrap_or_default().nanos() == old.window.1 {
                        guard.latest.set_end(old.window.0);
                    }
                    guard.keys.set_reset_at(frame.time(old.reset_at));
                    guard.keys.set_hold(old.hold);
                    pairs.push((old.id, guard));
                }
            }
        }
        Translation { pairs, frame }
    }

    /// Puts back a key of a guardrail of the file; false where nothing can be made of it.
    pub fn restore(&self, translation: &Translation<'_>, guard: u32, saved: &SavedKey) -> bool {
        let Some(guard) = translation.guard(guard) else {
            return false;
        };
        let Some(state) = guard.restore(&saved.state, translation.frame) else {
            return false;
        };
        let hash = self.ledger.table.seed().hash(guard.id, &saved.key);
        let Some(mut shard) = self.ledger.table.lock_for(hash) else {
            return false;
        };
        let mut list = guard.keys.open();
        if list.keys() >= guard.max_keys || shard.find(hash, guard.id, &saved.key).is_some() {
            return false;
        }
        list.add(hash);
        let newest = state.newest_lease();
        let place = shard.add(hash, guard.id, &saved.key, state);
        shard.skip_leases(newest);
        if let Some(slot) = shard.get_mut(place) {
            // Idleness begins anew: it only decides when an unused key is dropped.
            slot.touch(translation.frame.time(0));
        }
        true
    }
}

impl<M: Clone> OpenTable<M> {
    /// The decisions of a shard that are open.
    #[must_use]
    pub fn save_open(&self, shard: usize, at: At) -> Vec<SavedDecision<M>> {
        let frame = Frame::writing(at.now);
        let mut saved = Vec::new();
        self.each_open(shard, &mut |id, opened| saved.push(save_decision(id, opened, frame)));
        saved
    }

    /// The decisions of a shard that were settled, and when.
    #[must_use]
    pub fn save_settled(&self, shard: usize, at: At) -> Vec<(u128, Offset)> {
        let frame = Frame::writing(at.now);
        let settled = self.settled(shard).into_iter();
        settled.map(|(when, id)| (id, frame.offset(when))).collect()
    }

    /// Opens a decision of the file again, with those of its tickets whose guardrails are still
    /// there.
    pub fn restore(&self, translation: &Translation<'_>, saved: &SavedDecision<M>) {
        let frame = translation.frame;
        let tickets = saved.tickets.iter().filter_map(|ticket| {
            let guard = translation.guard(ticket.guard)?.id;
            Some(Ticket { guard, key: Key::of(&ticket.key), claim: ticket.claim.restore(frame) })
        });
        let taken = Taken { at: frame.time(saved.taken), timeout: saved.timeout.map(Span::from_nanos) };
        let opened = Opened { taken, tickets: tickets.collect(), meta: saved.meta.clone() };
        self.open(saved.id, opened);
    }

    /// Remembers a decision of the file that was settled.
    pub fn restore_settled(&self, translation: &Translation<'_>, id: u128, when: Offset) {
        self.remember(id, translation.frame.time(when));
    }
}

impl<'g> Translation<'g> {
    /// Whether a guardrail of the file is one of this process.
    #[must_use]
    pub fn found(&self, id: u32) -> bool {
        self.guard(id).is_some()
    }

    fn guard(&self, id: u32) -> Option<&'g Guard> {
        self.pairs.iter().find(|(old, _)| *old == id).map(|(_, guard)| *guard)
    }
}

impl Guard {
    fn save(&self, frame: Frame) -> SavedGuard {
        let GuardId(id) = self.id;
        SavedGuard {
            id,
            name: self.name.as_str().into(),
            identity: self.identity(),
            rules: self.rules_text(),
            window: (self.latest.end(), self.window_length().unwrap_or_default().nanos()),
            reset_at: frame.offset(self.keys.reset_at()),
            hold: self.keys.hold(),
        }
    }

    fn identity(&self) -> String {
        format!("{} by {}", self.rules.kind(), super::sampling::kinds(&self.key_by))
    }

    fn rules_text(&self) -> String {
        match &self.rules {
            Rules::Breaker(rules) => format!("{rules:?}"),
            _ => String::new(),
        }
    }
}

impl SavedClaim {
    fn of(claim: &Claim, frame: Frame) -> Self {
        let lease = |lease: Lease| (frame.offset(lease.ends), lease.id.0);
        match claim {
            Claim::Passage(passage) => Self::Passage(passage.epoch, passage.probe.map(lease)),
            Claim::Place(place) => {
                let (ends, id) = lease(*place);
                Self::Place(ends, id)
            }
            Claim::Reserved(reserved) => Self::Reserved {
                lease: lease(reserved.lease),
                amounts: reserved.amounts.0,
                window: (reserved.window.end, reserved.window.length),
                charged: reserved.on_expiry == OnExpiry::Charge,
            },
        }
    }

    fn restore(&self, frame: Frame) -> Claim {
        let lease = |(ends, id): (Offset, u64)| Lease { ends: frame.time(ends), id: LeaseId(id) };
        match self {
            Self::Passage(epoch, probe) => Claim::Passage(Passage { epoch: *epoch, probe: probe.map(lease) }),
            Self::Place(ends, id) => Claim::Place(lease((*ends, *id))),
            Self::Reserved { lease: held, amounts, window: (end, length), charged } => {
                Claim::Reserved(Box::new(budget::Reservation {
                    lease: lease(*held),
                    amounts: budget::Amounts(*amounts),
                    window: budget::Window { end: *end, length: *length },
                    on_expiry: if *charged { OnExpiry::Charge } else { OnExpiry::Release },
                }))
            }
        }
    }
}

fn save_decision<M: Clone>(id: u128, opened: &Opened<M>, frame: Frame) -> SavedDecision<M> {
    let tickets = opened.tickets.iter().map(|ticket| SavedTicket {
        guard: ticket.guard.0,
        key: ticket.key.as_bytes().to_vec(),
        claim: SavedClaim::of(&ticket.claim, frame),
    });
    SavedDecision {
        id,
        taken: frame.offset(opened.taken.at),
        timeout: opened.taken.timeout.map(Span::nanos),
        tickets: tickets.collect(),
        meta: opened.meta.clone(),
    }
}

#[cfg(test)]
mod tests;
