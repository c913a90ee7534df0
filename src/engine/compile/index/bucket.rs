//! A bucket: the rules that share one pair of agent and action, found by what else they pin.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use super::Asked;
use super::run::{Rank, Run, interval};
use crate::compile::rules::{RuleRef, Rules};
use crate::compile::target::{Need, text_of};
use crate::condition::slots::{Slot, SlotId, Slots};
use crate::model::{Field, Op};
use crate::value::{Const, View};

type Map<K, V> = HashMap<K, V, RandomState>;

/// Rules of one pair of agent and action.
#[derive(Debug, Default)]
pub struct Bucket {
    /// Rules that pin nothing else, or may match by error.
    rest: Run,
    /// By a text that a field of the target must be.
    targets: Vec<(Field, Map<Box<str>, Run>)>,
    /// By a value that a slot must equal.
    equal: Map<SlotId, Equal>,
    /// By a slot that must hold something.
    present: Map<SlotId, Run>,
    /// Rules that match when a test of this slot errs: looked at only where it may.
    by_error: Map<SlotId, Run>,
}

/// Rules by the value that one slot must equal.
#[derive(Debug, Default)]
struct Equal {
    texts: Map<Box<str>, Run>,
    numbers: Map<u64, Run>,
    booleans: [Run; 2],
}

/// One way to find a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Pin {
    Target(Field, Box<str>),
    Text(SlotId, Box<str>),
    Number(SlotId, u64),
    Boolean(SlotId, bool),
    Present(SlotId),
}

impl Bucket {
    /// A bucket of these rules, which must be in rank order.
    #[must_use]
    pub fn of(ranks: Vec<Rank>, rules: &Rules) -> Self {
        let mut counts = Map::<Pin, usize>::default();
        for pins in ranks.iter().filter_map(|rank| rules.at(*rank)).flat_map(ways) {
            for pin in pins {
                *counts.entry(pin).or_default() += 1;
            }
        }
        let (mut rest, mut by_pin) = (Vec::new(), BTreeMap::<Pin, Vec<Rank>>::new());
        let mut by_error = BTreeMap::<SlotId, Vec<Rank>>::new();
        for rank in ranks {
            let Some(rule) = rules.at(rank) else {
                continue;
            };
            match best_way(rule, &counts) {
                Some(pins) => pins.into_iter().for_each(|pin| by_pin.entry(pin).or_default().push(rank)),
                None => rest.push(rank),
            }
            if rule.fails_closed() {
                for slot in slots_of(rule) {
                    by_error.entry(slot).or_default().push(rank);
                }
            }
        }
        let mut bucket = Self { rest: Run::of(rest, Some(rules)), ..Self::default() };
        for (slot, ranks) in by_error {
            bucket.by_error.insert(slot, Run::of(ranks, None));
        }
        for (pin, ranks) in by_pin {
            bucket.put(pin, Run::of(ranks, Some(rules)));
        }
        bucket
    }

    fn put(&mut self, pin: Pin, run: Run) {
        match pin {
            Pin::Target(field, text) => {
                let at = self.targets.iter().position(|(own, _)| *own == field).unwrap_or_else(|| {
                    self.targets.push((field, Map::default()));
                    self.targets.len() - 1
                });
                if let Some((_, map)) = self.targets.get_mut(at) {
                    map.insert(text, run);
                }
            }
            Pin::Text(slot, text) => {
                self.equal.entry(slot).or_default().texts.insert(text, run);
            }
            Pin::Number(slot, bits) => {
                self.equal.entry(slot).or_default().numbers.insert(bits, run);
            }
            Pin::Boolean(slot, value) => {
                let [no, yes] = &mut self.equal.entry(slot).or_default().booleans;
                *(if value { yes } else { no }) = run;
            }
            Pin::Present(slot) => {
                self.present.insert(slot, run);
            }
        }
    }

    /// Visits the rules that may match; see [`Run::scan`].
    pub fn scan(&self, asked: &Asked<'_, '_>, below: &mut Rank, visit: &mut dyn FnMut(Rank) -> bool) {
        let slots = asked.slots;
        self.rest.scan(slots, below, visit);
        for (field, map) in &self.targets {
            if let Some(run) = map.get(text_of(asked.request, asked.environment, *field)) {
                run.scan(slots, below, visit);
            }
        }
        if self.equal.len() + self.present.len() <= slots.present_len() {
            self.scan_by_pin(slots, below, visit);
        } else {
            self.scan_by_slot(slots, below, visit);
        }
    }

