//! Delays against their formulas, and the order of the reasons.

use super::super::fixture::{ms, s};
use super::*;
use proptest::prelude::*;

fn rules() -> RetryRules {
    RetryRules {
        max_retries: 5,
        interval: s(1),
        multiplier: 2.0,
        max_interval: s(300),
        jitter: Jitter::None,
        jitter_ratio: 0.2,
        retry_on: vec![ErrorKind::Transient, ErrorKind::RateLimited, ErrorKind::Timeout],
        max_server_delay: s(600),
        budget: None,
    }
}

fn failed(number: u32) -> Failed {
    Failed {
        attempt: Attempt { kind: ErrorKind::Transient, hint: None, number, time_left: None },
        budget_spent: false,
        breaker: BreakerRest::Closed,
    }
}

fn planned(rules: &RetryRules, failed: &Failed) -> Plan {
    plan(Some(rules), failed, &mut Draw::seeded(1))
}

proptest! {
    /// `min(max_interval, interval · multiplier^attempt)` and where each jitter may put it, over
    /// all that a bundle can say.
    #[test]
    fn delays_lie_where_the_formulas_say(
        interval in 0..=1_000_000_000_000_u64, multiplier in 0.0..50.0_f64, attempt in 0..2_000_u32,
        max_interval in 0..=1_000_000_000_000_u64, ratio in 0.0..=1.0_f64, seed in any::<u64>(),
    ) {
        let rules = RetryRules {
            interval: Span::from_nanos(interval),
            max_interval: Span::from_nanos(max_interval),
            multiplier,
            jitter_ratio: ratio,
            ..rules()
        };
        let mut exact = interval as f64;
        for _ in 0..attempt {
            exact *= multiplier;
            if exact > 1e30 || exact == 0.0 { break; }
        }
        let d = exact.min(max_interval as f64);
        let delay = |jitter| {
            let rules = RetryRules { jitter, ..rules.clone() };
            rules.delay(attempt, &mut Draw::seeded(seed)).nanos() as f64
        };
        // A millionth for what is lost in a product of doubles, and a nanosecond for rounding.
        let slack = d * 1e-6 + 2.0;
        let within = |got: f64, from: f64, to: f64| got >= from - slack && got <= to + slack;
        prop_assert!(within(delay(Jitter::None), d, d), "{} for {d}", delay(Jitter::None));
        prop_assert!(within(delay(Jitter::Full), 0.0, d));
        prop_assert!(within(delay(Jitter::Equal), d / 2.0, d));
        let most = (max_interval as f64).min(d * (1.0 + ratio));
        prop_assert!(within(delay(Jitter::Ratio), d * (1.0 - ratio), most));
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Ratio] {
            prop_assert!(delay(jitter) <= max_interval as f64, "never past the maximum");
        }
    }

    /// A hint is obeyed: nothing is taken off, `max_interval` does not cut it.
    #[test]
    fn hints_are_obeyed(hint in 0..=600_000_000_000_u64, ratio in 0.0..=1.0_f64, seed in any::<u64>()) {
        let hint = Span::from_nanos(hint);
        for jitter in [Jitter::None, Jitter::Full, Jitter::Equal, Jitter::Ratio] {
            let rules = RetryRules { jitter, jitter_ratio: ratio, max_interval: s(1), ..rules() };
            let mut failed = failed(0);
            failed.attempt.hint = Some(Hint::After(hint));
            let Plan::Again { delay, code } = plan(Some(&rules), &failed, &mut Draw::seeded(seed)) else {
                return Err(TestCaseError::fail("refused"));
            };
            prop_assert_eq!(code, ReasonCode::RetryServerHint);
            prop_assert!(delay >= hint && delay.nanos() as f64 <= hint.nanos() as f64 * (1.0 + ratio) + 2.0);
            prop_assert!(jitter != Jitter::None || delay == hint);
        }
    }

    /// `granted + 1 <= ratio · firsts + min_per_second · window`, counted exactly as long as the
    /// window holds up to 28, and never above it however many it holds.
    #[test]
    fn the_retry_budget_is_its_definition(
        events in prop::collection::vec((0..800_u64, any::<bool>()), 1..120),
        tenths in 0..=30_u64, floor in 0..4_u64, few in any::<bool>(),
    ) {
        let budget = RetryBudgetRules {
            ratio: tenths * 100_000_000, min_per_second: floor * 100_000_000, window: s(10),
        };
        let (mut state, mut now, mut crowded) = (Retries::default(), 0, false);
        let (mut firsts, mut granted): (Vec<u64>, Vec<u64>) = (vec![], vec![]);
        for (gap, first) in events {
            now += if few { gap + 400 } else { gap };
            let at = Moment::START.after(ms(now));
            let all = firsts.iter().chain(&granted).filter(|t| **t + 10_000 > now).count();
            crowded |= all >= 28;
            if first {
                budget.first(&mut state, at);
                firsts.push(now);
                continue;
            }
            let live = |list: &[u64]| list.iter().filter(|t| **t + 10_000 > now).count() as u64;
            // In tenths: `ratio · firsts + min_per_second · 10 s`.
            let defined = (live(&granted) + 1) * 10 <= tenths * live(&firsts) + floor * 10;
            let allowed = budget.allows(Some(&state), at);
            if !crowded {
                prop_assert_eq!(allowed, defined, "at {}", now);
            }
            prop_assert!(defined || !allowed, "above the definition at {now}");
            if allowed {
                budget.granted(&mut state, at);
                granted.push(now);
            }
        }
    }
}

