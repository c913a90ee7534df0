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
pub(super) fn time_left(sent: Option<&Duration>) -> Option<Span> {
    let Duration { seconds, nanos } = *sent?;
    let total = i128::from(seconds) * i128::from(NANOS_PER_SECOND) + i128::from(nanos);
    let most = i128::from(MAX_SECONDS) * i128::from(NANOS_PER_SECOND);
    u64::try_from(total.clamp(0, most)).ok().map(Span::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_never_refused() {
        let most = 1_000_000_000 * NANOS_PER_SECOND;
        for (seconds, nanos, want) in [
            (1, 5, NANOS_PER_SECOND + 5),
            (0, -1, 0),
            (-3, 0, 0),
            (i64::MIN, i32::MIN, 0),
            (1_000_000_001, 0, most),
            (i64::MAX, i32::MAX, most),
        ] {
            let left = time_left(Some(&Duration { seconds, nanos }));
            assert_eq!(left.map(Span::nanos), Some(want), "{seconds} s {nanos} ns");
        }
        assert_eq!(time_left(None), None);
    }
}