    /// Visits the rules that may match because a test of this slot errs.
    pub fn scan_errors(
        &self,
        slot: SlotId,
        slots: &Slots<'_>,
        below: &mut Rank,
        visit: &mut dyn FnMut(Rank) -> bool,
    ) {
        if let Some(run) = self.by_error.get(&slot) {
            run.scan(slots, below, visit);
        }
    }

    fn scan_by_pin(&self, slots: &Slots<'_>, below: &mut Rank, visit: &mut dyn FnMut(Rank) -> bool) {
        for (slot, equal) in &self.equal {
            if let Some(run) = equal.run(slots.get(*slot)) {
                run.scan(slots, below, visit);
            }
        }
        for (slot, run) in &self.present {
            if !matches!(slots.get(*slot), Slot::Absent) {
                run.scan(slots, below, visit);
            }
        }
    }

    fn scan_by_slot(&self, slots: &Slots<'_>, below: &mut Rank, visit: &mut dyn FnMut(Rank) -> bool) {
        for (slot, value) in slots.present() {
            if let Some(run) = self.equal.get(&slot).and_then(|equal| equal.run(value)) {
                run.scan(slots, below, visit);
            }
            if let Some(run) = self.present.get(&slot) {
                run.scan(slots, below, visit);
            }
        }
    }
}

impl Equal {
    fn run(&self, slot: Slot<'_>) -> Option<&Run> {
        let Slot::Value(value) = slot else {
            return None;
        };
        match value {
            View::Str(text) => self.texts.get(text),
            View::Number(n) => self.numbers.get(&bits(n)),
            View::Bool(b) => {
                let [no, yes] = &self.booleans;
                Some(if b { yes } else { no })
            }
            View::Null | View::List(_) | View::Map(_) => None,
        }
    }
}

/// The bits of a number; both zeros are one.
fn bits(n: f64) -> u64 {
    if n == 0.0 { 0 } else { n.to_bits() }
}

/// The ways to find a rule: each a set of pins of which a matching request has at least one.
fn ways(rule: RuleRef<'_>) -> Vec<Vec<Pin>> {
    let mut ways: Vec<Vec<Pin>> = rule.wanted().filter_map(target_way).collect();
    if !rule.is_opaque() {
        ways.extend(rule.ops().filter_map(|(slot, op)| equal_way(slot, &op)));
        ways.extend(present_slot(rule).map(|slot| vec![Pin::Present(slot)]));
    }
    ways
}

fn target_way(need: &Need) -> Option<Vec<Pin>> {
    let indexed = matches!(need.field, Field::Agent | Field::Action) || need.field.is_list();
    let exact = !indexed && need.texts.globs().is_empty();
    let pins = need.texts.exact().map(|text| Pin::Target(need.field, text.into()));
    exact.then(|| pins.collect())
}

fn equal_way(slot: SlotId, op: &Op) -> Option<Vec<Pin>> {
    let pin = |constant: &Const| match constant {
        Const::Str(text) => Some(Pin::Text(slot, text.clone())),
        Const::Number(n) => Some(Pin::Number(slot, bits(*n))),
        Const::Bool(b) => Some(Pin::Boolean(slot, *b)),
        Const::Null | Const::List(_) | Const::Map(_) => None,
    };
    match op {
        Op::Eq(constant) => pin(constant).map(|pin| vec![pin]),
        Op::In(list) => {
            let mut pins = list.iter().map(pin).collect::<Option<Vec<_>>>()?;
            pins.sort_unstable();
            pins.dedup();
            Some(pins)
        }
        _ => None,
    }
}

/// A slot without which the rule cannot match; one that is compared with a number if there is.
fn present_slot(rule: RuleRef<'_>) -> Option<SlotId> {
    let needed = || rule.ops().filter(|(_, op)| !matches!(op, Op::Exists(_)));
    let ordered = needed().find(|(_, op)| interval(op).is_some());
    ordered.or_else(|| needed().next()).map(|(slot, _)| slot)
}

/// The way whose pins are shared with the fewest other rules.
fn best_way(rule: RuleRef<'_>, counts: &Map<Pin, usize>) -> Option<Vec<Pin>> {
    let crowd =
        |way: &Vec<Pin>| -> usize { way.iter().map(|pin| counts.get(pin).copied().unwrap_or(0)).sum() };
    ways(rule).into_iter().min_by_key(crowd)
}

fn slots_of(rule: RuleRef<'_>) -> Vec<SlotId> {
    let mut slots: Vec<SlotId> = rule.tests().iter().map(crate::condition::test::Test::slot).collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}
