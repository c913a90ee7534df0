//! Units and when they were charged, in little memory and never forgotten too early.
//!
//! Units are kept in groups, each with the latest time of its units; a group leaves as a whole
//! when that time is a window old. So a unit never comes back early, and of the units that are
//! old enough at most one less than a group stays behind. Up to a limit of 127 a group is one
//! unit and the log is exact; above, it is the largest power of two that is at most a 64th of
//! the limit, so that no log has more than 128 groups.

use crate::time::Moment;
use crate::unit::Span;

/// How finely a log keeps time, in nanoseconds: in steps since its oldest unit, rounded up.
///
/// Decimal, so that whole milliseconds stay what they are up to windows of 24 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Nanos1,
    Nanos10,
    Nanos100,
    Micros1,
    Micros10,
    Micros100,
    Millis1,
    Millis10,
    Millis100,
    Second,
}

impl Step {
    /// The finest that counts two windows in 32 bits.
    fn of(window: Span) -> Self {
        const ALL: [Step; 10] = [
            Step::Nanos1,
            Step::Nanos10,
            Step::Nanos100,
            Step::Micros1,
            Step::Micros10,
            Step::Micros100,
            Step::Millis1,
            Step::Millis10,
            Step::Millis100,
            Step::Second,
        ];
        let fits = |step: &Step| window.nanos().div_ceil(step.nanos()) < u64::from(u32::MAX / 2);
        ALL.into_iter().find(fits).unwrap_or(Step::Second)
    }

    #[inline]
    const fn nanos(self) -> u64 {
        match self {
            Self::Nanos1 => 1,
            Self::Nanos10 => 10,
            Self::Nanos100 => 100,
            Self::Micros1 => 1_000,
            Self::Micros10 => 10_000,
            Self::Micros100 => 100_000,
            Self::Millis1 => 1_000_000,
            Self::Millis10 => 10_000_000,
            Self::Millis100 => 100_000_000,
            Self::Second => 1_000_000_000,
        }
    }
}

/// What a log must hold for everybody who reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The longest window.
    window: Span,
    /// The largest limit: the newest so many units are kept.
    keep: u64,
    /// The units of a group, as a power of two.
    group: u8,
    step: Step,
}

/// No log has more groups.
const MOST_GROUPS: u64 = 128;

impl Shape {
    /// The shape for limits from the smallest to the largest over at most this window.
    #[must_use]
    pub fn of(smallest: u64, largest: u64, window: Span) -> Self {
        let fine = (smallest / 64).max(1).ilog2();
        // With limits far apart the large one must still fit.
        let coarse = largest.div_ceil(MOST_GROUPS).max(1).next_power_of_two().ilog2();
        let group = if largest >> fine < MOST_GROUPS { fine } else { fine.max(coarse) };
        Self { window, keep: largest, group: u8::try_from(group).unwrap_or(63), step: Step::of(window) }
    }

    /// The longest window.
    #[must_use]
    pub const fn window(&self) -> Span {
        self.window
    }

    /// How many units are behind the window that the log still counts, at most.
    #[must_use]
    pub const fn shortfall(&self) -> u64 {
        (1_u64 << self.group).saturating_sub(1)
    }

    fn most_groups(&self) -> usize {
        let units = self.keep.saturating_add(self.shortfall());
        usize::try_from(units >> self.group).map_or(129, |groups| groups.min(129))
    }
}

/// Units and when they were charged.
#[derive(Clone, Debug)]
pub struct CountLog {
    /// Ticks count from here.
    base: u64,
    /// The latest time of each group, as a ring.
    ring: Box<[u32]>,
    /// The units in the newest group; the others are full.
    fill: u64,
    head: u8,
    len: u8,
    group: u8,
    step: Step,
}

