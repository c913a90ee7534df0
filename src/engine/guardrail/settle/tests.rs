//! Reports that come in any order, for keys that are kept and keys that are not.

use super::super::fixture::{Fixture, at, breaker, budget, facts_costing, s};
use super::super::operate::Operation;
use super::super::report::Ending;
use super::super::verdict::Verdict;
use super::super::{Draw, breaker::BreakerState};
use super::*;
use crate::model::guardrail::ErrorKind;
use crate::model::{Guardrail, ReasonCode};
use crate::unit::Money;

fn charge<'f>(fixture: &'f Fixture, key: &str, millis: u64) -> Verdict<'f> {
    let asks = fixture.asks(&[0], key, 1);
    fixture.live.ledger.charge(&asks, &facts_costing(Some(1.0)), at(millis), &mut Draw::seeded(1))
}

fn settle(fixture: &Fixture, tickets: &[Ticket], taken: u64, outcome: &Outcome, millis: u64) -> Events {
    let taken = Taken { at: at(taken).now, timeout: None };
    fixture.live.ledger.settle(&fixture.guards, taken, tickets, outcome, at(millis))
}

fn failed() -> Outcome {
    Outcome::of(Ending::Failure(ErrorKind::Transient))
}

#[test]
fn the_report_that_trips_says_so() {
    let fixture = Fixture::new(&[breaker("x")]);
    let calls: Vec<_> = (0..4).map(|_| charge(&fixture, "k", 0).tickets).collect();
    assert_eq!(fixture.list[0].keys(), 0, "a healthy key costs nothing");
    let happened: Vec<usize> =
        calls.iter().map(|tickets| settle(&fixture, tickets, 0, &failed(), 1).len()).collect();
    assert_eq!(happened, [0, 0, 1, 0]);
    let verdict = charge(&fixture, "k", 5_001);
    let Some(Event::Breaker { transition, key, .. }) = verdict.events.first() else {
        panic!("no step to half open");
    };
    assert_eq!((transition.from, transition.to), (BreakerState::Open, BreakerState::HalfOpen));
    assert_eq!(key.display(), "k");
    let done = Outcome::of(Ending::Success);
    assert_eq!(settle(&fixture, &verdict.tickets, 5_001, &done, 5_002).len(), 1);
}

#[test]
fn a_success_on_a_healthy_key_makes_none() {
    let fixture = Fixture::new(&[breaker("x")]);
    let verdict = charge(&fixture, "k", 0);
    settle(&fixture, &verdict.tickets, 0, &Outcome::of(Ending::Success), 1);
    let verdict = charge(&fixture, "k", 0);
    settle(&fixture, &verdict.tickets, 0, &Outcome::of(Ending::Cancelled), 1);
    assert_eq!(fixture.list[0].keys(), 0);
}

#[test]
fn a_failure_that_finds_no_room_is_counted_as_dropped() {
    let fixture = Fixture::new(&[Guardrail { max_keys: 1, ..breaker("x") }]);
    let (a, b) = (charge(&fixture, "a", 0), charge(&fixture, "b", 0));
    settle(&fixture, &a.tickets, 0, &failed(), 1);
    settle(&fixture, &b.tickets, 0, &failed(), 1);
    assert_eq!((fixture.list[0].keys(), fixture.list[0].dropped()), (1, 1));
    // When the window of the other is over there is room again.
    let c = charge(&fixture, "c", 10_001);
    settle(&fixture, &c.tickets, 10_001, &failed(), 10_002);
    assert_eq!((fixture.list[0].keys(), fixture.list[0].dropped()), (1, 1));
}

#[test]
fn what_was_reset_is_not_taught_by_reports_from_before() {
    let fixture = Fixture::new(&[breaker("x")]);
    let calls: Vec<_> = (0..6).map(|_| charge(&fixture, "k", 0).tickets).collect();
    calls[..2].iter().for_each(|tickets| drop(settle(&fixture, tickets, 0, &failed(), 1)));
    fixture.live.operate(&fixture.list[0], None, Operation::Reset, at(2)).unwrap();
    for tickets in &calls[2..] {
        assert!(settle(&fixture, tickets, 0, &failed(), 3).is_empty());
    }
    assert_eq!(fixture.list[0].keys(), 0);
}

#[test]
fn a_budget_that_was_reset_ignores_what_was_promised_before() {
    let fixture = Fixture::new(&[budget("b", 5.0, s(0))]);
    let spent = Outcome { cost: Money::from_units(3.0), ..Outcome::of(Ending::Success) };
    for key in [false, true] {
        let verdict = charge(&fixture, "k", 0);
        let view = &fixture.live.view(&fixture.list[0], 1, at(0))[0];
        let name = key.then_some(&view.key);
        fixture.live.operate(&fixture.list[0], name, Operation::Reset, at(1)).unwrap();
        settle(&fixture, &verdict.tickets, 0, &spent, 2);
        assert_eq!(charge(&fixture, "k", 3).limits[0].room.used, 0);
        fixture.live.operate(&fixture.list[0], None, Operation::Reset, at(4)).unwrap();
    }
}

#[test]
fn a_decision_that_took_longer_than_its_timeout_is_a_failure_for_breakers() {
    let fixture = Fixture::new(&[breaker("x")]);
    for _ in 0..3 {
        let verdict = charge(&fixture, "k", 0);
        let taken = Taken { at: at(0).now, timeout: Some(s(1)) };
        // No duration given: from the decision to the report.
        let done = Outcome::of(Ending::Success);
        fixture.live.ledger.settle(&fixture.guards, taken, &verdict.tickets, &done, at(1_001));
    }
    assert_eq!(charge(&fixture, "k", 1_002).refusals[0].code, ReasonCode::BreakerOpen);
}

#[test]
fn tickets_of_a_guardrail_that_is_gone_settle_nothing() {
    let fixture = Fixture::new(&[budget("b", 5.0, s(0))]);
    let verdict = charge(&fixture, "k", 0);
    let gone = fixture.live.reconcile(&[]);
    let taken = Taken { at: at(0).now, timeout: None };
    let done = Outcome::of(Ending::Success);
    let ledger = &fixture.live.ledger;
    assert!(ledger.settle(&gone.guards, taken, &verdict.tickets, &done, at(1)).is_empty());
    let mut tickets = verdict.tickets.clone();
    assert_eq!(ledger.renew(&gone.guards, taken, &mut tickets, at(1).now), None);
}
