//! What a new bundle keeps.

use super::super::fixture::{
    Fixture, at, breaker, breaker_rules, bucket, budget, facts, facts_costing, guardrail, s, window,
};
use super::super::report::{Ending, Outcome};
use super::super::settle::Taken;
use super::super::sweep::Sweeper;
use super::super::verdict::Verdict;
use super::super::{Asks, Draw};
use super::*;
use crate::model::guardrail::{CircuitBreaker, ErrorKind, Rules};
use crate::model::{Field, ReasonCode};
use crate::unit::Span;

fn charge<'g>(live: &Live, guard: &'g Guard, units: u64, millis: u64) -> Verdict<'g> {
    let mut asks = Asks::default();
    asks.ask_values(guard, &["k"], units);
    live.ledger.charge(&asks, &facts_costing(Some(1.0)), at(millis), &mut Draw::seeded(1))
}

/// Makes one guardrail live in each arm.
fn arms(live: &Live, stable: &Guardrail, canary: Option<&Guardrail>) -> Vec<Arc<Guard>> {
    let one = |guardrail: &Guardrail| vec![guardrail.clone()];
    let lists: Vec<Vec<Guardrail>> = [Some(stable), canary].into_iter().flatten().map(one).collect();
    let made = live.reconcile(&lists.iter().map(|list| &**list).collect::<Vec<_>>());
    made.arms.into_iter().flatten().flatten().collect()
}

fn limits(limit: u64) -> Guardrail {
    window("w", limit, s(60))
}

#[test]
fn counts_stay_when_limits_change() {
    let live = Live::new(4, 1);
    let cases: [(Guardrail, Guardrail, u64); 5] = [
        (limits(10), limits(20), 7),
        (limits(10), limits(3), 7),
        (limits(100), limits(6_400), 77),
        (limits(6_400), limits(100), 77),
        (bucket("b", 10, s(60), 10), bucket("b", 20, s(30), 40), 7),
    ];
    for (before, after, units) in cases {
        let old = arms(&live, &before, None);
        assert!(charge(&live, &old[0], units, 0).is_allowed());
        let new = arms(&live, &after, None);
        let room = charge(&live, &new[0], 0, 0).limits[0].room;
        assert_eq!(room.used, units, "{after:?}");
        assert_eq!(room.left(), room.limit.saturating_sub(units));
        live.reconcile(&[]);
    }
}

#[test]
fn a_longer_window_keeps_the_instants() {
    let live = Live::new(4, 1);
    let old = arms(&live, &limits(10), None);
    assert!(charge(&live, &old[0], 4, 0).is_allowed());
    let new = arms(&live, &window("w", 10, s(120)), None);
    assert!(charge(&live, &new[0], 1, 90_000).is_allowed());
    assert_eq!(charge(&live, &new[0], 0, 119_999).limits[0].room.used, 5);
    assert_eq!(charge(&live, &new[0], 0, 120_000).limits[0].room.used, 1);
}

#[test]
fn another_algorithm_or_key_starts_anew() {
    let live = Live::new(4, 1);
    let keyed = |key_by| {
        let mut made = limits(10);
        if let Rules::RateLimit(rules) = &mut made.rules {
            rules.key_by = key_by;
        }
        made
    };
    for other in [bucket("w", 10, s(60), 10), keyed(vec![KeyDimension::Field(Field::Tenant)])] {
        let old = arms(&live, &limits(10), None);
        assert!(charge(&live, &old[0], 7, 0).is_allowed());
        let new = arms(&live, &other, None);
        assert_ne!(new[0].id, old[0].id);
        assert_eq!(charge(&live, &new[0], 1, 0).limits[0].room.used, 1);
        live.reconcile(&[]);
    }
}

#[test]
fn what_is_gone_frees_its_state_bit_by_bit() {
    let fixture = Fixture::new(&[window("gone", 5, s(3_600)), window("stays", 5, s(3_600))]);
    let draw = &mut Draw::seeded(1);
    for n in 0..1_000 {
        let asks = fixture.asks(&[0, 1], &format!("k{n}"), 1);
        assert!(fixture.live.ledger.charge(&asks, &facts(), at(0), draw).is_allowed());
    }
    let made = fixture.live.reconcile(&[&[window("stays", 5, s(3_600))]]);
    let mut sweeper = Sweeper::default();
    sweeper.step(&fixture.live, &made.guards, at(1), 2);
    assert!((800..1_000).contains(&fixture.list[0].keys()), "{}", fixture.list[0].keys());
    for _ in 0..20 {
        sweeper.step(&fixture.live, &made.guards, at(1), 2);
    }
    assert_eq!((fixture.list[0].keys(), fixture.list[1].keys()), (0, 1_000));
    // As long as somebody may still charge it, it is watched.
    assert_eq!(fixture.live.retired().len(), 1);
    let Fixture { live, list, guards } = fixture;
    drop((list, guards));
    sweeper.step(&live, &made.guards, at(1), 2);
    assert!(live.retired().is_empty());
}

#[test]
fn paused_keeps_its_counts_and_disabled_does_not() {
    for (state, kept) in [(State::Paused, 3), (State::Disabled, 0), (State::Draft, 0)] {
        let live = Live::new(4, 1);
        let on = arms(&live, &limits(10), None);
        assert!(charge(&live, &on[0], 3, 0).is_allowed());
        let off = live.reconcile(&[&[Guardrail { state, ..limits(10) }]]);
        assert_eq!(off.arms[0][0].is_some(), state == State::Paused);
        let again = arms(&live, &limits(10), None);
        assert_eq!(charge(&live, &again[0], 0, 0).limits[0].room.used, kept, "{state:?}");
    }
}

