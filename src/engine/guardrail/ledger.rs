//! All or nothing: a request is charged by every guardrail that matches it, or by none.

use super::ask::{Asks, Facts};
use super::draw::Draw;
use super::guard::{Guard, Rules};
use super::keyed::Table;
use super::refused::Refused;
use super::sheet::{Line, Lines, Sheet};
use super::state::At;
use super::verdict::{Refusal, Verdict};
use crate::model::ReasonCode;

/// The state of all guardrails of a process.
#[derive(Debug)]
pub struct Ledger {
    pub(super) table: Table,
}

/// How many shards the state has unless somebody says otherwise.
pub const SHARDS: usize = 1_024;

/// How often a request looks for room for its keys before it is refused.
const ROUNDS: u32 = 3;

/// One request of a batch, with what it asks.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a, 'g> {
    /// What it asks.
    pub asks: &'a Asks<'g>,
    /// What it says about itself.
    pub facts: &'a Facts,
}

/// How a batch is gone through.
#[derive(Clone, Copy)]
struct Attempt {
    /// A table without room for a key refuses now.
    last: bool,
    /// What was charged stays, if all are admitted.
    keep: bool,
}

impl Ledger {
    /// An empty ledger. The seed spreads keys over its shards; nobody outside should know it.
    #[must_use]
    pub fn new(shards: usize, seed: u64) -> Self {
        Self { table: Table::new(shards, seed) }
    }

    /// How many bytes the keys take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let shards = (0..self.table.shards()).filter_map(|number| self.table.lock(number));
        shards.map(|shard| shard.heap()).fold(0, usize::saturating_add)
    }

    /// Charges a request if every guardrail admits it; otherwise nothing has changed.
    pub fn charge<'g>(&self, asks: &Asks<'g>, facts: &Facts, at: At, draw: &mut Draw) -> Verdict<'g> {
        let mut verdict = Verdict::default();
        self.charge_into(asks, facts, at, draw, &mut verdict);
        verdict
    }

    /// The same into a verdict that says nothing yet, for who has a place for it.
    pub fn charge_into<'g>(
        &self,
        asks: &Asks<'g>,
        facts: &Facts,
        at: At,
        draw: &mut Draw,
        verdict: &mut Verdict<'g>,
    ) {
        let mut lines = Lines::default();
        lines.add(&self.table, asks, facts);
        self.go_through(&lines, at, draw, true, std::slice::from_mut(verdict));
    }

    /// Charges all requests of a batch, one after the other at one instant, if all are admitted;
    /// otherwise nothing has changed. The verdicts stand in the order of the items.
    pub fn charge_all<'g>(&self, items: &[Item<'_, 'g>], at: At, draw: &mut Draw) -> Vec<Verdict<'g>> {
        self.each(items, at, draw, true)
    }

    /// What [`Ledger::charge_all`] would say of each, one after the other, charging nothing in
    /// the end: another part of the batch is refused.
    pub fn peek_all<'g>(&self, items: &[Item<'_, 'g>], at: At, draw: &mut Draw) -> Vec<Verdict<'g>> {
        self.each(items, at, draw, false)
    }

    fn each<'g>(&self, items: &[Item<'_, 'g>], at: At, draw: &mut Draw, keep: bool) -> Vec<Verdict<'g>> {
        let mut lines = Lines::default();
        items.iter().for_each(|item| lines.add(&self.table, item.asks, item.facts));
        let mut verdicts = Vec::new();
        verdicts.resize_with(items.len(), Verdict::default);
        self.go_through(&lines, at, draw, keep, &mut verdicts);
        verdicts
    }

    fn go_through<'g>(
        &self,
        lines: &Lines<'g, '_>,
        at: At,
        draw: &mut Draw,
        keep: bool,
        verdicts: &mut [Verdict<'g>],
    ) {
        let mut round = 0_u32;
        loop {
            round = round.saturating_add(1);
            let last = round >= ROUNDS;
            match self.attempt(lines, at, draw, Attempt { last, keep }, verdicts) {
                Ok(()) => return,
                Err(full) => self.make_room(full, at),
            }
            verdicts.fill_with(Verdict::default);
        }
    }

    /// What [`Ledger::charge`] would say, charging nothing.
    pub fn peek<'g>(&self, asks: &Asks<'g>, facts: &Facts, at: At, draw: &mut Draw) -> Verdict<'g> {
        let mut lines = Lines::default();
        lines.add(&self.table, asks, facts);
        let mut sheet = Sheet::open(&self.table, &lines, false, false);
        let mut verdict = Verdict::default();
        for lines in lines.each() {
            let refused = sheet.check(lines, at, false);
            say(&mut verdict, lines, &refused, draw);
            sheet.limits(lines, at, &mut verdict);
        }
        verdict.order();
        verdict
    }

    /// Checks and charges with everything locked, into verdicts that say nothing yet. Finds no room
    /// for a key: says which guardrail's table is full, unless this is the last attempt.
    fn attempt<'g>(
        &self,
        lines: &Lines<'g, '_>,
        at: At,
        draw: &mut Draw,
        Attempt { last, keep }: Attempt,
        verdicts: &mut [Verdict<'g>],
    ) -> Result<(), &'g Guard> {
        let alone = verdicts.len() == 1 && keep;
        let mut sheet = Sheet::open(&self.table, lines, true, !alone);
        let mut allowed = true;
        for (lines, verdict) in lines.each().zip(verdicts.iter_mut()) {
            let refused = sheet.check(lines, at, true);
            if let Some(full) = full(lines, &refused).filter(|_| !last && keep) {
                sheet.undo();
                return Err(full);
            }
            say(verdict, lines, &refused, draw);
            if verdict.is_allowed() {
                let admits = |number| !refused.iter().any(|(refused, _)| *refused == number);
                sheet.charge(lines, at, admits, verdict);
            }
            allowed &= verdict.is_allowed();
        }
        if !keep || !allowed {
            sheet.undo();
            for verdict in verdicts.iter_mut() {
                verdict.tickets.clear();
                verdict.events.clear();
                verdict.report_within = None;
            }
        }
        for (lines, verdict) in lines.each().zip(verdicts) {
            // What is left was said at the charge, and holds unless something came after it.
            if !alone || !allowed {
                verdict.limits.clear();
                sheet.limits(lines, at, verdict);
            }
            verdict.order();
        }
        Ok(())
    }
}

