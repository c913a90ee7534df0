//! Retries with the state that they read.

use super::super::fixture::{Fixture, at, breaker, budget, facts, facts_costing, guardrail, ms, s};
use super::super::report::{Ending, Outcome};
use super::super::settle::Taken;
use super::*;
use crate::model::Guardrail;
use crate::model::guardrail::{ErrorKind, Jitter, Retry, RetryBudget, Rules as Written};

fn policy(name: &str, priority: i32, interval: Span, budget: Option<RetryBudget>) -> Guardrail {
    let rules = Retry {
        max_retries: 3,
        interval,
        backoff_multiplier: 2.0,
        max_interval: s(30),
        jitter: Jitter::None,
        retry_on: vec![ErrorKind::Transient],
        max_server_delay: s(600),
        key_by: Vec::new(),
        retry_budget: budget,
        jitter_ratio: 0.2,
    };
    Guardrail { priority, ..guardrail(name, Written::Retry(rules)) }
}

fn retry<'f>(fixture: &'f Fixture, guards: &[usize], millis: u64) -> RetryAnswer<'f> {
    let attempt = Attempt { kind: ErrorKind::Transient, hint: None, number: 0, time_left: None };
    let asks = fixture.asks(guards, "k", 1);
    fixture.live.ledger.retry(&asks, &facts(), &attempt, at(millis), &mut Draw::seeded(1))
}

fn authorize(fixture: &Fixture, guards: &[usize], attempt: u32, millis: u64) -> Vec<super::super::Ticket> {
    let facts = Facts { first_attempt: attempt == 0, ..facts_costing(Some(1.0)) };
    let asks = fixture.asks(guards, "k", 1);
    fixture.live.ledger.charge(&asks, &facts, at(millis), &mut Draw::seeded(1)).tickets.to_vec()
}

#[test]
fn the_highest_priority_then_the_first_name_is_followed() {
    let fixture = Fixture::new(&[
        policy("low", 10, s(9), None),
        policy("b", 60, s(2), None),
        policy("a", 60, s(1), None),
    ]);
    let answer = retry(&fixture, &[0, 1, 2], 0);
    assert_eq!(answer.policy.unwrap().name.as_str(), "a");
    assert_eq!(answer.plan, Plan::Again { delay: s(1), code: ReasonCode::RetryBackoff });
    assert!(retry(&fixture, &[], 0).policy.is_none());
    assert_eq!(retry(&fixture, &[], 0).plan, Plan::Fail(ReasonCode::RetryNoPolicy));
}

#[test]
fn a_fifth_of_the_first_attempts_may_be_retried() {
    let share = RetryBudget { ratio: 0.2, min_per_second: 0.1, window: s(10) };
    let fixture = Fixture::new(&[policy("p", 50, s(1), Some(share))]);
    // Nothing but what is always allowed: a tenth a second over ten seconds.
    assert!(matches!(retry(&fixture, &[0], 0).plan, Plan::Again { .. }));
    assert_eq!(retry(&fixture, &[0], 0).plan, Plan::Fail(ReasonCode::RetryBudgetExhausted));
    for _ in 0..9 {
        authorize(&fixture, &[0], 0, 1);
    }
    // Later attempts are none of the first.
    for _ in 0..50 {
        authorize(&fixture, &[0], 1, 1);
    }
    assert!(matches!(retry(&fixture, &[0], 1).plan, Plan::Again { .. }));
    assert_eq!(retry(&fixture, &[0], 1).plan, Plan::Fail(ReasonCode::RetryBudgetExhausted));
    authorize(&fixture, &[0], 0, 2);
    assert!(matches!(retry(&fixture, &[0], 2).plan, Plan::Again { .. }));
    assert!(matches!(retry(&fixture, &[0], 10_000).plan, Plan::Again { .. }));
}

#[test]
fn what_is_refused_is_not_counted() {
    let share = RetryBudget { ratio: 0.0, min_per_second: 0.1, window: s(10) };
    let fixture = Fixture::new(&[policy("p", 50, s(1), Some(share))]);
    let late = Attempt { kind: ErrorKind::Transient, hint: None, number: 9, time_left: None };
    let asks = fixture.asks(&[0], "k", 1);
    for _ in 0..5 {
        let draw = &mut Draw::seeded(1);
        let answer = fixture.live.ledger.retry(&asks, &facts(), &late, at(0), draw);
        assert_eq!(answer.plan, Plan::Fail(ReasonCode::RetryAttemptsExhausted));
    }
    assert!(matches!(retry(&fixture, &[0], 0).plan, Plan::Again { .. }));
}

#[test]
fn open_breakers_and_spent_budgets_have_their_say() {
    let fixture = Fixture::new(&[policy("p", 50, s(1), None), breaker("x"), budget("b", 2.0, s(0))]);
    let settle = |tickets: &[_], ending| {
        let taken = Taken { at: at(0).now, timeout: None };
        let outcome = Outcome::of(ending);
        fixture.live.ledger.settle(&fixture.guards, taken, tickets, &outcome, at(0));
    };
    for _ in 0..3 {
        let tickets = authorize(&fixture, &[1], 0, 0);
        settle(&tickets, Ending::Failure(ErrorKind::Transient));
    }
    let again = |delay| Plan::Again { delay, code: ReasonCode::RetryBackoff };
    assert_eq!(retry(&fixture, &[0, 1], 0).plan, again(s(5)));
    assert_eq!(retry(&fixture, &[0, 1], 3_500).plan, again(ms(1_500)));
    assert_eq!(retry(&fixture, &[0, 1], 5_000).plan, again(s(1)));
    assert_eq!(retry(&fixture, &[0, 2], 0).plan, again(s(1)));
    for _ in 0..2 {
        authorize(&fixture, &[2], 0, 0);
    }
    // All of it is reserved: nothing is left.
    let spent = retry(&fixture, &[0, 2], 0).plan;
    assert_eq!(spent, Plan::Fail(ReasonCode::RetryRunBudgetExhausted));
    fixture.list[1].keys.set_hold(Hold::Open);
    assert_eq!(retry(&fixture, &[0, 1], 90_000).plan, Plan::Fail(ReasonCode::RetryBreakerOpen));
}
