//! At most one a second of each name; the rest is counted.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use tollgate_engine::time::Moment;
use tollgate_engine::unit::Span;

/// After one is told, others of its name are left out for so long.
pub(super) const QUIET: Span = Span::from_nanos(1_000_000_000);

/// What was told and what was left out, by name.
#[derive(Debug)]
pub(super) struct Fold<T> {
    slots: HashMap<Box<str>, Slot<T>, RandomState>,
}

#[derive(Debug)]
struct Slot<T> {
    told: Moment,
    left_out: u64,
    /// The first of those left out, to be told for all of them if no other comes.
    kept: Option<T>,
}

impl<T> Default for Fold<T> {
    fn default() -> Self {
        Self { slots: HashMap::default() }
    }
}

impl<T> Fold<T> {
    /// Takes one that stands for `more` others besides. `None`: it is left out; else it is to be
    /// told, with how many were left out since the last.
    pub(super) fn take(
        &mut self,
        name: &str,
        now: Moment,
        more: u64,
        one: impl FnOnce() -> T,
    ) -> Option<(T, u64)> {
        let Some(slot) = self.slots.get_mut(name) else {
            self.slots.insert(name.into(), Slot { told: now, left_out: 0, kept: None });
            return Some((one(), more));
        };
        if now.since(slot.told) >= QUIET {
            let left_out = std::mem::take(&mut slot.left_out);
            *slot = Slot { told: now, left_out: 0, kept: None };
            return Some((one(), left_out.saturating_add(more)));
        }
        slot.left_out = slot.left_out.saturating_add(more).saturating_add(1);
        slot.kept.get_or_insert_with(one);
        None
    }

    /// Tells of those left out whose second is over, each with how many it stands for besides,
    /// and forgets the names that nobody has used for as long.
    pub(super) fn tell_due(&mut self, now: Moment, mut tell: impl FnMut(T, u64)) {
        self.slots.retain(|_, slot| {
            if now.since(slot.told) < QUIET {
                return true;
            }
            let Some(kept) = slot.kept.take() else { return false };
            tell(kept, slot.left_out.saturating_sub(1));
            *slot = Slot { told: now, left_out: 0, kept: None };
            true
        });
    }

    /// Whether it remembers nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn millis(millis: u64) -> Moment {
        Moment::from_nanos(millis * 1_000_000)
    }

    #[test]
    fn the_first_is_told_and_the_rest_of_its_second_is_counted() {
        let mut fold = Fold::default();
        assert_eq!(fold.take("a", millis(0), 0, || 'x'), Some(('x', 0)));
        assert_eq!(fold.take("a", millis(1), 0, || 'y'), None);
        assert_eq!(fold.take("b", millis(2), 7, || 'b'), Some(('b', 7)));
        assert_eq!(fold.take("a", millis(999), 2, || 'z'), None);
        assert_eq!(fold.take("a", millis(1_000), 0, || 'w'), Some(('w', 4)));
        let mut told = Vec::new();
        fold.tell_due(millis(1_999), |one, more| told.push((one, more)));
        assert_eq!((told.len(), fold.slots.len()), (0, 1), "`b` was quiet and is forgotten");
        fold.take("a", millis(1_999), 0, || 'v');
        fold.tell_due(millis(2_000), |one, more| told.push((one, more)));
        assert_eq!(told, [('v', 0)]);
        fold.tell_due(millis(3_000), |_, _| unreachable!());
        assert!(fold.is_empty());
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_comes_twice_within_a_second(
            gaps in prop::collection::vec((0_u64..700, 0_u8..3, 0_u64..3), 0..200),
        ) {
            let (mut fold, mut now, mut taken) = (Fold::default(), 0, 0);
            let mut told: Vec<(u8, u64, u64)> = Vec::new();
            for (gap, name, more) in gaps {
                now += gap;
                if gap % 2 == 0 {
                    fold.tell_due(millis(now), |name, more| told.push((name, now, more)));
                }
                taken += 1 + more;
                let out = fold.take(&name.to_string(), millis(now), more, || name);
                told.extend(out.map(|(name, more)| (name, now, more)));
            }
            fold.tell_due(millis(now + 1_000), |name, more| told.push((name, now + 1_000, more)));
            prop_assert_eq!(told.iter().map(|(_, _, more)| 1 + more).sum::<u64>(), taken);
            for name in 0..3 {
                let times: Vec<u64> = told.iter().filter(|one| one.0 == name).map(|one| one.1).collect();
                prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 1_000), "{times:?}");
            }
        }
    }
}
