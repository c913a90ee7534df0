//! Caps, idleness, eviction and what a key costs.

use super::super::fixture::{Fixture, at, breaker, budget, concurrency, facts, facts_costing, ms, s, window};
use super::super::report::{Ending, Outcome};
use super::super::settle::Taken;
use super::super::verdict::{RefusalEffect, Verdict};
use super::super::{Asks, Draw};
use super::*;
use crate::model::guardrail::{ErrorKind, OnMaxKeys};
use crate::model::{Guardrail, ReasonCode};
use proptest::prelude::*;
use std::collections::HashMap;

fn capped(guardrail: Guardrail, max_keys: u64, on_max_keys: OnMaxKeys) -> Guardrail {
    Guardrail { max_keys, on_max_keys, ..guardrail }
}

fn charge<'f>(fixture: &'f Fixture, guard: usize, key: &str, millis: u64) -> Verdict<'f> {
    let asks = fixture.asks(&[guard], key, 1);
    fixture.live.ledger.charge(&asks, &facts_costing(Some(1.0)), at(millis), &mut Draw::seeded(1))
}

fn used(fixture: &Fixture, key: &str, millis: u64) -> u64 {
    let asks = fixture.asks(&[0], key, 0);
    let verdict = fixture.live.ledger.peek(&asks, &facts(), at(millis), &mut Draw::seeded(1));
    verdict.limits[0].room.used
}

#[derive(Clone, Debug)]
enum Step {
    Add(u16),
    Remove(u16),
    Find(u16),
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A shard is a map, whatever is added and removed in whatever order.
    #[test]
    fn a_shard_is_a_map(steps in prop::collection::vec(
        (0..60_u16).prop_flat_map(|n| prop_oneof![Just(Step::Add(n)), Just(Step::Remove(n)), Just(Step::Find(n))]),
        1..400,
    )) {
        let seed = Seed(9);
        let (mut shard, mut map, guard) = (Shard::new(seed), HashMap::new(), GuardId(3));
        for (number, step) in steps.into_iter().enumerate() {
            let (Step::Add(key) | Step::Remove(key) | Step::Find(key)) = step;
            let text = key.to_be_bytes();
            let hash = seed.hash(guard, &text);
            let place = shard.find(hash, guard, &text);
            prop_assert_eq!(place.is_some(), map.contains_key(&key));
            match (step, place) {
                (Step::Add(_), None) => {
                    shard.add(hash, guard, &text, State::Flush(number as u64));
                    map.insert(key, number as u64);
                }
                (Step::Remove(_), Some(place)) => {
                    shard.remove(place);
                    map.remove(&key);
                }
                (_, Some(place)) => {
                    let slot = shard.get(place).unwrap();
                    prop_assert!(matches!(slot.state, State::Flush(n) if n == map[&key]));
                }
                (_, None) => {}
            }
            prop_assert_eq!(shard.iter().count(), map.len());
        }
    }
}

#[test]
fn a_full_table_refuses_new_keys_and_keeps_the_old() {
    let fixture = Fixture::new(&[capped(window("w", 5, s(60)), 3, OnMaxKeys::Refuse)]);
    for key in ["a", "b", "c"] {
        assert!(charge(&fixture, 0, key, 0).is_allowed());
    }
    let verdict = charge(&fixture, 0, "d", 1);
    let refusal = &verdict.refusals[0];
    assert_eq!((refusal.code, refusal.effect), (ReasonCode::KeysFull, RefusalEffect::Throttle(s(1))));
    assert!(charge(&fixture, 0, "a", 1).is_allowed());
    assert_eq!((used(&fixture, "a", 1), fixture.list[0].keys()), (2, 3));
    // A key that is the same as fresh makes room at once.
    assert!(charge(&fixture, 0, "d", 60_000).is_allowed());
    assert_eq!(used(&fixture, "a", 60_000), 1);
}

#[test]
fn a_request_that_is_refused_makes_no_key() {
    let fixture = Fixture::new(&[window("w", 5, s(60)), window("full", 0, s(60))]);
    let draw = &mut Draw::seeded(1);
    for n in 0..100 {
        let asks = fixture.asks(&[0, 1], &format!("k{n}"), 1);
        assert!(!fixture.live.ledger.charge(&asks, &facts(), at(0), draw).is_allowed());
    }
    assert_eq!((fixture.list[0].keys(), fixture.list[1].keys()), (0, 0));
}