impl CountLog {
    /// An empty log of this shape.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        Self { base: 0, ring: Box::default(), fill: 0, head: 0, len: 0, group: shape.group, step: shape.step }
    }

    /// The units that were charged within this window.
    #[must_use]
    #[inline]
    pub fn used(&self, now: Moment, window: Span) -> u64 {
        self.units_from(self.first_live(now, window))
    }

    /// When so many of the units in the window will have left it. The units must be there.
    #[must_use]
    pub fn when_gone(&self, units: u64, now: Moment, window: Span) -> Moment {
        let groups = units.div_ceil(self.group_units()).max(1);
        let last = self.len.saturating_sub(1);
        let at = u64::from(self.first_live(now, window)).saturating_add(groups).saturating_sub(1);
        let at = u8::try_from(at).unwrap_or(last).min(last);
        self.time(at).after(window)
    }

    /// When the newest unit was charged.
    #[must_use]
    #[inline]
    pub fn newest(&self) -> Option<Moment> {
        self.len.checked_sub(1).map(|at| self.time(at))
    }

    /// Charges units now, or at the time of the newest unit where that is later: two threads may
    /// arrive in another order than they read their clocks.
    #[inline]
    pub fn charge(&mut self, units: u64, now: Moment, shape: &Shape) {
        let now = self.newest().map_or(now, |newest| now.max(newest));
        self.forget(now, shape.window);
        if (self.group, self.step) != (shape.group, shape.step) {
            self.reshape(shape);
        }
        let tick = self.tick_for(now);
        let mut rest = units;
        if self.len > 0 && self.fill < self.group_units() {
            let room = self.group_units().saturating_sub(self.fill);
            self.fill = self.fill.saturating_add(rest.min(room));
            rest = rest.saturating_sub(room);
            self.set(self.len.saturating_sub(1), tick);
        }
        while rest > 0 {
            self.keep_only(shape.keep.saturating_sub(rest.min(self.group_units())));
            self.push(tick, shape.most_groups());
            self.fill = rest.min(self.group_units());
            rest = rest.saturating_sub(self.fill);
        }
    }

    /// Drops what is older than the window.
    #[inline]
    pub fn forget(&mut self, now: Moment, window: Span) {
        let gone = self.first_live(now, window);
        self.drop_oldest(gone);
    }

    /// The groups, oldest first: the latest time and the units of each.
    pub fn groups(&self) -> impl Iterator<Item = (Moment, u64)> + '_ {
        (0..self.len).map(|at| (self.time(at), self.units_at(at)))
    }

    /// A log of these groups, oldest first; what has left the window of the newest is dropped.
    #[must_use]
    pub fn of(groups: &[(Moment, u64)], shape: &Shape) -> Self {
        let mut log = Self::new(shape);
        for (time, units) in groups {
            // The newest `keep` units are all that anybody asks for.
            log.charge((*units).min(shape.keep), *time, shape);
        }
        log
    }

    /// How many bytes it keeps outside itself.
    #[must_use]
    pub fn heap(&self) -> usize {
        size_of_val::<[u32]>(&self.ring)
    }

    #[inline]
    const fn group_units(&self) -> u64 {
        1 << self.group
    }

    fn units_at(&self, at: u8) -> u64 {
        if at.saturating_add(1) == self.len { self.fill } else { self.group_units() }
    }

    #[inline]
    fn units_from(&self, first: u8) -> u64 {
        match self.len.saturating_sub(first) {
            0 => 0,
            live => {
                u64::from(live.saturating_sub(1)).saturating_mul(self.group_units()).saturating_add(self.fill)
            }
        }
    }

    /// The first group that is in the window; times never fall, so that a search by halves finds it.
    #[inline]
    fn first_live(&self, now: Moment, window: Span) -> u8 {
        let is_over = |at: u8| self.time(at).after(window) <= now;
        // Most often none has left it: those that had were dropped by the last charge.
        if self.len == 0 || !is_over(0) {
            return 0;
        }
        let (mut low, mut high) = (1, self.len);
        while low < high {
            let middle = u8::midpoint(low, high);
            if is_over(middle) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        low
    }

    #[inline]
    fn place(&self, at: u8) -> usize {
        let place = usize::from(self.head).saturating_add(usize::from(at));
        let room = self.ring.len();
        if place >= room { place.saturating_sub(room) } else { place }
    }

    #[inline]
    fn time(&self, at: u8) -> Moment {
        let tick = self.ring.get(self.place(at)).copied().unwrap_or(0);
        let nanos = u64::from(tick).saturating_mul(self.step.nanos());
        Moment::from_nanos(self.base.saturating_add(nanos))
    }

    #[inline]
    fn set(&mut self, at: u8, tick: u32) {
        let place = self.place(at);
        if let Some(slot) = self.ring.get_mut(place) {
            *slot = tick;
        }
    }

    /// The tick of a time, rounded up; moves the base where 32 bits do not reach.
    #[inline]
    fn tick_for(&mut self, now: Moment) -> u32 {
        let step = self.step.nanos();
        if self.len == 0 {
            self.base = now.nanos();
        }
        let ticks = |base: u64| u32::try_from(now.nanos().saturating_sub(base).div_ceil(step));
        ticks(self.base)
            .or_else(|_| {
                self.rebase();
                ticks(self.base)
            })
            .unwrap_or(u32::MAX)
    }

    /// Counts from the oldest group. Live groups span one window: half of what 32 bits hold.
    fn rebase(&mut self) {
        let oldest = self.ring.get(self.place(0)).copied().unwrap_or(0);
        self.base = self.time(0).nanos();
        for at in 0..self.len {
            let place = self.place(at);
            if let Some(tick) = self.ring.get_mut(place) {
                *tick = tick.saturating_sub(oldest);
            }
        }
    }

    #[inline]
    fn drop_oldest(&mut self, groups: u8) {
        if groups >= self.len {
            (self.head, self.len, self.fill) = (0, 0, 0);
        } else {
            self.head = u8::try_from(self.place(groups)).unwrap_or(0);
            self.len = self.len.saturating_sub(groups);
        }
    }

    /// Drops old groups as long as the others hold so many units.
    fn keep_only(&mut self, keep: u64) {
        while self.len > 1 && self.units_from(1) >= keep {
            self.drop_oldest(1);
        }
    }

    fn push(&mut self, tick: u32, most: usize) {
        if usize::from(self.len) == self.ring.len() {
            self.grow(most);
        }
        self.len = self.len.saturating_add(1);
        self.set(self.len.saturating_sub(1), tick);
    }

    fn grow(&mut self, most: usize) {
        let room = self.ring.len();
        let wanted = room.saturating_mul(2).max(2).min(most.max(room.saturating_add(1)));
        let ticks = (0..self.len).map(|at| self.ring.get(self.place(at)).copied().unwrap_or(0));
        let mut ring: Vec<u32> = Vec::with_capacity(wanted);
        ring.extend(ticks);
        ring.resize(wanted, 0);
        self.ring = ring.into_boxed_slice();
        self.head = 0;
    }

    /// Takes another shape; every unit keeps its time or a later one.
    fn reshape(&mut self, shape: &Shape) {
        let groups: Vec<(Moment, u64)> = self.groups().collect();
        *self = Self::of(&groups, shape);
    }
}

#[cfg(test)]
mod tests;
