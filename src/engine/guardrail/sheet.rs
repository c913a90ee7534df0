//! One look at all keys of a request, with their shards locked in one order.
//!
//! All that is checked and charged happens between the opening of a sheet and its end; nobody
//! else sees a state in between. Shards are locked in the order of their numbers and then, for
//! keys that are new, directories in the order of their guardrails, so that two requests never
//! wait for each other in a circle.

use std::cell::Cell;

use smallvec::SmallVec;

use super::ask::{Ask, Asks, Facts};
use super::directory::Open;
use super::guard::{Guard, GuardId, Rules};
use super::key::Key;
use super::keyed::{Place, Shard, Stamp, Table};
use super::lease::LeaseId;
use super::refused::Refused;
use super::state::{At, State};
use super::sync::MutexGuard;
use super::verdict::{Event, Limit, Ticket, Verdict};
use crate::model::ReasonCode;
use crate::unit::Span;

/// The locked keys of some requests.
pub(super) struct Sheet<'t> {
    /// By their numbers.
    shards: SmallVec<[(usize, MutexGuard<'t, Shard>); 8]>,
    lists: SmallVec<[(GuardId, Open<'t>); 2]>,
    undo: Option<Vec<Undo>>,
    /// Whether keys may have moved since their places were noted.
    moved: bool,
}

/// One ask on the sheet.
pub(super) struct Line<'g, 'k> {
    pub(super) ask: &'k Ask<'g>,
    pub(super) key: &'k [u8],
    hash: u64,
    shard: usize,
    seat: Cell<Seat>,
}

/// Where a line's key was found, so that it is looked for once.
#[derive(Clone, Copy, Default)]
struct Seat {
    /// The place of its shard among those that are locked.
    held: usize,
    place: Option<Place>,
}

/// How a key was before.
struct Undo {
    shard: usize,
    place: Place,
    /// Its state and when it was last charged; `None`: it was not there.
    before: Option<(State, Stamp)>,
    guard: GuardId,
}

pub(super) type Lines<'g, 'k> = SmallVec<[Line<'g, 'k>; 8]>;

/// A table without room for a key is worth another try after this.
const FULL: Span = Span::from_nanos(1_000_000_000);

/// The lines of a request.
pub(super) fn lines<'g, 'k>(table: &Table, asks: &'k Asks<'g>) -> Lines<'g, 'k> {
    let mut lines: Lines<'g, 'k> = asks
        .iter()
        .map(|(ask, key)| {
            let hash = table.seed().hash(ask.guard.id, key);
            Line { ask, key, hash, shard: table.shard_of(hash), seat: Cell::default() }
        })
        .collect();
    if !lines.is_sorted_by_key(|line| line.ask.guard.rules.order()) {
        lines.sort_by_key(|line| line.ask.guard.rules.order());
    }
    lines
}

impl<'t> Sheet<'t> {
    /// Locks what these lines are about. With `undo`, what is charged can be taken back.
    pub(super) fn open<'l, 'g: 'l + 't + 'k, 'k: 'l>(
        table: &'t Table,
        lines: impl Iterator<Item = (&'l Line<'g, 'k>, &'l Facts)> + Clone,
        charging: bool,
        undo: bool,
    ) -> Self {
        let mut numbers: SmallVec<[usize; 8]> =
            lines.clone().filter(|(line, _)| line.has_state()).map(|(line, _)| line.shard).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let locked = numbers.into_iter().filter_map(|n| table.lock(n).map(|shard| (n, shard)));
        let shards = locked.collect();
        let mut sheet = Self { shards, lists: SmallVec::new(), undo: undo.then(Vec::new), moved: false };
        lines.clone().for_each(|(line, _)| sheet.seat(line));
        if charging {
            let new = lines.filter(|(line, facts)| {
                line.seat.get().place.is_none() && line.ask.guard.keeps(&line.ask.wanted(facts))
            });
            let mut guards: SmallVec<[&'g Guard; 2]> = new.map(|(line, _)| line.ask.guard).collect();
            guards.sort_by_key(|guard| guard.id);
            guards.dedup_by_key(|guard| guard.id);
            sheet.lists = guards.into_iter().map(|guard| (guard.id, guard.keys.open())).collect();
        }
        sheet
    }

    /// What each guardrail says to one request, in order.
    pub(super) fn check<'g>(
        &mut self,
        lines: &Lines<'g, '_>,
        facts: &Facts,
        at: At,
        watch: bool,
    ) -> SmallVec<[(usize, Refused); 4]> {
        let mut refused = SmallVec::new();
        for (number, line) in lines.iter().enumerate() {
            let (guard, wanted) = (line.ask.guard, line.ask.wanted(facts));
            let place = self.place(line);
            let said = match place.and_then(|place| self.state(line, place)) {
                Some(state) => {
                    guard.advance(state, at);
                    guard.check(Some(state), &wanted, at)
                }
                None => guard.check(None, &wanted, at).and_then(|()| self.room_for(line, facts)),
            };
            if let Err(said) = said {
                refused.push((number, said));
                if let (true, Some(place), Some(shard)) = (watch, place, self.shard(line)) {
                    shard.watch(line.hash, place);
                }
            }
        }
        refused
    }

    /// Charges the lines of a request that `admits`, all of which have been checked.
    pub(super) fn charge<'g>(
        &mut self,
        lines: &Lines<'g, '_>,
        facts: &Facts,
        at: At,
        admits: impl Fn(usize) -> bool,
        verdict: &mut Verdict<'g>,
    ) {
        for (number, line) in lines.iter().enumerate() {
            if admits(number) {
                self.charge_line(line, facts, at, verdict);
            }
        }
    }

    /// Adds how much is left to a verdict.
    pub(super) fn limits<'g>(&mut self, lines: &Lines<'g, '_>, at: At, verdict: &mut Verdict<'g>) {
        for line in lines.iter().filter(|line| !line.ask.guard.is_shadow()) {
            let guard = line.ask.guard;
            let place = self.place(line);
            let mut state = place.and_then(|place| self.state(line, place));
            if let Some(state) = &mut state {
                guard.advance(state, at);
            }
            let mut each = |room| verdict.limits.push(Limit { guard, room });
            guard.rooms(state.as_deref(), at, &mut each);
        }
    }

    /// Takes back all that was charged on this sheet.
    pub(super) fn undo(&mut self) {
        self.moved = true;
        for step in self.undo.take().into_iter().flatten().rev() {
            let Some((_, shard)) = self.shards.iter_mut().find(|(n, _)| *n == step.shard) else {
                continue;
            };
            match step.before {
                Some((state, last)) => {
                    if let Some(slot) = shard.get_mut(step.place) {
                        (slot.state, slot.last) = (state, last);
                    }
                }
                None => {
                    shard.remove(step.place);
                    if let Some((_, list)) = self.lists.iter_mut().find(|(id, _)| *id == step.guard) {
                        list.take_back();
                    }
                }
            }
        }
    }

    fn charge_line<'g>(&mut self, line: &Line<'g, '_>, facts: &Facts, at: At, verdict: &mut Verdict<'g>) {
        let (guard, wanted) = (line.ask.guard, line.ask.wanted(facts));
        let mut place = self.place(line);
        if place.is_none() && guard.keeps(&wanted) {
            place = self.add(line, at);
        } else if let Some(place) = place {
            self.note(line, place);
        }
        let lease = self.shard(line).map_or(LeaseId(0), Shard::next_lease);
        let slot = place.and_then(|place| self.shard(line)?.get_mut(place));
        let (claim, step) = match slot {
            Some(slot) => {
                slot.touch(at.now);
                guard.charge(Some(&mut slot.state), &wanted, lease, at)
            }
            None => guard.charge(None, &wanted, lease, at),
        };
        if claim.is_none() && step.is_none() {
            return;
        }
        let key = Key::of(line.key);
        if let Some(transition) = step {
            verdict.events.push(Event::Breaker { guard: guard.id, key: key.clone(), transition });
        }
        if let Some(claim) = claim {
            let lasts = claim.ends().map(|ends| ends.since(at.now)).filter(|_| !guard.is_shadow());
            verdict.report_within = match (verdict.report_within, lasts) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (one, other) => one.or(other),
            };
            verdict.tickets.push(Ticket { guard: guard.id, key, claim });
        }
    }

    /// Whether there is room for a key that is new.
    fn room_for(&self, line: &Line<'_, '_>, facts: &Facts) -> Result<(), Refused> {
        let guard = line.ask.guard;
        let keys = match self.lists.iter().find(|(id, _)| *id == guard.id) {
            Some((_, list)) => list.keys(),
            None => guard.keys.keys(),
        };
        let wanted = line.ask.wanted(facts);
        let wants = matches!(guard.rules, Rules::Breaker(_)) || guard.keeps(&wanted);
        if wants && keys >= guard.max_keys { Err(Refused::until(ReasonCode::KeysFull, FULL)) } else { Ok(()) }
    }

    fn add(&mut self, line: &Line<'_, '_>, at: At) -> Option<Place> {
        let guard = line.ask.guard;
        let (_, list) = self.lists.iter_mut().find(|(id, _)| *id == guard.id)?;
        if list.keys() >= guard.max_keys {
            return None;
        }
        let state = guard.fresh_state(at)?;
        let (_, shard) = self.shards.get_mut(line.seat.get().held)?;
        let place = shard.add(line.hash, guard.id, line.key, state);
        list.add(line.hash);
        line.seat.set(Seat { place: Some(place), ..line.seat.get() });
        if let Some(undo) = &mut self.undo {
            undo.push(Undo { shard: line.shard, place, before: None, guard: guard.id });
        }
        Some(place)
    }

    fn note(&mut self, line: &Line<'_, '_>, place: Place) {
        if self.undo.is_none() {
            return;
        }
        let slot = self.shard(line).and_then(|shard| shard.get(place));
        let before = slot.map(|slot| (slot.state.clone(), slot.last));
        if let (Some(undo), Some(before)) = (&mut self.undo, before) {
            let (shard, guard) = (line.shard, line.ask.guard.id);
            undo.push(Undo { shard, place, before: Some(before), guard });
        }
    }

    /// Looks for the key of a line.
    fn seat(&self, line: &Line<'_, '_>) {
        let held = self.shards.binary_search_by_key(&line.shard, |(number, _)| *number);
        let Some(held) = held.ok().filter(|_| line.has_state()) else { return };
        line.seat.set(Seat { held, place: None });
        let place = self.place(line);
        line.seat.set(Seat { held, place });
    }

    fn place(&self, line: &Line<'_, '_>) -> Option<Place> {
        let seat = line.seat.get();
        if seat.place.is_some() && !self.moved {
            return seat.place;
        }
        // Not there when the sheet was opened; an earlier line may have added it.
        let (_, shard) = self.shards.get(seat.held).filter(|_| line.has_state())?;
        shard.find(line.hash, line.ask.guard.id, line.key)
    }

    fn shard(&mut self, line: &Line<'_, '_>) -> Option<&mut Shard> {
        let (_, shard) = self.shards.get_mut(line.seat.get().held).filter(|_| line.has_state())?;
        Some(&mut **shard)
    }

    fn state(&mut self, line: &Line<'_, '_>, place: Place) -> Option<&mut State> {
        Some(&mut self.shard(line)?.get_mut(place)?.state)
    }
}

impl Line<'_, '_> {
    fn has_state(&self) -> bool {
        !matches!(self.ask.guard.rules, Rules::Sampling(..) | Rules::Timeout(_))
    }
}
