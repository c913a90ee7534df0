//! Rate limits over random arrivals, against an exact log and against `governor`.

use super::super::fixture::{Fixture, at, at_nanos, bucket, facts, ms, s, window};
use super::super::verdict::{RefusalEffect, Verdict};
use super::super::{Draw, guard::Guard};
use super::*;
use crate::model::{Disposition, Guardrail};
use governor::clock::{Clock as _, FakeRelativeClock};
use governor::{Quota, RateLimiter};
use proptest::prelude::*;
use std::num::NonZeroU32;
use std::time::Duration;

fn ask<'f>(fixture: &'f Fixture, millis: u64, units: u64) -> Verdict<'f> {
    let draw = &mut Draw::seeded(1);
    fixture.live.ledger.charge(&fixture.asks(&[0], "k", units), &facts(), at(millis), draw)
}

fn would<'f>(fixture: &'f Fixture, nanos: u64, units: u64) -> Verdict<'f> {
    let draw = &mut Draw::seeded(1);
    fixture.live.ledger.peek(&fixture.asks(&[0], "k", units), &facts(), at_nanos(nanos), draw)
}

fn wait(verdict: &Verdict<'_>) -> Option<Span> {
    verdict.refusals.first().map(|refusal| match refusal.effect {
        RefusalEffect::Throttle(wait) => wait,
        RefusalEffect::Deny(_) => panic!("denied: {:?}", refusal.code),
    })
}

/// Arrivals at any nanosecond, in bursts and after rests.
fn arrivals() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let gap = prop_oneof![
        3 => Just(0), 3 => 0..50_000_000_u64, 3 => (0..400_u64).prop_map(|ms| ms * 1_000_000),
        1 => 0..2_500_000_000_u64,
    ];
    prop::collection::vec((gap, prop_oneof![4 => Just(1_u64), 1 => 0..12_u64]), 1..150)
}

