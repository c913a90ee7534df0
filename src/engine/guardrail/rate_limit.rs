//! `rate_limit`: at most so many units in any window of that length, never one more.

use super::count_log::{CountLog, Shape};
use super::refused::{Measure, Refused, Room};
use crate::model::ReasonCode;
use crate::time::Moment;
use crate::unit::Span;
use crate::value::View;

/// `sliding_window`: exact over every half-open interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SlidingWindow {
    /// How many units.
    pub limit: u64,
    /// In any interval of this length.
    pub window: Span,
    /// What the log holds for all arms that read it.
    pub shape: Shape,
}

impl SlidingWindow {
    /// Whether so many units fit now.
    ///
    /// # Errors
    /// They do not; says when they will.
    #[inline]
    pub fn check(&self, log: Option<&CountLog>, units: u64, now: Moment) -> Result<(), Refused> {
        if self.limit == 0 || units > self.limit {
            return Err(Refused::for_good(ReasonCode::LimitUnreachable));
        }
        let Some(log) = log.filter(|_| units > 0) else {
            return Ok(());
        };
        // Another core may have charged at a later reading of the clock.
        let at = log.newest().map_or(now, |newest| now.max(newest));
        let over = log.used(at, self.window).saturating_add(units).saturating_sub(self.limit);
        if over == 0 {
            return Ok(());
        }
        let free = log.when_gone(over, at, self.window);
        Err(Refused::until(ReasonCode::RateLimited, free.since(now)))
    }

    /// Charges units that were checked at this moment.
    #[inline]
    pub fn charge(&self, log: &mut CountLog, units: u64, now: Moment) {
        if units > 0 {
            log.charge(units, now, &self.shape);
        }
    }

    /// How much is used.
    #[must_use]
    #[inline]
    pub fn room(&self, log: Option<&CountLog>, now: Moment) -> Room {
        let newest = log.and_then(CountLog::newest);
        let empty = newest.map_or(Span::default(), |at| at.after(self.window).since(now));
        Room {
            measure: Measure::Units,
            limit: self.limit,
            used: log.map_or(0, |log| log.used(now, self.window)),
            reserved: 0,
            window: Some(self.window),
            reset_after: Some(empty),
        }
    }
}

/// `token_bucket`: GCRA, at most `burst + limit · t / window` in any t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    /// How many units at once.
    pub burst: u64,
    /// Whether the limit is 0 and refuses all.
    pub shut: bool,
    /// How long one unit takes to come back, rounded up to a nanosecond.
    pub interval: Span,
    /// The window that the limit was written for.
    pub window: Span,
}

/// A token bucket's state: the theoretical arrival time, when the bucket would be full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When nothing would be in use.
    pub full_at: Moment,
    /// How long a unit takes to come back, as of the last charge.
    pub interval: Span,
}

impl TokenBucket {
    /// A bucket for so many units in a window.
    #[must_use]
    pub fn new(limit: u64, window: Span, burst: u64) -> Self {
        let interval = window.nanos().div_ceil(limit.max(1)).max(1);
        Self { burst, shut: limit == 0, interval: Span::from_nanos(interval), window }
    }

    /// Whether so many units are in the bucket now.
    ///
    /// # Errors
    /// They are not; says when they will be.
    pub fn check(&self, state: Option<&Arrival>, units: u64, now: Moment) -> Result<(), Refused> {
        if self.shut || units > self.burst {
            return Err(Refused::for_good(ReasonCode::LimitUnreachable));
        }
        if units == 0 {
            return Ok(());
        }
        let after = u128::from(self.full_at(state, now).nanos()).saturating_add(self.worth(units));
        let room = u128::from(now.nanos()).saturating_add(self.worth(self.burst));
        match u64::try_from(after.saturating_sub(room)) {
            Ok(0) => Ok(()),
            Ok(wait) => Err(Refused::until(ReasonCode::RateLimited, Span::from_nanos(wait))),
            Err(_) => Err(Refused::for_good(ReasonCode::LimitUnreachable)),
        }
    }