#[test]
fn jitter_is_random_per_caller_not_per_attempt() {
    let rules = RetryRules { jitter: Jitter::Full, ..rules() };
    let delays: std::collections::HashSet<_> =
        (0..100).map(|seed| rules.delay(3, &mut Draw::seeded(seed))).collect();
    assert!(delays.len() > 95);
    let again = rules.delay(3, &mut Draw::seeded(7));
    assert_eq!(rules.delay(3, &mut Draw::seeded(7)), again, "a seed repeats");
}

#[test]
fn backoff_saturates() {
    let rules = RetryRules { max_interval: Span::from_nanos(u64::MAX), multiplier: 1e6, ..rules() };
    assert_eq!(rules.backoff(u32::MAX), Span::from_nanos(u64::MAX));
    let nothing = RetryRules { interval: s(0), ..rules.clone() };
    assert_eq!(nothing.backoff(u32::MAX), s(0));
    let shrinking = RetryRules { multiplier: 0.5, ..rules };
    assert_eq!(shrinking.backoff(1), ms(500));
}

#[test]
fn the_reasons_come_in_order() {
    let fail = Plan::Fail;
    let again = |delay, code| Plan::Again { delay, code };
    let with = |change: fn(&mut Failed)| {
        let mut failed = failed(2);
        change(&mut failed);
        failed
    };
    // Each case has everything wrong that comes after its own reason.
    let all_wrong = |f: &mut Failed| {
        f.attempt.hint = Some(Hint::Refuses);
        f.attempt.number = 9;
        f.budget_spent = true;
        f.breaker = BreakerRest::Forever;
        f.attempt.time_left = Some(s(0));
    };
    let picky = RetryRules { retry_on: vec![ErrorKind::Timeout], ..rules() };
    let mut permanent = failed(0);
    all_wrong(&mut permanent);
    permanent.attempt.kind = ErrorKind::Permanent;
    assert_eq!(planned(&picky, &permanent), fail(ReasonCode::RetryPermanent));
    permanent.attempt.kind = ErrorKind::Transient;
    assert_eq!(planned(&picky, &permanent), fail(ReasonCode::RetryAttemptsExhausted));
    permanent.attempt.number = 4;
    assert_eq!(planned(&picky, &permanent), fail(ReasonCode::RetryKindNotRetryable));
    assert_eq!(planned(&rules(), &permanent), fail(ReasonCode::RetryServerRefused));
    permanent.attempt.hint = Some(Hint::After(ms(600_001)));
    assert_eq!(planned(&rules(), &permanent), fail(ReasonCode::RetryServerDelayTooLong));
    permanent.attempt.hint = None;
    assert_eq!(planned(&rules(), &permanent), fail(ReasonCode::RetryRunBudgetExhausted));
    permanent.budget_spent = false;
    assert_eq!(planned(&rules(), &permanent), fail(ReasonCode::RetryBreakerOpen));
    permanent.breaker = BreakerRest::Closed;
    assert_eq!(planned(&rules(), &permanent), fail(ReasonCode::RetryDeadline));
    permanent.attempt.time_left = Some(s(16));
    assert_eq!(planned(&rules(), &permanent), again(s(16), ReasonCode::RetryBackoff));
    // The breaker: closed by then, open a little longer, open for too long.
    let open = |rest| move |f: &mut Failed| f.breaker = BreakerRest::For(rest);
    let mut waits = with(|_| {});
    for (rest, want) in [
        (s(4), again(s(4), ReasonCode::RetryBackoff)),
        (s(5), again(s(5), ReasonCode::RetryBackoff)),
        (s(300), again(s(300), ReasonCode::RetryBackoff)),
        (s(301), fail(ReasonCode::RetryBreakerOpen)),
    ] {
        open(rest)(&mut waits);
        assert_eq!(planned(&rules(), &waits), want, "{rest:?}");
    }
    let attempts = [(0, 1), (1, 2), (2, 4), (3, 8)];
    for (number, seconds) in attempts {
        assert_eq!(planned(&rules(), &failed(number)), again(s(seconds), ReasonCode::RetryBackoff));
    }
}

#[test]
fn without_a_policy_only_a_hint_of_a_limit_is_followed() {
    let mut failed = failed(0);
    let planned = |failed: &Failed| plan(None, failed, &mut Draw::seeded(1));
    failed.attempt.hint = Some(Hint::After(s(5)));
    assert_eq!(planned(&failed), Plan::Fail(ReasonCode::RetryNoPolicy));
    failed.attempt.kind = ErrorKind::RateLimited;
    let hinted = |seconds| Plan::Again { delay: s(seconds), code: ReasonCode::RetryServerHint };
    for (hint, left, want) in [
        (Some(Hint::After(s(5))), None, hinted(5)),
        (Some(Hint::After(s(600))), None, hinted(600)),
        (Some(Hint::After(s(601))), None, Plan::Fail(ReasonCode::RetryServerDelayTooLong)),
        (Some(Hint::Refuses), None, Plan::Fail(ReasonCode::RetryServerRefused)),
        (Some(Hint::After(s(5))), Some(s(4)), Plan::Fail(ReasonCode::RetryDeadline)),
        (None, None, Plan::Fail(ReasonCode::RetryNoPolicy)),
    ] {
        (failed.attempt.hint, failed.attempt.time_left) = (hint, left);
        assert_eq!(planned(&failed), want, "{hint:?} {left:?}");
    }
}