/// A refused request is admitted when it was told to come, and not a millisecond before.
fn told_the_truth(fixture: &Fixture, nanos: u64, units: u64, wait: Span) -> Result<(), TestCaseError> {
    prop_assert!(wait.nanos() > 0 && wait.nanos().is_multiple_of(1_000_000));
    let then = nanos + wait.nanos();
    prop_assert!(would(fixture, then, units).is_allowed(), "refused at {then}");
    prop_assert!(!would(fixture, then - 1_000_000, units).is_allowed(), "admitted before {then}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// In every half-open interval of a window at most `limit` units, whatever comes; what is
    /// refused for want of room is short by at most `limit / 64`; `retry_after` is exact.
    #[test]
    fn a_sliding_window_never_admits_more(
        arrivals in arrivals(),
        limit in prop_oneof![3 => 1..20_u64, 1 => 120..400_u64],
    ) {
        let fixture = Fixture::new(&[window("w", limit, s(1))]);
        let (mut admitted, mut now): (Vec<(u64, u64)>, u64) = (Vec::new(), 0);
        for (gap, units) in arrivals {
            now += gap;
            let held: u64 =
                admitted.iter().filter(|(t, _)| t + 1_000_000_000 > now).map(|(_, n)| n).sum();
            let draw = &mut Draw::seeded(1);
            let verdict =
                fixture.live.ledger.charge(&fixture.asks(&[0], "k", units), &facts(), at_nanos(now), draw);
            if verdict.is_allowed() {
                admitted.push((now, units));
                prop_assert!(held + units <= limit, "{} > {limit} at {now}", held + units);
            } else if units > limit {
                prop_assert_eq!(verdict.refusals[0].code, ReasonCode::LimitUnreachable);
            } else {
                prop_assert!(held + units > limit - limit / 64, "refused with {held} of {limit}");
                told_the_truth(&fixture, now, units, wait(&verdict).unwrap())?;
            }
        }
        // Every interval that begins with an admitted unit, not only those that end with one.
        for (start, _) in &admitted {
            let inside = admitted.iter().filter(|(t, _)| t >= start && *t < start + 1_000_000_000);
            prop_assert!(inside.map(|(_, n)| n).sum::<u64>() <= limit);
        }
    }

    /// In any time t at most `burst + limit · t / window`; `retry_after` is exact.
    #[test]
    fn a_token_bucket_never_admits_more(
        arrivals in arrivals(), limit in 1..40_u64, burst in 1..40_u64,
    ) {
        let fixture = Fixture::new(&[bucket("b", limit, s(1), burst)]);
        let (mut admitted, mut now): (Vec<(u64, u64)>, u64) = (Vec::new(), 0);
        for (gap, units) in arrivals {
            now += gap;
            let draw = &mut Draw::seeded(1);
            let verdict =
                fixture.live.ledger.charge(&fixture.asks(&[0], "k", units), &facts(), at_nanos(now), draw);
            if verdict.is_allowed() {
                admitted.push((now, units));
            } else if units <= burst {
                told_the_truth(&fixture, now, units, wait(&verdict).unwrap())?;
            }
        }
        for (n, (start, _)) in admitted.iter().enumerate() {
            let mut sum = 0;
            for (end, units) in &admitted[n..] {
                sum += units;
                let most = u128::from(burst) * 1_000_000_000 + u128::from(limit) * u128::from(end - start);
                prop_assert!(u128::from(sum) * 1_000_000_000 <= most, "{sum} in {} ns", end - start);
            }
        }
    }

    /// The same arrivals, the same answers and the same waits as `governor`.
    #[test]
    fn a_token_bucket_is_governors(
        arrivals in arrivals(), rate in 1..200_u32, burst in 1..60_u32,
    ) {
        let interval = Duration::from_nanos(u64::from(1_000_000_000 / rate));
        let quota = Quota::with_period(interval).unwrap().allow_burst(NonZeroU32::new(burst).unwrap());
        let clock = FakeRelativeClock::default();
        let oracle = RateLimiter::direct_with_clock(quota, clock.clone());
        let ours = TokenBucket::new(1, Span::from_nanos(interval.as_nanos() as u64), burst.into());
        let (mut state, mut now) = (ours.full(), Moment::START);
        for (gap, units) in arrivals {
            clock.advance(Duration::from_nanos(gap));
            now = now.after(Span::from_nanos(gap));
            let said = ours.check(Some(&state), units, now);
            let Some(count) = NonZeroU32::new(u32::try_from(units).unwrap()) else {
                prop_assert!(said.is_ok());
                continue;
            };
            match (oracle.check_n(count), said) {
                (Ok(Ok(())), Ok(())) => ours.charge(&mut state, units, now),
                (Ok(Err(no)), Err(refused)) => {
                    let theirs = no.wait_time_from(clock.now());
                    let theirs = Span::from_nanos(theirs.as_nanos() as u64);
                    prop_assert_eq!(refused, Refused::until(ReasonCode::RateLimited, theirs));
                }
                (Err(_), Err(refused)) => {
                    prop_assert_eq!(refused, Refused::for_good(ReasonCode::LimitUnreachable));
                }
                (theirs, ours) => prop_assert!(false, "{theirs:?} but {ours:?}"),
            }
        }
    }
}

#[test]
fn a_unit_comes_back_a_window_after_it_was_charged() {
    let fixture = Fixture::new(&[window("w", 2, s(10))]);
    for (millis, admitted, told) in [
        (0, true, None),
        (1_000, true, None),
        (1_001, false, Some(8_999)),
        (9_999, false, Some(1)),
        (10_000, true, None),
        (10_999, false, Some(1)),
        (11_000, true, None),
    ] {
        let verdict = ask(&fixture, millis, 1);
        assert_eq!(verdict.is_allowed(), admitted, "at {millis}");
        assert_eq!(wait(&verdict), told.map(ms), "at {millis}");
    }
}

#[test]
fn what_no_wait_can_help_is_denied() {
    let cases: [(&str, Guardrail, u64); 6] = [
        ("limit 0", window("g", 0, s(1)), 1),
        ("limit 0, cost 0", window("g", 0, s(1)), 0),
        ("cost above the limit", window("g", 5, s(1)), 6),
        ("bucket of limit 0", bucket("g", 0, s(1), 5), 1),
        ("cost above the burst", bucket("g", 5, s(1), 3), 4),
        ("cost beyond all", bucket("g", 5, s(1), 3), u64::MAX),
    ];
    for (what, guardrail, units) in cases {
        let fixture = Fixture::new(&[guardrail]);
        let verdict = ask(&fixture, 0, units);
        let refusal = &verdict.refusals[0];
        assert_eq!(refusal.effect, RefusalEffect::Deny(Disposition::Raise), "{what}");
        assert_eq!(refusal.code, ReasonCode::LimitUnreachable, "{what}");
    }
}

#[test]
fn cost_0_charges_nothing_and_is_admitted() {
    for guardrail in [window("g", 1, s(1)), bucket("g", 1, s(1), 1)] {
        let fixture = Fixture::new(&[guardrail]);
        assert!(ask(&fixture, 0, 1).is_allowed());
        let verdict = ask(&fixture, 0, 0);
        assert!(verdict.is_allowed());
        assert_eq!(verdict.limits[0].room.used, 1);
    }
}

#[test]
fn a_bucket_that_was_full_admits_its_burst_whatever_the_interval() {
    // A third of a second is no whole number of nanoseconds.
    let fixture = Fixture::new(&[bucket("b", 3, s(1), 3)]);
    for _ in 0..3 {
        assert!(ask(&fixture, 0, 1).is_allowed());
    }
    assert_eq!(wait(&ask(&fixture, 0, 1)), Some(ms(334)));
}

#[test]
fn rooms_are_true_after_the_answer() {
    let fixture = Fixture::new(&[window("w", 3, s(10))]);
    for (millis, used, left, reset) in [(0, 1, 2, 10_000), (4_000, 2, 1, 10_000), (5_000, 3, 0, 10_000)] {
        let room = ask(&fixture, millis, 1).limits[0].room;
        assert_eq!((room.used, room.left(), room.reset_after), (used, left, Some(ms(reset))));
    }
    let refused = ask(&fixture, 6_000, 1);
    assert!(!refused.is_allowed());
    let room = refused.limits[0].room;
    assert_eq!((room.used, room.left(), room.reset_after), (3, 0, Some(ms(9_000))));
}

#[test]
fn a_converted_bucket_keeps_the_units_in_use() {
    let (slow, fast) = (TokenBucket::new(10, s(10), 10), TokenBucket::new(100, s(10), 100));
    let now = Moment::START;
    let mut state = slow.full();
    slow.charge(&mut state, 7, now);
    assert_eq!(slow.room(Some(&state), now).used, 7);
    assert_eq!(fast.room(Some(&state), now).used, 7);
    fast.charge(&mut state, 3, now);
    assert_eq!(slow.room(Some(&state), now).used, 10);
}

#[test]
fn units_are_whole_and_not_negative() {
    let number = |n| units_of(Some(View::Number(n)));
    for (n, want) in [(0.0, Ok(0)), (-0.0, Ok(0)), (7.0, Ok(7)), (9_007_199_254_740_992.0, Ok(1 << 53))] {
        assert_eq!(number(n), want, "{n}");
    }
    for n in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
        assert_eq!(number(n), Err(NotUnits), "{n}");
    }
    assert_eq!(units_of(None), Ok(1));
    assert_eq!(units_of(Some(View::Str("3"))), Err(NotUnits));
    assert_eq!(units_of(Some(View::Null)), Err(NotUnits));
}

