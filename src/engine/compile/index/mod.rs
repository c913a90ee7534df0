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
use super::rules::{RuleRef, Rules};
use super::target::Need;
use crate::condition::slots::{Slot, SlotId, Slots};
use crate::model::request::Request;
use crate::model::{Field, Op};
use crate::value::{Const, View};

/// How many pairs of agent and action one rule may stand under; beyond, it stands under its
/// actions (or its agents) alone.
const MOST_PAIRS: usize = 256;
/// Up to how many rules a pair needs no bucket.
const FEW: usize = 8;

/// The two axes on which a bundle's rules are found.
#[derive(Debug, Default)]
pub struct Axes {
    agents: Axis,
    actions: Axis,
}

/// The pairs of atoms that fit one request.
#[derive(Debug, Default)]
pub struct Pairs {
    agents: Vec<AtomId>,
    actions: Vec<AtomId>,
}

impl Axes {
    /// Gathers the atoms that fit a request.
    pub fn fit(&self, request: &Request<'_>, into: &mut Pairs) {
        self.agents.fitting(request.subject.agent, &mut into.agents);
        self.actions.fitting(request.action.name, &mut into.actions);
    }
}

/// Rules by what they pin.
#[derive(Debug, Default)]
pub struct Index {
    places: HashMap<(AtomId, AtomId), Place, RandomState>,
    /// The ranks of small buckets, one after the other.
    ranks: Vec<Rank>,
    buckets: Vec<Bucket>,
    /// For each slot: what the rules that fail closed ask of it.
    guarded: Vec<Ordered>,
}

/// Where the rules of a pair stand.
#[derive(Clone, Copy, Debug)]
enum Place {
    Few { start: u32, count: u32 },
    Many(u32),
}

/// What rules that fail closed ask of a slot.
#[derive(Clone, Copy, Debug, Default)]
struct Ordered {
    /// They test it.
    tested: bool,
    /// By `<` and the like with a number.
    numbers: bool,
    /// By `<` and the like with a text, or by a glob.
    texts: bool,
}

impl Index {
    /// An index of these rules over `slots` slots. Needs that finding a rule proves are marked.
    #[must_use]
    pub fn of(rules: &mut Rules, axes: &mut Axes, slots: usize) -> Self {
        let mut index = Self { guarded: vec![Ordered::default(); slots], ..Self::default() };
        let mut pairs = BTreeMap::<(AtomId, AtomId), Vec<Rank>>::new();
        let ranks = 0..Rank::try_from(rules.len()).unwrap_or(Rank::MAX);
        for rank in ranks {
            let Some(rule) = rules.at(rank) else { continue };
            let found = axes.pairs(rule);
            if rule.fails_closed() {
                index.guard(rule);
            }
            for pair in found.pairs {
                pairs.entry(pair).or_default().push(rank);
            }
            rules.prove(rank, |need| {
                found.agent && need.field == Field::Agent || found.action && need.field == Field::Action
            });
        }
        for (pair, ranks) in pairs {
            let place = index.place(ranks, rules);
            index.places.insert(pair, place);
        }
        index
    }