#[test]
fn two_arms_share_a_state_and_compare_with_their_own_limit() {
    let live = Live::new(4, 1);
    let (stable, canary) = (window("w", 10, s(60)), window("w", 4, s(120)));
    let both = arms(&live, &stable, Some(&canary));
    assert_eq!(both[0].id, both[1].id);
    assert!(charge(&live, &both[0], 3, 0).is_allowed());
    assert!(charge(&live, &both[1], 1, 0).is_allowed());
    assert!(!charge(&live, &both[1], 1, 0).is_allowed());
    assert!(charge(&live, &both[0], 6, 0).is_allowed());
    // After 60 s the window of one is empty, that of the other is not.
    assert_eq!(charge(&live, &both[0], 0, 60_000).limits[0].room.used, 0);
    assert!(!charge(&live, &both[1], 1, 60_000).is_allowed());
    assert!(charge(&live, &both[0], 10, 60_000).is_allowed());
}

#[test]
fn budgets_of_two_arms_keep_the_longer_window() {
    let live = Live::new(4, 1);
    let both = arms(&live, &budget("b", 5.0, s(60)), Some(&budget("b", 5.0, s(3_600))));
    for _ in 0..5 {
        assert!(charge(&live, &both[0], 1, 0).is_allowed());
    }
    assert!(!charge(&live, &both[0], 1, 61_000).is_allowed());
    assert!(charge(&live, &both[1], 1, 3_600_000).is_allowed());
}

#[test]
fn a_budget_whose_windows_become_shorter_keeps_its_counts_and_ends_with_the_shorter() {
    let live = Live::new(4, 1);
    let daily = arms(&live, &budget("b", 5.0, s(86_400)), None);
    for _ in 0..5 {
        assert!(charge(&live, &daily[0], 1, 0).is_allowed());
    }
    let hourly = arms(&live, &budget("b", 5.0, s(3_600)), None);
    assert!(!charge(&live, &hourly[0], 1, 3_599_999).is_allowed());
    assert!(charge(&live, &hourly[0], 1, 3_600_000).is_allowed());
}

#[test]
fn breakers_that_differ_have_a_state_each_and_a_promoted_one_keeps_its_own() {
    let live = Live::new(4, 1);
    let touchy = CircuitBreaker { failure_threshold: Some(1), ..breaker_rules() };
    let (stable, canary) = (breaker("x"), guardrail("x", Rules::CircuitBreaker(touchy)));
    let alone = arms(&live, &stable, None);
    let both = arms(&live, &stable, Some(&canary));
    assert_eq!(both[0].id, alone[0].id);
    assert_ne!(both[0].id, both[1].id);
    let same = arms(&live, &stable, Some(&stable));
    assert_eq!(same[0].id, same[1].id);
    let both = arms(&live, &stable, Some(&canary));
    let made = live.reconcile(&[&[stable], std::slice::from_ref(&canary)]);
    let verdict = charge(&live, &both[1], 1, 0);
    let failed = Outcome::of(Ending::Failure(ErrorKind::Transient));
    let taken = Taken { at: at(0).now, timeout: None };
    live.ledger.settle(&made.guards, taken, &verdict.tickets, &failed, at(0));
    assert!(charge(&live, &both[0], 1, 1).is_allowed());
    assert_eq!(charge(&live, &both[1], 1, 1).refusals[0].code, ReasonCode::BreakerOpen);
    let promoted = arms(&live, &canary, None);
    assert_eq!(promoted[0].id, both[1].id);
    assert!(!charge(&live, &promoted[0], 1, 1).is_allowed());
}

#[test]
fn ten_thousand_guardrails_are_reconciled_at_once() {
    let live = Live::new(4, 1);
    let many: Vec<Guardrail> =
        (0..10_000).map(|n| window(&format!("g{n}"), 5, Span::from_nanos(n + 1))).collect();
    let first = live.reconcile(&[&many, &many]);
    let second = live.reconcile(&[&many, &many]);
    let ids = |made: &Reconciled| -> Vec<GuardId> {
        made.arms.iter().flatten().flatten().map(|guard| guard.id).collect()
    };
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(second.guards.iter().count(), 10_000);
}

#[test]
fn a_request_on_the_old_bundle_moves_no_window_of_the_new() {
    let day = 24 * 3_600;
    for (before, after) in [(day, 3_600), (3_600, day)] {
        let live = Live::new(4, 1);
        let old = arms(&live, &budget("b", 9.0, s(before)), None);
        let new = arms(&live, &budget("b", 9.0, s(after)), None);
        assert!(charge(&live, &new[0], 1, 1_000).is_allowed());
        // It took its snapshot before the change.
        assert!(charge(&live, &old[0], 1, 2_000).is_allowed());
        let room = charge(&live, &new[0], 1, 3_000).limits[0].room;
        assert_eq!(room.reserved, 3_000_000_000, "{before} to {after}");
        let whole = i64::try_from(after).unwrap() * 1_000_000_000;
        let rest = whole - at(3_000).wall.nanos() % whole;
        assert_eq!(room.reset_after.map(|rest| rest.nanos()), u64::try_from(rest).ok());
    }
}
