//! Calls and failures over a sliding window: for a breaker that looks at their share, and for
//! retries beside first attempts.
//!
//! Up to 28 calls are kept one by one. Of more, neighbours are merged as long as they lie within
//! a tenth of the window; so a call is counted at most that much too long, or, asked the other
//! way, at most that much too short.

use crate::time::Moment;
use crate::unit::Span;

/// Calls and failures in a window.
#[derive(Clone, Debug, Default)]
pub struct Outcomes {
    /// Times count from here.
    base: Moment,
    /// In steps of so many nanoseconds.
    step: u64,
    groups: Vec<Group>,
}

/// Neighbouring calls; times in steps since the base, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Group {
    first: u32,
    last: u32,
    calls: u32,
    failures: u32,
}

/// No window has more groups.
const MOST: usize = 28;
/// Groups are merged up to this part of the window.
const SLICES: u64 = 10;

/// What happened in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Calls that counted.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
}

/// Some calls, as they are kept: from when to when, and how many.
pub type Span3 = (Moment, Moment, Tally);

impl Outcomes {
    /// Adds calls that happened now.
    pub fn add(&mut self, tally: Tally, now: Moment, window: Span) {
        let now = now.max(self.newest());
        self.forget(now, window);
        if self.groups.is_empty() {
            (self.base, self.step) = (now, step_of(window));
        } else if self.step != step_of(window) {
            let groups: Vec<_> = self.groups().collect();
            *self = Self::of(&groups, window);
        }
        if self.groups.len() >= MOST {
            self.merge(window);
        }
        let at = self.steps(now);
        self.make_room();
        self.groups.push(Group {
            first: at,
            last: at,
            calls: u32::try_from(tally.calls).unwrap_or(u32::MAX),
            failures: u32::try_from(tally.failures).unwrap_or(u32::MAX),
        });
    }

    /// What is in the window now, and perhaps a little of what has left it.
    #[must_use]
    pub fn tally(&self, now: Moment, window: Span) -> Tally {
        self.sum(|group| self.time(group.last).after(window) > now)
    }

    /// What is in the window now without a doubt.
    #[must_use]
    pub fn at_least(&self, now: Moment, window: Span) -> Tally {
        self.sum(|group| self.time(group.first).after(window) > now)
    }

    /// The groups, oldest first.
    pub fn groups(&self) -> impl Iterator<Item = Span3> + '_ {
        self.groups.iter().map(|group| {
            let tally = Tally { calls: group.calls.into(), failures: group.failures.into() };
            (self.time(group.first), self.time(group.last), tally)
        })
    }

    /// Of these groups, oldest first.
    #[must_use]
    pub fn of(groups: &[Span3], window: Span) -> Self {
        let mut made = Self::default();
        for (first, last, tally) in groups {
            made.add(*tally, *first, window);
            let last = made.steps(*last);
            if let Some(group) = made.groups.last_mut() {
                group.last = last.max(group.last);
            }
        }
        made
    }

    /// How many bytes it keeps outside itself.
    #[must_use]
    pub const fn heap(&self) -> usize {
        self.groups.capacity().saturating_mul(size_of::<Group>())
    }

    fn sum(&self, counts: impl Fn(&Group) -> bool) -> Tally {
        let counted = self.groups.iter().filter(|group| counts(group));
        counted.fold(Tally::default(), |sum, group| Tally {
            calls: sum.calls.saturating_add(group.calls.into()),
            failures: sum.failures.saturating_add(group.failures.into()),
        })
    }

    fn steps(&self, now: Moment) -> u32 {
        let steps = now.since(self.base).nanos().div_ceil(self.step.max(1));
        u32::try_from(steps).unwrap_or(u32::MAX)
    }

    fn time(&self, steps: u32) -> Moment {
        self.base.after(Span::from_nanos(u64::from(steps).saturating_mul(self.step.max(1))))
    }

    fn newest(&self) -> Moment {
        self.groups.last().map_or(Moment::ZERO, |group| self.time(group.last))
    }

    /// Drops what has left the window, and counts from the oldest that is left.
    fn forget(&mut self, now: Moment, window: Span) {
        let gone = |group: &&Group| self.time(group.last).after(window) <= now;
        let over = self.groups.iter().take_while(gone).count();
        self.groups.drain(..over);
        if let Some(first) = self.groups.first().map(|group| group.first).filter(|_| over > 0) {
            self.base = self.time(first);
            for group in &mut self.groups {
                group.first = group.first.saturating_sub(first);
                group.last = group.last.saturating_sub(first);
            }
        }
    }

    fn make_room(&mut self) {
        if self.groups.len() == self.groups.capacity() {
            let more = self.groups.len().clamp(2, 12);
            self.groups.reserve_exact(more.min(MOST.saturating_sub(self.groups.len()).max(1)));
        }
    }

    /// Merges neighbours, first few calls into few, then more, until there is room.
    fn merge(&mut self, window: Span) {
        let slice = (window.nanos() / SLICES).checked_div(self.step).unwrap_or(0);
        let mut most = 2_u32;
        while self.groups.len() >= MOST && most < u32::MAX {
            self.groups.dedup_by(|next, last| {
                let calls = last.calls.max(last.failures).saturating_add(next.calls.max(next.failures));
                let span = u64::from(next.last.saturating_sub(last.first));
                let joins = calls <= most && span <= slice;
                if joins {
                    last.last = next.last;
                    last.calls = last.calls.saturating_add(next.calls);
                    last.failures = last.failures.saturating_add(next.failures);
                }
                joins
            });
            most = most.saturating_mul(2);
        }
        // Only where single groups already span slices: the two oldest, however long.
        if self.groups.len() >= MOST && self.groups.len() > 1 {
            let oldest = self.groups.remove(0);
            if let Some(next) = self.groups.first_mut() {
                next.first = oldest.first;
                next.calls = next.calls.saturating_add(oldest.calls);
                next.failures = next.failures.saturating_add(oldest.failures);
            }
        }
    }
}

/// One step of the clock, in nanoseconds: what counts three windows in 32 bits.
const fn step_of(window: Span) -> u64 {
    (window.nanos() >> 30).saturating_add(1).next_power_of_two()
}

#[cfg(test)]
mod tests;