    fn place(&mut self, ranks: Vec<Rank>, rules: &Rules) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        if ranks.len() > FEW {
            self.buckets.push(Bucket::of(ranks, rules));
            return Place::Many(number(self.buckets.len() - 1));
        }
        let (start, count) = (number(self.ranks.len()), number(ranks.len()));
        self.ranks.extend(ranks);
        Place::Few { start, count }
    }

    fn guard(&mut self, rule: RuleRef<'_>) {
        for (slot, op) in rule.ops() {
            let Some(ordered) = self.guarded.get_mut(slot.index()) else { continue };
            ordered.tested = true;
            match &op {
                Op::Lt(c) | Op::Le(c) | Op::Gt(c) | Op::Ge(c) | Op::Between(c, _) => match c {
                    Const::Number(_) => ordered.numbers = true,
                    _ => ordered.texts = true,
                },
                Op::Matches(_) => ordered.texts = true,
                Op::Eq(_) | Op::Ne(_) | Op::In(_) | Op::NotIn(_) | Op::Exists(_) => {}
            }
        }
    }

    /// The best rank for which `matches` holds, if any: it is asked of each rule that may match,
    /// the better ranks first within each part of the index.
    pub fn first(&self, asked: &Asked<'_, '_>, matches: &mut dyn FnMut(Rank) -> bool) -> Option<Rank> {
        let mut below = Rank::MAX;
        self.scan(asked, &mut below, matches);
        let alone = self.erring(asked.slots).count() == 1;
        for slot in self.erring(asked.slots) {
            self.each_place(asked.pairs, &mut |place| {
                if let Place::Many(at) = place
                    && let Some(bucket) = self.buckets.get(at as usize)
                {
                    bucket.scan_errors((slot, alone), asked, &mut below, matches);
                }
            });
        }
        (below != Rank::MAX).then_some(below)
    }

    /// Calls `visit` with each rule that may match without an error, in no order.
    pub fn each(&self, asked: &Asked<'_, '_>, visit: &mut dyn FnMut(Rank)) {
        let mut below = Rank::MAX;
        self.scan(asked, &mut below, &mut |rank| {
            visit(rank);
            false
        });
    }

    fn scan(&self, asked: &Asked<'_, '_>, below: &mut Rank, visit: &mut dyn FnMut(Rank) -> bool) {
        self.each_place(asked.pairs, &mut |place| match place {
            Place::Few { start, count } => {
                let few = self.ranks.get(start as usize..(start + count) as usize).unwrap_or_default();
                run::visit_all(few, |_| true, below, visit);
            }
            Place::Many(at) => {
                if let Some(bucket) = self.buckets.get(at as usize) {
                    bucket.scan(asked, below, visit);
                }
            }
        });
    }

    fn each_place(&self, pairs: &Pairs, visit: &mut dyn FnMut(Place)) {
        for action in &pairs.actions {
            for agent in &pairs.agents {
                if let Some(place) = self.places.get(&(*agent, *action)) {
                    visit(*place);
                }
            }
        }
    }

    /// The slots on which a test of a rule that fails closed may err for this request.
    fn erring<'s>(&'s self, slots: &'s Slots<'_>) -> impl Iterator<Item = SlotId> + 's {
        let present = (!self.buckets.is_empty()).then(|| slots.present()).into_iter().flatten();
        present.filter_map(|(slot, value)| {
            self.guarded.get(slot.index()).is_some_and(|ordered| ordered.may_err(value)).then_some(slot)
        })
    }
}

/// A request in the form in which the index is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'q, 'a> {
    /// The request.
    pub request: &'q Request<'a>,
    /// The environment that it is decided in.
    pub environment: &'a str,
    /// What it holds where the bundle looks.
    pub slots: &'q Slots<'a>,
    /// The atoms that fit it.
    pub pairs: &'q Pairs,
}

/// Under which pairs a rule stands, and what standing there proves.
struct Found {
    pairs: Vec<(AtomId, AtomId)>,
    agent: bool,
    action: bool,
}

impl Axes {
    fn pairs(&mut self, rule: RuleRef<'_>) -> Found {
        let (agent, action) = (pinned(rule, Field::Agent), pinned(rule, Field::Action));
        let mut agents = agent.map_or_else(|| vec![ANY], |need| self.agents.atoms(&need.texts));
        let mut actions = action.map_or_else(|| vec![ANY], |need| self.actions.atoms(&need.texts));
        if agents.len().saturating_mul(actions.len()) > MOST_PAIRS {
            let fewer = if actions.contains(&ANY) { &mut actions } else { &mut agents };
            *fewer = vec![ANY];
        }
        Found {
            agent: agent.is_some_and(|need| proves(rule, need, &agents)),
            action: action.is_some_and(|need| proves(rule, need, &actions)),
            pairs: agents.iter().flat_map(|a| actions.iter().map(move |b| (*a, *b))).collect(),
        }
    }
}

/// Whether standing under these atoms leaves nothing of a need to check. A second need on the
/// same field is never proved.
fn proves(rule: RuleRef<'_>, need: &Need, atoms: &[AtomId]) -> bool {
    let alone = rule.wanted().filter(|other| other.field == need.field).count() == 1;
    alone && !atoms.contains(&ANY) && Axis::proves(&need.texts)
}

impl Ordered {
    const fn may_err(self, slot: Slot<'_>) -> bool {
        self.tested
            && match slot {
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
fn pinned(rule: RuleRef<'_>, field: Field) -> Option<&Need> {
    rule.wanted().find(|need| need.field == field)
}
