//! Amounts of a request: money, counts, spans of time.

use prost_types::Duration;
use tollgate_engine::decide::Estimate;
use tollgate_engine::unit::{Money, Span};

use super::violation::{Place, Violations};
use crate::pb;

const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// As [`Span::MAX_SECONDS`], whole.
const MAX_SECONDS: i64 = 1_000_000_000;

pub(super) fn estimate(sent: Option<&pb::Estimate>, wrong: &mut Violations) -> Estimate {
    let Some(sent) = sent else { return Estimate::default() };
    Estimate {
        cost: sent.cost.and_then(|cost| money(cost, "estimate.cost", wrong)),
        tokens: sent.tokens.and_then(|n| count(n, "estimate.tokens", wrong)),
        compute: sent.compute.and_then(|n| count(n, "estimate.compute", wrong)),
        duration: span(sent.duration.as_ref(), "estimate.duration", wrong),
    }
}

pub(super) fn money(cost: f64, field: &'static str, wrong: &mut Violations) -> Option<Money> {
    let money = Money::from_units(cost);
    if money.is_none() {
        let what = format!("is {cost}; send a number from 0 to {}", Money::MAX);
        wrong.add(Place::Field(field), what);
    }
    money
}

pub(super) fn count(n: i64, field: &'static str, wrong: &mut Violations) -> Option<u64> {
    let count = u64::try_from(n).ok();
    if count.is_none() {
        wrong.add(Place::Field(field), format!("is {n}; send 0 or more"));
    }
    count
}

pub(super) fn span(sent: Option<&Duration>, field: &'static str, wrong: &mut Violations) -> Option<Span> {
    let sent = sent?;
    let (seconds, nanos) = (u64::try_from(sent.seconds), u64::try_from(sent.nanos));
    match (seconds, nanos) {
        (Ok(seconds), Ok(nanos)) if sent.seconds <= MAX_SECONDS && nanos < NANOS_PER_SECOND => {
            Some(Span::from_nanos(seconds * NANOS_PER_SECOND + nanos))
        }
        _ => {
            let (seconds, nanos) = (sent.seconds, sent.nanos);
            let what =
                format!("is {seconds} s and {nanos} ns; send 0 to {MAX_SECONDS} s and 0 to 999999999 ns");
            wrong.add(Place::Field(field), what);
            None
        }
    }
}

/// What is left of the caller's time: of time that is over nothing is left, and more than can be
/// told is the most that can.
pub(super) fn time_left(sent: Option<&Duration>, wrong: &mut Violations) -> Option<Span> {
    let total = signed(sent?, "time_left", wrong)?;
    let most = i128::from(MAX_SECONDS) * i128::from(NANOS_PER_SECOND);
    u64::try_from(total.clamp(0, most)).ok().map(Span::from_nanos)
}

/// A duration that may be negative, in nanoseconds; `None` where it is none by the rules of protobuf.
pub fn signed(sent: &Duration, field: &'static str, wrong: &mut Violations) -> Option<i128> {
    let Duration { seconds, nanos } = *sent;
    let is_one_sign = seconds == 0 || nanos == 0 || seconds.is_negative() == nanos.is_negative();
    if is_one_sign && u64::from(nanos.unsigned_abs()) < NANOS_PER_SECOND {
        return Some(i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos));
    }
    let what = format!(
        "is {seconds} s and {nanos} ns; send seconds and nanos of one sign, and less than a second of nanos"
    );
    wrong.add(Place::Field(field), what);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_may_be_over_and_may_be_endless() {
        let most = 1_000_000_000 * NANOS_PER_SECOND;
        for (seconds, nanos, want) in [
            (1, 5, Some(NANOS_PER_SECOND + 5)),
            (0, -1, Some(0)),
            (-3, 0, Some(0)),
            (-3, -999_999_999, Some(0)),
            (1_000_000_001, 0, Some(most)),
            (i64::MAX, 999_999_999, Some(most)),
            // What is no duration of protobuf says nothing about the time that is left.
            (1, -1, None),
            (-1, 1, None),
            (0, 1_000_000_000, None),
            (0, -1_000_000_000, None),
            (i64::MIN, i32::MIN, None),
            (i64::MAX, i32::MAX, None),
        ] {
            let mut wrong = Violations::default();
            let left = time_left(Some(&Duration { seconds, nanos }), &mut wrong);
            assert_eq!(left.map(Span::nanos), want, "{seconds} s {nanos} ns");
            assert_eq!(wrong.is_empty(), want.is_some(), "{seconds} s {nanos} ns");
        }
        assert_eq!(time_left(None, &mut Violations::default()), None);
    }
}