/// Puts refusals into words, those of shadow guardrails apart.
fn say<'g>(verdict: &mut Verdict<'g>, lines: &[Line<'g, '_>], refused: &[(usize, Refused)], draw: &mut Draw) {
    for (number, refused) in refused {
        let Some(line) = lines.get(*number) else { continue };
        let guard = line.ask.guard;
        // A retry policy only counts; it never refuses an action.
        if matches!(guard.rules, Rules::Retry(_)) {
            continue;
        }
        let refusal = Refusal::of(guard, line.key, *refused, draw);
        if guard.is_shadow() {
            verdict.shadows.push(refusal);
        } else {
            verdict.refusals.push(refusal);
        }
    }
}

/// The first guardrail that has no room for a key. Room is made for a request that nothing else
/// refuses: one that is refused anyway must not cost another its key.
fn full<'g>(lines: &[Line<'g, '_>], refused: &[(usize, Refused)]) -> Option<&'g Guard> {
    let in_shadow = |number: usize| lines.get(number).is_some_and(|line| line.ask.guard.is_shadow());
    let alone = |(number, said): &(usize, Refused)| said.code == ReasonCode::KeysFull || in_shadow(*number);
    if !refused.iter().all(alone) {
        return None;
    }
    let full = refused.iter().find(|(_, refused)| refused.code == ReasonCode::KeysFull)?;
    lines.get(full.0).map(|line| line.ask.guard)
}

#[cfg(test)]
mod tests;