#[test]
fn the_least_recently_charged_makes_room_where_wanted() {
    let fixture = Fixture::new(&[capped(window("w", 5, s(3_600)), 3, OnMaxKeys::EvictLru)]);
    for (key, millis) in [("a", 0), ("b", 1_000), ("c", 2_000), ("a", 3_000), ("d", 4_000)] {
        assert!(charge(&fixture, 0, key, millis).is_allowed());
    }
    let held: Vec<u64> = ["a", "b", "c", "d"].iter().map(|key| used(&fixture, key, 4_000)).collect();
    assert_eq!(held, [2, 0, 1, 1]);
    assert_eq!((fixture.list[0].keys(), fixture.list[0].evicted()), (3, 1));
}

#[test]
fn an_eviction_leaves_the_others_in_turn() {
    let fixture = Fixture::new(&[capped(window("w", 5, s(3_600)), 512, OnMaxKeys::EvictLru)]);
    for n in 0..512 {
        assert!(charge(&fixture, 0, &format!("k{n}"), 0).is_allowed());
    }
    // Eight pieces of 64: the oldest of the first four is in the first, of the others in the last.
    for n in (0..512).filter(|n| *n != 500) {
        let millis = if n == 0 { 50_000 } else { 100_000 };
        assert!(charge(&fixture, 0, &format!("k{n}"), millis).is_allowed());
    }
    let held = |millis| ["k0", "k500"].map(|key| used(&fixture, key, millis));
    assert!(charge(&fixture, 0, "x", 200_000).is_allowed());
    assert_eq!(held(200_000), [0, 1]);
    assert!(charge(&fixture, 0, "y", 200_001).is_allowed());
    assert_eq!(held(200_001), [0, 0]);
    assert_eq!((fixture.list[0].keys(), fixture.list[0].evicted()), (512, 2));
}

#[test]
fn after_a_look_in_vain_nobody_looks_for_a_while() {
    let fixture = Fixture::new(&[capped(window("w", 5, ms(5)), 1, OnMaxKeys::Refuse)]);
    assert!(charge(&fixture, 0, "a", 0).is_allowed());
    let code = |millis| charge(&fixture, 0, "b", millis).refusals.first().map(|refusal| refusal.code);
    let full = Some(ReasonCode::KeysFull);
    // The old key is as new from 5 ms on.
    assert_eq!([1, 4, 6, 10, 11].map(code), [full, full, full, full, None]);
}

#[test]
fn what_is_promised_is_not_evicted() {
    let lru = |guardrail| capped(guardrail, 1, OnMaxKeys::EvictLru);
    let fixture = Fixture::new(&[lru(concurrency("c", 1)), lru(budget("b", 9.0, s(0))), lru(breaker("x"))]);
    for guard in [0, 1] {
        assert!(charge(&fixture, guard, "a", 0).is_allowed());
        assert_eq!(charge(&fixture, guard, "b", 1).refusals[0].code, ReasonCode::KeysFull);
    }
    let failed = Outcome::of(Ending::Failure(ErrorKind::Transient));
    let taken = Taken { at: at(0).now, timeout: None };
    for _ in 0..3 {
        let verdict = charge(&fixture, 2, "a", 0);
        fixture.live.ledger.settle(&fixture.guards, taken, &verdict.tickets, &failed, at(0));
    }
    assert_eq!(charge(&fixture, 2, "b", 1).refusals[0].code, ReasonCode::KeysFull);
    assert_eq!(charge(&fixture, 2, "a", 1).refusals[0].code, ReasonCode::BreakerOpen);
}

#[test]
fn a_caller_that_invents_keys_resets_nobody() {
    let fixture = Fixture::new(&[capped(window("w", 2, s(60)), 100, OnMaxKeys::Refuse)]);
    assert!(charge(&fixture, 0, "victim", 0).is_allowed());
    assert!(charge(&fixture, 0, "victim", 0).is_allowed());
    for n in 0..2_000 {
        charge(&fixture, 0, &format!("invented-{n}"), 1 + n / 40);
    }
    assert_eq!(fixture.list[0].keys(), 100);
    assert!(!charge(&fixture, 0, "victim", 59_999).is_allowed());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "shows what threads do to each other")]
