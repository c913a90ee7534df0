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
use super::keyed::{Place, Shard, Stamp, Table, TextHash};
use super::lease::LeaseId;
use super::refused::{Refused, Wait};
use super::state::{At, State, Wanted};
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
    facts: &'k Facts,
    hash: u64,
    shard: usize,
    seat: Cell<Seat>,
}

/// The lines of some requests, one request after the other.
#[derive(Default)]
pub(super) struct Lines<'g, 'k> {
    list: SmallVec<[Line<'g, 'k>; 8]>,
    /// Where those of each request end.
    ends: SmallVec<[usize; 1]>,
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

/// A table without room for a key is worth another try after this.
const FULL: Span = Span::from_nanos(1_000_000_000);

impl<'g, 'k> Lines<'g, 'k> {
    /// Adds those of one more request, in the order in which guardrails are asked.
    pub(super) fn add(&mut self, table: &Table, asks: &'k Asks<'g>, facts: &'k Facts) {
        let from = self.list.len();
        let mut order = 0;
        let mut sorted = true;
        let mut last: Option<(&[u8], TextHash)> = None;
        for (ask, key) in asks.iter() {
            let text = match last {
                Some((text, hash)) if text == key => hash,
                _ => table.seed().text(key),
            };
            last = Some((key, text));
            let hash = text.of(ask.guard.id);
            let shard = table.shard_of(hash);
            self.list.push(Line { ask, key, facts, hash, shard, seat: Cell::default() });
            sorted &= order <= ask.guard.rules.order();
            order = ask.guard.rules.order();
        }
        if let Some(own) = self.list.get_mut(from..).filter(|_| !sorted) {
            own.sort_by_key(|line| line.ask.guard.rules.order());
        }
        self.ends.push(self.list.len());
    }

    /// Those of each request.
    pub(super) fn each(&self) -> impl Iterator<Item = &[Line<'g, 'k>]> {
        let mut from = 0;
        self.ends.iter().map(move |end| {
            let own = self.list.get(from..*end).unwrap_or_default();
            from = *end;
            own
        })
    }
}

impl<'t> Sheet<'t> {
    /// Locks what these lines are about. With `undo`, what is charged can be taken back.
    pub(super) fn open<'g: 't>(table: &'t Table, lines: &Lines<'g, '_>, charging: bool, undo: bool) -> Self {
        let stateful = lines.list.iter().filter(|line| line.has_state());
        let mut order: SmallVec<[&Line<'g, '_>; 8]> = SmallVec::new();
        stateful.for_each(|line| order.push(line));
        order.sort_unstable_by_key(|line| line.shard);
        let mut sheet =
            Self { shards: SmallVec::new(), lists: SmallVec::new(), undo: undo.then(Vec::new), moved: false };
        for line in &order {
            if sheet.shards.last().is_none_or(|(number, _)| *number != line.shard)
                && let Some(shard) = table.lock(line.shard)
            {
                sheet.shards.push((line.shard, shard));
            }
            line.seat.set(Seat { held: sheet.shards.len().saturating_sub(1), place: None });
        }
        let mut all_known = true;
        for line in order {
            let place = sheet.place(line);
            line.seat.set(Seat { place, ..line.seat.get() });
            all_known &= place.is_some();
        }
        if charging && !all_known {
            sheet.open_lists(lines);
        }
        sheet
    }

    /// Opens the directories that keys may have to be added to.
    fn open_lists<'g: 't>(&mut self, lines: &Lines<'g, '_>) {
        let new = lines
            .list
            .iter()
            .filter(|line| line.seat.get().place.is_none() && line.ask.guard.keeps(&line.wanted()));
        let mut guards: SmallVec<[&'g Guard; 2]> = new.map(|line| line.ask.guard).collect();
        guards.sort_by_key(|guard| guard.id);
        guards.dedup_by_key(|guard| guard.id);
        self.lists = guards.into_iter().map(|guard| (guard.id, guard.keys.open())).collect();
    }

    /// What each guardrail says to one request, in order.
    pub(super) fn check<'g>(
        &mut self,
        lines: &[Line<'g, '_>],
        at: At,
        watch: bool,
    ) -> SmallVec<[(usize, Refused); 4]> {
        let mut refused = SmallVec::new();
        for (number, line) in lines.iter().enumerate() {
            let (guard, wanted) = (line.ask.guard, line.wanted());
            let place = self.place(line);
            let said = match place.and_then(|place| self.state(line, place)) {
                Some(state) => {
                    guard.advance(state, at);
                    guard.check(Some(state), &wanted, at)
                }
                None => guard.check(None, &wanted, at).and_then(|()| self.room_for(line)),
            };
            if let Err(said) = said {
                refused.push((number, said));
                // Who waits for nothing, or for a flush that is over, is told of no end.
                let waits = said.wait != Wait::Never && !matches!(guard.rules, Rules::PerFlush(_));
                if let (true, Some(place), Some(shard)) = (watch && waits, place, self.shard(line)) {
                    shard.watch(line.hash, place);
                }
            }
        }
        refused
    }

