//! Which rules may match a request, without looking at the others (design 5.4, point 2).
//!
//! Rules are numbered by rank. A rule stands in the bucket of each pair of agent and action that
//! it names; within a bucket it is found by an equality that it pins, by a slot that it needs,
//! or by walking what is left. Whatever is found is tested again, so the index may only err by
//! offering too much.

mod axis;
mod bucket;
mod run;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use self::axis::{ANY, AtomId, Axis};
use self::bucket::Bucket;
pub use self::run::Rank;
use super::rule::CompiledRule;
use super::target::Need;
use crate::condition::slots::{Slot, SlotId, Slots};
use crate::model::request::Request;
use crate::model::{Field, Op};
use crate::value::{Const, View};

/// How many pairs of agent and action one rule may stand under; beyond, it stands under its
/// actions (or its agents) alone.
const MOST_PAIRS: usize = 256;

/// Rules by what they pin.
#[derive(Debug, Default)]
pub struct Index {
    agents: Axis,
    actions: Axis,
    buckets: HashMap<(AtomId, AtomId), Bucket, RandomState>,
    /// For each slot that a rule which fails closed tests: the types that it is ordered with.
    guarded: HashMap<SlotId, Ordered, RandomState>,
}

/// With which types a slot is compared by `<` and the like, or by a glob.
#[derive(Clone, Copy, Debug, Default)]
struct Ordered {
    numbers: bool,
    texts: bool,
}

impl Index {
    /// An index of these rules, which stand in rank order.
    #[must_use]
    pub fn of(rules: &[CompiledRule]) -> Self {
        let mut index = Self::default();
        let mut buckets = BTreeMap::<(AtomId, AtomId), Vec<Rank>>::new();
        for (rank, rule) in (0..).zip(rules) {
            for pair in index.pairs(rule) {
                buckets.entry(pair).or_default().push(rank);
            }
            if rule.fails_closed {
                index.guard(rule);
            }
        }
        let made = buckets.into_iter().map(|(pair, ranks)| (pair, Bucket::of(ranks, rules)));
        index.buckets = made.collect();
        index
    }

    fn pairs(&mut self, rule: &CompiledRule) -> Vec<(AtomId, AtomId)> {
        let agents = pinned(rule, Field::Agent).map_or_else(|| vec![ANY], |n| self.agents.atoms(&n.texts));
        let actions = pinned(rule, Field::Action).map_or_else(|| vec![ANY], |n| self.actions.atoms(&n.texts));
        if agents.len().saturating_mul(actions.len()) <= MOST_PAIRS {
            return agents.iter().flat_map(|a| actions.iter().map(move |b| (*a, *b))).collect();
        }
        if actions.contains(&ANY) {
            return agents.into_iter().map(|agent| (agent, ANY)).collect();
        }
        actions.into_iter().map(|action| (ANY, action)).collect()
    }

    fn guard(&mut self, rule: &CompiledRule) {
        for test in &rule.tests {
            let ordered = self.guarded.entry(test.slot).or_default();
            match &test.op {
                Op::Lt(c) | Op::Le(c) | Op::Gt(c) | Op::Ge(c) | Op::Between(c, _) => match c {
                    Const::Number(_) => ordered.numbers = true,
                    _ => ordered.texts = true,
                },
                Op::Matches(_) => ordered.texts = true,
                Op::Eq(_) | Op::Ne(_) | Op::In(_) | Op::NotIn(_) | Op::Exists(_) => {}
            }
        }
    }

    /// The best rank below which `matches` holds, if any: `matches` is asked of each rule that
    /// may match, the better ranks first within each part of the index.
    pub fn first(
        &self,
        request: &Request<'_>,
        environment: &str,
        slots: &Slots<'_>,
        matches: &mut dyn FnMut(Rank) -> bool,
    ) -> Option<Rank> {
        let mut below = Rank::MAX;
        self.each_bucket(request, &mut |bucket| {
            bucket.scan(request, environment, slots, &mut below, matches);
        });
        for slot in self.erring(slots) {
            self.each_bucket(request, &mut |bucket| {
                bucket.scan_errors(slot, slots, &mut below, matches);
            });
        }
        (below != Rank::MAX).then_some(below)
    }

    /// Calls `visit` with each rule that may match without an error, in no order.
    pub fn each(
        &self,
        request: &Request<'_>,
        environment: &str,
        slots: &Slots<'_>,
        visit: &mut dyn FnMut(Rank),
    ) {
        let mut below = Rank::MAX;
        self.each_bucket(request, &mut |bucket| {
            bucket.scan(request, environment, slots, &mut below, &mut |rank| {
                visit(rank);
                false
            });
        });
    }

    fn each_bucket(&self, request: &Request<'_>, visit: &mut dyn FnMut(&Bucket)) {
        self.actions.fitting(request.action.name, &mut |action| {
            self.agents.fitting(request.subject.agent, &mut |agent| {
                if let Some(bucket) = self.buckets.get(&(agent, action)) {
                    visit(bucket);
                }
            });
        });
    }

    /// The slots on which a test of a rule that fails closed may err for this request.
    fn erring<'s>(&'s self, slots: &'s Slots<'_>) -> impl Iterator<Item = SlotId> + 's {
        let guarded = !self.guarded.is_empty();
        let present = guarded.then(|| slots.present()).into_iter().flatten();
        present.filter_map(|(slot, value)| {
            let ordered = self.guarded.get(&slot)?;
            ordered.may_err(value).then_some(slot)
        })
    }
}

impl Ordered {
    const fn may_err(self, slot: Slot<'_>) -> bool {
        match slot {
            Slot::Absent => false,
            Slot::Broken => true,
            Slot::Unset(value) | Slot::Value(value) => match value {
                View::Number(n) => n.is_nan() || self.texts,
                View::Str(_) => self.numbers,
                View::Null | View::Bool(_) => self.numbers || self.texts,
                View::List(_) | View::Map(_) => true,
            },
        }
    }
}

/// The need of a rule on this axis: its first, since all must hold.
fn pinned(rule: &CompiledRule, field: Field) -> Option<&Need> {
    rule.needs.wanted().find(|need| need.field == field)
}
