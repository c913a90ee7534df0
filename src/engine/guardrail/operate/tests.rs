//! Operators' hands on one key and on all.

use super::super::Draw;
use super::super::fixture::{Fixture, at, breaker, concurrency, facts, facts_costing, s, window};
use super::super::verdict::{RefusalEffect, Verdict};
use super::*;
use crate::model::{Disposition, ReasonCode};

fn charge<'f>(fixture: &'f Fixture, guard: usize, key: &str, millis: u64) -> Verdict<'f> {
    let asks = fixture.asks(&[guard], key, 1);
    fixture.live.ledger.charge(&asks, &facts_costing(None), at(millis), &mut Draw::seeded(1))
}

fn key(name: &str) -> Key {
    Key::of(name.as_bytes())
}

fn code(verdict: &Verdict<'_>) -> Option<ReasonCode> {
    verdict.refusals.first().map(|refusal| refusal.code)
}

#[test]
fn one_key_of_a_breaker() {
    let fixture = Fixture::new(&[breaker("x")]);
    let operate = |operation, millis| {
        let guard = &fixture.list[0];
        fixture.live.operate(guard, Some(&key("a")), operation, at(millis)).unwrap();
    };
    operate(Operation::ForceOpen, 0);
    let verdict = charge(&fixture, 0, "a", 1);
    assert_eq!(code(&verdict), Some(ReasonCode::ForcedOpen));
    assert_eq!(verdict.refusals[0].effect, RefusalEffect::Deny(Disposition::Raise));
    assert_eq!(code(&charge(&fixture, 0, "b", 1)), None);
    // It is not forgotten however long nobody asks.
    fixture.live.ledger.scan(&fixture.list[0], at(1 << 40));
    assert_eq!(code(&charge(&fixture, 0, "a", 1 << 40)), Some(ReasonCode::ForcedOpen));
    operate(Operation::Close, 2);
    assert_eq!(code(&charge(&fixture, 0, "a", 3)), None);
}

#[test]
fn all_keys_of_a_breaker_those_nobody_has_seen_included() {
    let fixture = Fixture::new(&[breaker("x")]);
    let operate = |operation, millis| {
        fixture.live.operate(&fixture.list[0], None, operation, at(millis)).unwrap();
    };
    operate(Operation::ForceOpen, 0);
    assert_eq!(code(&charge(&fixture, 0, "anybody", 1)), Some(ReasonCode::ForcedOpen));
    operate(Operation::Disable, 2);
    assert_eq!(code(&charge(&fixture, 0, "anybody", 3)), None);
    assert_eq!(Live::hold(&fixture.list[0]), Hold::Disabled);
    operate(Operation::Close, 4);
    assert_eq!((code(&charge(&fixture, 0, "anybody", 5)), Live::hold(&fixture.list[0])), (None, Hold::None));
}

#[test]
fn reset_empties_a_key_or_all() {
    let fixture = Fixture::new(&[window("w", 1, s(60)), concurrency("c", 1)]);
    for guard in [0, 1] {
        for name in ["a", "b"] {
            assert!(charge(&fixture, guard, name, 0).is_allowed());
        }
        let live = &fixture.live;
        live.operate(&fixture.list[guard], Some(&key("a")), Operation::Reset, at(1)).unwrap();
        assert!(charge(&fixture, guard, "a", 2).is_allowed());
        assert!(!charge(&fixture, guard, "b", 2).is_allowed());
        live.operate(&fixture.list[guard], None, Operation::Reset, at(3)).unwrap();
        assert_eq!(fixture.list[guard].keys(), 0);
        assert!(charge(&fixture, guard, "b", 4).is_allowed());
    }
}

#[test]
fn only_breakers_are_opened_and_closed() {
    let fixture = Fixture::new(&[window("w", 1, s(60))]);
    for operation in [Operation::ForceOpen, Operation::Close, Operation::Disable] {
        assert_eq!(fixture.live.operate(&fixture.list[0], None, operation, at(0)), Err(NotABreaker));
    }
}

#[test]
fn operators_see_keys_rooms_and_the_time_to_the_next_probe() {
    let fixture = Fixture::new(&[window("w", 3, s(60)), breaker("x")]);
    charge(&fixture, 0, "a", 0);
    charge(&fixture, 0, "a", 0);
    let views = fixture.live.view(&fixture.list[0], 10, at(1));
    assert_eq!(views.len(), 1);
    assert_eq!((views[0].key.display(), views[0].rooms[0].used), ("a".into(), 2));
    let guard = &fixture.list[1];
    fixture.live.operate(guard, Some(&key("b")), Operation::ForceOpen, at(0)).unwrap();
    let view = &fixture.live.view(guard, 10, at(1))[0];
    assert_eq!((view.breaker, view.next_probe), (Some(BreakerState::ForcedOpen), None));
    let asks = fixture.asks(&[0], "z", 0);
    assert!(fixture.live.ledger.peek(&asks, &facts(), at(1), &mut Draw::seeded(1)).is_allowed());
}

#[test]
fn keys_of_breakers_are_counted_by_state_in_one_go() {
    let fixture = Fixture::new(&[breaker("x"), window("w", 3, s(60)), breaker("y"), breaker("z")]);
    let operate = |guard: usize, name: Option<&str>, operation| {
        let name = name.map(key);
        fixture.live.operate(&fixture.list[guard], name.as_ref(), operation, at(0)).unwrap();
    };
    for name in ["a", "b"] {
        operate(0, Some(name), Operation::ForceOpen);
    }
    operate(0, Some("c"), Operation::Disable);
    operate(2, Some("a"), Operation::Disable);
    operate(3, Some("a"), Operation::ForceOpen);
    operate(3, None, Operation::Disable);
    charge(&fixture, 1, "a", 0);
    let counted = fixture.live.breakers(fixture.list.iter().map(|guard| &**guard), at(1));
    let keys =
        |guard: usize| counted[&fixture.list[guard].id].iter().map(|(_, keys)| keys).collect::<Vec<_>>();
    assert_eq!((keys(0), keys(2)), (vec![0, 0, 0, 2, 1], vec![0, 0, 0, 0, 1]));
    assert_eq!(keys(3), [0, 0, 0, 0, 1], "all of it is held");
    assert!(!counted.contains_key(&fixture.list[1].id));
}