#[test]
fn absurd_windows_and_limits_do_not_overflow() {
    let longest = Span::from_seconds(Span::MAX_SECONDS).unwrap();
    for guardrail in [
        window("g", u64::MAX, longest),
        bucket("g", 1, longest, u64::MAX),
        bucket("g", u64::MAX, Span::from_nanos(1), u64::MAX),
    ] {
        let fixture = Fixture::new(&[guardrail]);
        assert!(ask(&fixture, 0, 1).is_allowed());
        assert!(ask(&fixture, 1, u64::MAX / 4).is_allowed());
    }
    let fixture = Fixture::new(&[window("g", 1, longest)]);
    assert!(ask(&fixture, 0, 1).is_allowed());
    assert_eq!(wait(&ask(&fixture, 0, 1)), Some(longest));
}

#[test]
fn a_spread_adds_and_never_takes_off() {
    let mut guardrail = window("w", 1, s(10));
    if let crate::model::guardrail::Rules::RateLimit(rules) = &mut guardrail.rules {
        rules.retry_after_spread = 0.5;
    }
    let fixture = Fixture::new(&[guardrail]);
    assert!(ask(&fixture, 0, 1).is_allowed());
    let guard: &Guard = &fixture.list[0];
    assert!((guard.spread - 0.5).abs() < 1e-9);
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let asks = fixture.asks(&[0], "k", 1);
        let verdict = fixture.live.ledger.peek(&asks, &facts(), at(0), &mut Draw::seeded(seed));
        seen.insert(wait(&verdict).unwrap());
    }
    assert!(*seen.first().unwrap() >= s(10) && *seen.last().unwrap() <= s(15));
    assert!(*seen.first().unwrap() < s(11) && *seen.last().unwrap() > s(14), "{seen:?}");
}

#[test]
fn units_in_use_come_back_at_the_new_rate_once_it_is_there() {
    let (slow, quick) = (TokenBucket::new(10, s(1_000), 10), TokenBucket::new(10, s(1), 10));
    let mut state = slow.full();
    slow.charge(&mut state, 10, at(0).now);
    quick.convert(&mut state, at(0).now);
    assert!(quick.check(Some(&state), 1, at(99).now).is_err());
    assert!(quick.check(Some(&state), 1, at(100).now).is_ok());
    assert_eq!(quick.room(Some(&state), at(1_000).now).used, 0);
}
