//! All or nothing: a request is charged by every guardrail that matches it, or by none.

use super::ask::{Asks, Facts};
use super::draw::Draw;
use super::guard::{Guard, Rules};
use super::keyed::Table;
use super::refused::Refused;
use super::sheet::{Lines, Sheet, lines};
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
        self.charge_all(&[Item { asks, facts }], at, draw).pop().unwrap_or_default()
    }

    /// Charges all requests of a batch, one after the other at one instant, if all are admitted;
    /// otherwise nothing has changed. The verdicts stand in the order of the items.
    pub fn charge_all<'g>(&self, items: &[Item<'_, 'g>], at: At, draw: &mut Draw) -> Vec<Verdict<'g>> {
        self.go_through(items, at, draw, true)
    }

    /// What [`Ledger::charge_all`] would say of each, one after the other, charging nothing in
    /// the end: another part of the batch is refused.
    pub fn peek_all<'g>(&self, items: &[Item<'_, 'g>], at: At, draw: &mut Draw) -> Vec<Verdict<'g>> {
        self.go_through(items, at, draw, false)
    }

    fn go_through<'g>(
        &self,
        items: &[Item<'_, 'g>],
        at: At,
        draw: &mut Draw,
        keep: bool,
    ) -> Vec<Verdict<'g>> {
        let lines: Vec<Lines<'g, '_>> = items.iter().map(|item| lines(&self.table, item.asks)).collect();
        let mut round = 0_u32;
        loop {
            round = round.saturating_add(1);
            let last = round >= ROUNDS;
            match self.attempt(items, &lines, at, draw, Attempt { last, keep }) {
                Ok(verdicts) => return verdicts,
                Err(full) => self.make_room(full, at),
            }
        }
    }

    /// What [`Ledger::charge`] would say, charging nothing.
    pub fn peek<'g>(&self, asks: &Asks<'g>, facts: &Facts, at: At, draw: &mut Draw) -> Verdict<'g> {
        let lines = lines(&self.table, asks);
        let each = lines.iter().map(|line| (line, facts));
        let mut sheet = Sheet::open(&self.table, each, false, false);
        let refused = sheet.check(&lines, facts, at, false);
        let mut verdict = Verdict::default();
        say(&mut verdict, &lines, &refused, draw);
        sheet.limits(&lines, at, &mut verdict);
        verdict.order();
        verdict
    }

    /// Checks and charges with everything locked. Finds no room for a key: says which guardrail's
    /// table is full, unless this is the last attempt.
    fn attempt<'g>(
        &self,
        items: &[Item<'_, 'g>],
        lines: &[Lines<'g, '_>],
        at: At,
        draw: &mut Draw,
        Attempt { last, keep }: Attempt,
    ) -> Result<Vec<Verdict<'g>>, &'g Guard> {
        let each = items.iter().zip(lines);
        let all = each.clone().flat_map(|(item, lines)| lines.iter().map(|line| (line, item.facts)));
        let mut sheet = Sheet::open(&self.table, all, true, items.len() > 1 || !keep);
        let mut verdicts = Vec::with_capacity(items.len());
        for (item, lines) in each.clone() {
            let refused = sheet.check(lines, item.facts, at, true);
            if let Some(full) = full(lines, &refused).filter(|_| !last) {
                sheet.undo();
                return Err(full);
            }
            let mut verdict = Verdict::default();
            say(&mut verdict, lines, &refused, draw);
            if verdict.is_allowed() {
                let admits = |number| !refused.iter().any(|(refused, _)| *refused == number);
                sheet.charge(lines, item.facts, at, admits, &mut verdict);
            }
            verdicts.push(verdict);
        }
        if !keep || verdicts.iter().any(|verdict| !verdict.is_allowed()) {
            sheet.undo();
            for verdict in &mut verdicts {
                verdict.tickets.clear();
                verdict.events.clear();
                verdict.report_within = None;
            }
        }
        for ((_, lines), verdict) in each.zip(&mut verdicts) {
            sheet.limits(lines, at, verdict);
            verdict.order();
        }
        Ok(verdicts)
    }
}

/// Puts refusals into words, those of shadow guardrails apart.
fn say<'g>(verdict: &mut Verdict<'g>, lines: &Lines<'g, '_>, refused: &[(usize, Refused)], draw: &mut Draw) {
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

/// The first guardrail that has no room for a key.
fn full<'g>(lines: &Lines<'g, '_>, refused: &[(usize, Refused)]) -> Option<&'g Guard> {
    let full = refused.iter().find(|(_, refused)| refused.code == ReasonCode::KeysFull)?;
    lines.get(full.0).map(|line| line.ask.guard)
}

#[cfg(test)]
mod tests;
