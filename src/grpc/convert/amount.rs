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
        cost: sent.cost.and_then(|cost| money(cost, wrong)),
        tokens: sent.tokens.and_then(|n| count(n, "estimate.tokens", wrong)),
        compute: sent.compute.and_then(|n| count(n, "estimate.compute", wrong)),
        duration: span(sent.duration.as_ref(), "estimate.duration", wrong),
    }
}

fn money(cost: f64, wrong: &mut Violations) -> Option<Money> {
    let money = Money::from_units(cost);
    if money.is_none() {
        let what = format!("is {cost}; send a number from 0 to {}", Money::MAX);
        wrong.add(Place::Field("estimate.cost"), what);
    }
    money
}

fn count(n: i64, field: &'static str, wrong: &mut Violations) -> Option<u64> {
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
