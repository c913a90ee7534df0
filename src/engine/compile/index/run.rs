//! A run: rules in rank order, with zones where there are many.
//!
//! A zone says, for 64 rules (and again for 4,096), between which bounds a number must lie for
//! any of them to match; a request outside skips them all (design 5.4, zone maps).

pub use crate::compile::rules::Rank;
use crate::compile::rules::{RuleRef, Rules};
use crate::condition::slots::{Slot, SlotId, Slots};
use crate::model::Op;
use crate::value::{Const, View};

/// From how many rules on a run has zones.
const ZONED: usize = 64;
/// Rules in a zone, and zones in a region.
const WIDTH: usize = 64;

/// Rules in rank order.
#[derive(Debug, Default)]
pub struct Run {
    ranks: Box<[Rank]>,
    zones: Option<Zones>,
}

/// Bounds on one slot, for each rule and for groups of them.
#[derive(Debug)]
struct Zones {
    slot: SlotId,
    /// Whether rules may match although the slot is absent.
    open: bool,
    bounds: Box<[Bounds]>,
    zones: Box<[Zone]>,
    regions: Box<[Zone]>,
}

/// The numbers for which a rule may match; both ends included.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    low: f64,
    high: f64,
    /// It may match whatever the slot holds, even nothing.
    always: bool,
}

/// Bounds that cover those of a group of rules.
type Zone = Bounds;

impl Bounds {
    const ALWAYS: Self = Self { low: f64::NEG_INFINITY, high: f64::INFINITY, always: true };

    /// NaN stands for a slot without a number, which lies nowhere.
    fn admit(&self, number: f64) -> bool {
        self.always || (number >= self.low && number <= self.high)
    }

    fn cover(group: &[Self]) -> Self {
        let none = Self { low: f64::INFINITY, high: f64::NEG_INFINITY, always: false };
        group.iter().fold(none, |all, one| Self {
            low: all.low.min(one.low),
            high: all.high.max(one.high),
            always: all.always || one.always,
        })
    }
}

impl Run {
    /// A run of these rules, which must be in rank order, without zones.
    #[must_use]
    pub fn plain(ranks: Vec<Rank>) -> Self {
        Self { ranks: ranks.into(), zones: None }
    }

    /// A run of these rules, which must be in rank order, zoned by what they compare; this slot
    /// aside, if one is named.
    #[must_use]
    pub fn beside(ranks: Vec<Rank>, rules: &Rules, aside: Option<SlotId>) -> Self {
        let zones = (ranks.len() > ZONED).then(|| Zones::of(&ranks, rules, aside)).flatten();
        Self { ranks: ranks.into(), zones }
    }

    /// Visits the rules that may match, in rank order, up to `below`; a visit that returns true
    /// ends the run and lowers `below` to that rank.
    pub fn scan(&self, slots: &Slots<'_>, below: &mut Rank, visit: &mut dyn FnMut(Rank) -> bool) {
        match &self.zones {
            None => {
                visit_all(&self.ranks, |_| true, below, visit);
            }
            Some(zones) => zones.scan(&self.ranks, slots, below, visit),
        }
    }
}

/// Visits these ranks in order; whether the run is over.
pub(super) fn visit_all(
    ranks: &[Rank],
    admits: impl Fn(usize) -> bool,
    below: &mut Rank,
    visit: &mut dyn FnMut(Rank) -> bool,
) -> bool {
    for (i, rank) in ranks.iter().enumerate() {
        if *rank >= *below {
            return true;
        }
        if admits(i) && visit(*rank) {
            *below = *rank;
            return true;
        }
    }
    false
}

impl Zones {
    fn of(ranks: &[Rank], rules: &Rules, aside: Option<SlotId>) -> Option<Self> {
        let slot = commonest_ordered_slot(ranks, rules, aside)?;
        let bound = |rank: &Rank| rules.at(*rank).map_or(Bounds::ALWAYS, |rule| bounds_on(rule, slot));
        let bounds: Box<[Bounds]> = ranks.iter().map(bound).collect();
        let zones: Box<[Zone]> = bounds.chunks(WIDTH).map(Bounds::cover).collect();
        let regions = zones.chunks(WIDTH).map(Bounds::cover).collect();
        Some(Self { slot, open: aside.is_some(), bounds, zones, regions })
    }

    fn scan(&self, ranks: &[Rank], slots: &Slots<'_>, below: &mut Rank, visit: &mut dyn FnMut(Rank) -> bool) {
        let number = match slots.get(self.slot) {
            Slot::Value(View::Number(n)) => n,
            Slot::Absent if self.open => {
                visit_all(ranks, |_| true, below, visit);
                return;
            }
            Slot::Value(_) | Slot::Unset(_) | Slot::Absent | Slot::Broken => f64::NAN,
        };
        let regions = self.regions.iter().zip(self.zones.chunks(WIDTH)).enumerate();
        for (region_at, (region, zones)) in regions {
            if !region.admit(number) {
                continue;
            }
            for (zone_at, zone) in zones.iter().enumerate() {
                let start = (region_at * WIDTH + zone_at) * WIDTH;
                let Some(group) = ranks.get(start..ranks.len().min(start + WIDTH)) else {
                    return;
                };
                if group.first().is_none_or(|first| *first >= *below) {
                    return;
                }
                if !zone.admit(number) {
                    continue;
                }
                let admits = |i: usize| self.bounds.get(start + i).is_none_or(|b| b.admit(number));
                if visit_all(group, admits, below, visit) {
                    return;
                }
            }
        }
    }
}

/// The slot that most of these rules compare with a number.
fn commonest_ordered_slot(ranks: &[Rank], rules: &Rules, aside: Option<SlotId>) -> Option<SlotId> {
    let mut counts = std::collections::HashMap::<SlotId, usize>::new();
    for (slot, op) in ranks.iter().filter_map(|rank| rules.at(*rank)).flat_map(RuleRef::ops) {
        if Some(slot) != aside && interval(&op).is_some() {
            *counts.entry(slot).or_default() += 1;
        }
    }
    let best = counts.into_iter().max_by_key(|(slot, count)| (*count, std::cmp::Reverse(*slot)));
    best.filter(|(_, count)| *count * 2 >= ranks.len()).map(|(slot, _)| slot)
}

/// For which numbers in a slot a rule may match.
fn bounds_on(rule: RuleRef<'_>, slot: SlotId) -> Bounds {
    if rule.is_opaque() {
        return Bounds::ALWAYS;
    }
    let own = rule.ops().filter(|(own, _)| *own == slot).filter_map(|(_, op)| interval(&op));
    own.fold(Bounds::ALWAYS, |all, (low, high)| Bounds {
        low: all.low.max(low),
        high: all.high.min(high),
        always: false,
    })
}

/// The closed interval that an operator leaves to a number; open ends are taken as closed, since
/// the test itself is made again.
pub(super) fn interval(op: &Op) -> Option<(f64, f64)> {
    let (min, max) = (f64::NEG_INFINITY, f64::INFINITY);
    match op {
        Op::Eq(Const::Number(n)) => Some((*n, *n)),
        Op::Lt(Const::Number(n)) | Op::Le(Const::Number(n)) => Some((min, *n)),
        Op::Gt(Const::Number(n)) | Op::Ge(Const::Number(n)) => Some((*n, max)),
        Op::Between(Const::Number(low), Const::Number(high)) => Some((*low, *high)),
        _ => None,
    }
}
