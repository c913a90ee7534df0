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
    /// By a slot that they find rules by, and whose absence does not rule them out.
    absent: Map<SlotId, Run>,
    /// Rules that match when a test of this slot errs: looked at only where it may.
    by_error: Map<SlotId, ByError>,
}

/// Rules that fail closed and test one slot.
#[derive(Debug)]
struct ByError {
    all: Run,
    /// The same rules, found by what else they pin: enough while no other slot errs.
    found: Box<Bucket>,
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

impl Pin {
    const fn slot(&self) -> Option<SlotId> {
        match self {
            Self::Target(..) => None,
            Self::Text(slot, _) | Self::Number(slot, _) | Self::Boolean(slot, _) | Self::Present(slot) => {
                Some(*slot)
            }
        }
    }
}

impl Bucket {
    /// A bucket of these rules, which must be in rank order.
    #[must_use]
    pub fn of(ranks: Vec<Rank>, rules: &Rules) -> Self {
        let mut by_error = BTreeMap::<SlotId, Vec<Rank>>::new();
        for rule in ranks.iter().filter_map(|rank| rules.at(*rank)).filter(|rule| rule.fails_closed()) {
            for slot in slots_of(rule) {
                by_error.entry(slot).or_default().push(rule.rank());
            }
        }
        let mut bucket = Self::pinned(ranks, rules, None);
        for (slot, ranks) in by_error {
            let found = Box::new(Self::pinned(ranks.clone(), rules, Some(slot)));
            bucket.by_error.insert(slot, ByError { all: Run::plain(ranks), found });
        }
        bucket
    }

    /// Rules by what they pin; by what they pin beside this slot, if one is named. Beside a slot
    /// that errs, an absent field does not rule out a rule: absence and error together are error.
    fn pinned(ranks: Vec<Rank>, rules: &Rules, beside: Option<SlotId>) -> Self {
        let mut counts = Map::<Pin, usize>::default();
        for pins in ranks.iter().filter_map(|rank| rules.at(*rank)).flat_map(|rule| ways(rule, beside)) {
            for pin in pins {
                *counts.entry(pin).or_default() += 1;
            }
        }
        let (mut rest, mut by_pin) = (Vec::new(), BTreeMap::<Pin, Vec<Rank>>::new());
        let mut absent = BTreeMap::<SlotId, Vec<Rank>>::new();
        for rule in ranks.iter().filter_map(|rank| rules.at(*rank)) {
            let way = best_way(rule, beside, &counts);
            if let Some(slot) = beside.and(way.as_ref()).and_then(|pins| pins.first()).and_then(Pin::slot) {
                absent.entry(slot).or_default().push(rule.rank());
            }
            match way {
                Some(pins) => {
                    pins.into_iter().for_each(|pin| by_pin.entry(pin).or_default().push(rule.rank()))
                }
                None => rest.push(rule.rank()),
            }
        }
        let mut bucket = Self { rest: Run::beside(rest, rules, beside), ..Self::default() };
        for (pin, ranks) in by_pin {
            bucket.put(pin, Run::beside(ranks, rules, beside));
        }
        bucket.absent.extend(absent.into_iter().map(|(slot, ranks)| (slot, Run::plain(ranks))));
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
        for (slot, run) in &self.absent {
            if matches!(slots.get(*slot), Slot::Absent) {
                run.scan(slots, below, visit);
            }
        }
        if self.equal.len() + self.present.len() <= slots.present_len() {
            self.scan_by_pin(slots, below, visit);
        } else {
            self.scan_by_slot(slots, below, visit);
        }
    }

    /// Visits the rules that may match because a test of this slot errs; `alone` when no other
    /// slot errs.
    pub fn scan_errors(
        &self,
        (slot, alone): (SlotId, bool),
        asked: &Asked<'_, '_>,
        below: &mut Rank,
        visit: &mut dyn FnMut(Rank) -> bool,
    ) {
        match self.by_error.get(&slot) {
            Some(rules) if alone => rules.found.scan(asked, below, visit),
            Some(rules) => rules.all.scan(asked.slots, below, visit),
            None => {}
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
fn ways(rule: RuleRef<'_>, beside: Option<SlotId>) -> Vec<Vec<Pin>> {
    let mut ways: Vec<Vec<Pin>> = rule.wanted().filter_map(target_way).collect();
    if !rule.is_opaque() {
        let others = || rule.ops().filter(|(slot, _)| Some(*slot) != beside);
        ways.extend(others().filter_map(|(slot, op)| equal_way(slot, &op)));
        if beside.is_none() {
            ways.extend(present_slot(others()).map(|slot| vec![Pin::Present(slot)]));
        }
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
        Op::In(list) if !list.is_empty() => {
            let mut pins = list.iter().map(pin).collect::<Option<Vec<_>>>()?;
            pins.sort_unstable();
            pins.dedup();
            Some(pins)
        }
        _ => None,
    }
}

/// A slot without which these tests cannot hold; one that is compared with a number if there is.
fn present_slot(ops: impl Iterator<Item = (SlotId, Op)>) -> Option<SlotId> {
    let needed: Vec<(SlotId, Op)> = ops.filter(|(_, op)| !matches!(op, Op::Exists(_))).collect();
    let ordered = needed.iter().find(|(_, op)| interval(op).is_some());
    ordered.or_else(|| needed.first()).map(|(slot, _)| *slot)
}

/// The way whose pins are shared with the fewest other rules.
fn best_way(rule: RuleRef<'_>, beside: Option<SlotId>, counts: &Map<Pin, usize>) -> Option<Vec<Pin>> {
    let crowd =
        |way: &Vec<Pin>| -> usize { way.iter().map(|pin| counts.get(pin).copied().unwrap_or(0)).sum() };
    ways(rule, beside).into_iter().min_by_key(crowd)
}

fn slots_of(rule: RuleRef<'_>) -> Vec<SlotId> {
    let mut slots: Vec<SlotId> = rule.tests().iter().map(crate::condition::test::Test::slot).collect();
    slots.sort_unstable();
    slots.dedup();
    slots
}