    /// Charges units that were checked at this moment.
    pub fn charge(&self, state: &mut Arrival, units: u64, now: Moment) {
        let after = u128::from(self.full_at(Some(state), now).nanos());
        let after = after.saturating_add(self.worth(units));
        let after = u64::try_from(after).unwrap_or(u64::MAX);
        *state = Arrival { full_at: Moment::from_nanos(after), interval: self.interval };
    }

    /// Turns units that were charged at another rate into ours, once: from here on they come back
    /// at ours.
    pub fn convert(&self, state: &mut Arrival, now: Moment) {
        if state.interval != self.interval {
            *state = Arrival { full_at: self.full_at(Some(state), now), interval: self.interval };
        }
    }

    /// The state of a full bucket.
    #[must_use]
    pub const fn full(&self) -> Arrival {
        Arrival { full_at: Moment::ZERO, interval: self.interval }
    }

    /// How much is used.
    #[must_use]
    pub fn room(&self, state: Option<&Arrival>, now: Moment) -> Room {
        let rest = self.full_at(state, now).since(now);
        Room {
            measure: Measure::Units,
            limit: if self.shut { 0 } else { self.burst },
            used: rest.nanos().div_ceil(self.interval.nanos().max(1)),
            reserved: 0,
            window: Some(self.window),
            reset_after: Some(rest),
        }
    }

    /// When the bucket is full, with units that were charged at another rate turned into ours.
    fn full_at(&self, state: Option<&Arrival>, now: Moment) -> Moment {
        let Some(state) = state.filter(|state| state.full_at > now) else {
            return now;
        };
        if state.interval == self.interval {
            return state.full_at;
        }
        let rest = u128::from(state.full_at.since(now).nanos());
        let ours = rest.saturating_mul(self.interval.nanos().into());
        let ours = ours.div_ceil(u128::from(state.interval.nanos().max(1)));
        now.after(Span::from_nanos(u64::try_from(ours).unwrap_or(u64::MAX)))
    }

    fn worth(&self, units: u64) -> u128 {
        u128::from(units).saturating_mul(self.interval.nanos().into())
    }
}

/// A limit whose window is one flush: counts until the flush ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerFlush {
    /// How many units in a flush.
    pub limit: u64,
}

impl PerFlush {
    /// Whether so many units fit into the flush.
    ///
    /// # Errors
    /// They do not; the next flush has room at once, or none ever has.
    pub const fn check(&self, used: u64, units: u64) -> Result<(), Refused> {
        if self.limit == 0 || units > self.limit {
            Err(Refused::for_good(ReasonCode::LimitUnreachable))
        } else if units > 0 && used.saturating_add(units) > self.limit {
            Err(Refused::until(ReasonCode::RateLimited, Span::from_nanos(0)))
        } else {
            Ok(())
        }
    }

    /// How much is used.
    #[must_use]
    pub const fn room(&self, used: u64) -> Room {
        Room {
            measure: Measure::Units,
            limit: self.limit,
            used,
            reserved: 0,
            window: None,
            reset_after: None,
        }
    }
}

/// How many units an action takes, from the request field that says so; absent: one.
///
/// # Errors
/// The field holds something else than a whole number that is not negative.
pub fn units_of(cost: Option<View<'_>>) -> Result<u64, NotUnits> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match cost {
        None => Ok(1),
        Some(View::Number(n)) if n.fract() == 0.0 && (0.0..=EXACT).contains(&n) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "whole and from 0 to 2^53"
            )]
            let units = n as u64;
            Ok(units)
        }
        Some(_) => Err(NotUnits),
    }
}

/// A cost that is no number of units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the cost of a rate limit must be a whole number from 0 to 2^53")]
pub struct NotUnits;

#[cfg(test)]
mod tests;