fn the_cap_holds_with_many_threads() {
    let fixture = Fixture::sharded(&[capped(window("w", 2, s(60)), 500, OnMaxKeys::Refuse)], 64);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let fixture = &fixture;
            scope.spawn(move || {
                for n in 0..1_000 {
                    charge(fixture, 0, &format!("{thread}-{n}"), 0);
                    assert!(fixture.list[0].keys() <= 500);
                }
            });
        }
    });
    assert_eq!(fixture.list[0].keys(), 500);
}

#[test]
fn idle_keys_go_and_those_that_hold_something_stay() {
    let idle = |guardrail: Guardrail| Guardrail { idle: s(100), ..guardrail };
    let fixture =
        Fixture::new(&[idle(window("w", 2, s(60))), idle(budget("b", 9.0, s(0))), idle(concurrency("c", 1))]);
    let done = Outcome::of(Ending::Success);
    for guard in 0..3 {
        let verdict = charge(&fixture, guard, "k", 0);
        if guard == 1 {
            let taken = Taken { at: at(0).now, timeout: None };
            fixture.live.ledger.settle(&fixture.guards, taken, &verdict.tickets, &done, at(0));
        }
    }
    let left = |millis| {
        [0, 1, 2].map(|guard| {
            fixture.live.ledger.scan(&fixture.list[guard], at(millis));
            fixture.list[guard].keys()
        })
    };
    // The window is over after 60 s, the lease too; the budget for life is idle after 100 s.
    assert_eq!(left(59_999), [1, 1, 1]);
    assert_eq!(left(60_000), [0, 1, 0]);
    assert_eq!(left(99_000), [0, 1, 0]);
    assert_eq!(left(101_000), [0, 0, 0]);
}

/// Keys of one guardrail: bytes for each, besides its text.
fn bytes_a_key(guardrail: Guardrail, units: u64, keys: u64) -> u64 {
    let fixture = Fixture::sharded(&[guardrail], 8);
    let (draw, facts) = (&mut Draw::seeded(1), facts());
    let mut text = 0;
    for key in 0..keys {
        let name = format!("user-{key:07}");
        text += name.len() as u64;
        for unit in 0..units {
            let mut asks = Asks::default();
            asks.ask_values(&fixture.list[0], &[&name], 1);
            assert!(fixture.live.ledger.charge(&asks, &facts, at(unit), draw).is_allowed());
        }
    }
    let ledger = &fixture.live.ledger;
    let all = ledger.bytes() + fixture.list[0].bytes();
    (all as u64 - text) / keys
}

#[test]
fn a_key_costs_what_the_page_says() {
    assert_eq!(size_of::<State>(), 40);
    assert_eq!(size_of::<Slot>(), 72);
    // About a thousand keys in a shard, and a number that is no power of two.
    let small = bytes_a_key(window("w", 10, s(60)), 10, 9_000);
    assert!(small <= 128, "{small} bytes for a limit of 10");
    let one = bytes_a_key(window("w", 10, s(60)), 1, 9_000);
    assert!(one <= 100, "{one} bytes for one unit");
    for limit in [127, 128, 255, 256, 10_000] {
        let large = bytes_a_key(window("w", limit, s(60)), limit.min(300), 400);
        assert!(large <= 640, "{large} bytes for a limit of {limit}");
    }
}

#[test]
fn a_request_that_is_refused_elsewhere_costs_nobody_a_key() {
    let full = capped(window("full", 9, s(100)), 1, OnMaxKeys::EvictLru);
    let fixture = Fixture::new(&[full, window("shut", 0, s(100))]);
    assert!(charge(&fixture, 0, "own", 0).is_allowed());
    let mut asks = Asks::default();
    asks.ask_values(&fixture.list[0], &["new"], 1);
    asks.ask_values(&fixture.list[1], &["new"], 1);
    let said = fixture.live.ledger.charge(&asks, &facts(), at(1), &mut Draw::seeded(1));
    assert!(!said.is_allowed());
    assert_eq!((used(&fixture, "own", 2), fixture.list[0].evicted()), (1, 0));
}

#[test]
fn a_reservation_that_has_lapsed_keeps_no_key_from_eviction() {
    let fixture = Fixture::new(&[capped(budget("b", 9.0, s(86_400)), 1, OnMaxKeys::EvictLru)]);
    assert!(charge(&fixture, 0, "a", 0).is_allowed());
    assert!(!charge(&fixture, 0, "b", 599_999).is_allowed(), "its lease is still out");
    assert!(charge(&fixture, 0, "b", 600_000).is_allowed());
}