    /// Charges the lines of a request that `admits`, all of which have been checked, and says how
    /// much is left then.
    pub(super) fn charge<'g>(
        &mut self,
        lines: &[Line<'g, '_>],
        at: At,
        admits: impl Fn(usize) -> bool,
        verdict: &mut Verdict<'g>,
    ) {
        for (number, line) in lines.iter().enumerate() {
            if admits(number) {
                self.charge_line(line, at, verdict);
            } else {
                self.limit(line, at, verdict);
            }
        }
    }

    /// Adds how much is left to a verdict.
    pub(super) fn limits<'g>(&mut self, lines: &[Line<'g, '_>], at: At, verdict: &mut Verdict<'g>) {
        for line in lines {
            self.limit(line, at, verdict);
        }
    }

    fn limit<'g>(&mut self, line: &Line<'g, '_>, at: At, verdict: &mut Verdict<'g>) {
        let guard = line.ask.guard;
        if guard.is_shadow() {
            return;
        }
        let place = self.place(line);
        let mut state = place.and_then(|place| self.state(line, place));
        if let Some(state) = &mut state {
            guard.advance(state, at);
        }
        guard.rooms(state.as_deref(), at, |room| verdict.limits.push(Limit { guard, room }));
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

    fn charge_line<'g>(&mut self, line: &Line<'g, '_>, at: At, verdict: &mut Verdict<'g>) {
        let (guard, wanted) = (line.ask.guard, line.wanted());
        let mut place = self.place(line);
        if place.is_none() && guard.keeps(&wanted) {
            place = self.add(line, at);
        } else if let Some(place) = place {
            self.note(line, place);
        }
        let mut shard = self.shard(line);
        let lease = shard.as_mut().map_or(LeaseId(0), |shard| shard.next_lease());
        let mut slot = place.zip(shard).and_then(|(place, shard)| shard.get_mut(place));
        if let Some(slot) = &mut slot {
            slot.touch(at.now);
        }
        let mut state = slot.map(|slot| &mut slot.state);
        let (claim, step) = guard.charge(state.as_deref_mut(), &wanted, lease, at);
        if !guard.is_shadow() {
            guard.rooms(state.as_deref(), at, |room| verdict.limits.push(Limit { guard, room }));
        }
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
    fn room_for(&self, line: &Line<'_, '_>) -> Result<(), Refused> {
        let guard = line.ask.guard;
        let keys = match self.lists.iter().find(|(id, _)| *id == guard.id) {
            Some((_, list)) => list.keys(),
            None => guard.keys.keys(),
        };
        let wanted = line.wanted();
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
        let at = (line.shard, place);
        let noted = |undo: &Vec<Undo>| undo.iter().any(|step| (step.shard, step.place) == at);
        // How it was before the first charge is all that matters; a state may be large.
        if self.undo.as_ref().is_none_or(noted) {
            return;
        }
        let slot = self.shard(line).and_then(|shard| shard.get(place));
        let before = slot.map(|slot| (slot.state.clone(), slot.last));
        if let (Some(undo), Some(before)) = (&mut self.undo, before) {
            let (shard, guard) = (line.shard, line.ask.guard.id);
            undo.push(Undo { shard, place, before: Some(before), guard });
        }
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

impl<'k> Line<'_, 'k> {
    fn wanted(&self) -> Wanted<'k> {
        self.ask.wanted(self.facts)
    }

    fn has_state(&self) -> bool {
        !matches!(self.ask.guard.rules, Rules::Sampling(..) | Rules::Timeout(_))
    }
}
