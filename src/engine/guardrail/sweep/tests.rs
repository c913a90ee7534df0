//! What the sweeper tells and what it drops.

use super::super::Draw;
use super::super::breaker::{BreakerState, Transition};
use super::super::fixture::{Fixture, at, breaker, budget, concurrency, facts_costing, s, window};
use super::super::report::{Ending, Outcome};
use super::super::settle::Taken;
use super::super::verdict::Verdict;
use super::*;
use crate::model::guardrail::ErrorKind;

fn charge<'f>(fixture: &'f Fixture, guard: usize, key: &str, millis: u64) -> Verdict<'f> {
    let asks = fixture.asks(&[guard], key, 1);
    fixture.live.ledger.charge(&asks, &facts_costing(Some(1.0)), at(millis), &mut Draw::seeded(1))
}

impl Live {
    /// How many events the keys that refused somebody make, with nothing dropped.
    fn watched_events(&self, guards: &Guards, at: At) -> usize {
        let mut events = Vec::new();
        self.watch(guards, at, &mut events);
        events.len()
    }
}

fn step(fixture: &Fixture, millis: u64) -> Vec<String> {
    let events = Sweeper::default().step(&fixture.live, &fixture.guards, at(millis), 10);
    let told = events.into_iter().map(|event| match event {
        Event::ThrottleCleared { key, .. } => format!("cleared {}", key.display()),
        Event::Breaker { key, transition: Transition { from, to }, .. } => {
            format!("{from:?} to {to:?} {}", key.display())
        }
        Event::Operated { .. } => "operated".into(),
    });
    told.collect()
}

#[test]
fn who_was_refused_is_told_once_when_it_would_be_admitted() {
    let fixture = Fixture::new(&[window("w", 1, s(10)), concurrency("c", 1), budget("b", 1.0, s(3_600))]);
    for (guard, key, until) in [(0, "w", 10_000), (1, "c", 60_000), (2, "b", 3_600_000)] {
        assert!(charge(&fixture, guard, key, 0).is_allowed());
        assert!(step(&fixture, 1).is_empty(), "nobody was refused");
        for _ in 0..3 {
            assert!(!charge(&fixture, guard, key, 1).is_allowed());
        }
        assert!(step(&fixture, until - 1).is_empty());
        assert_eq!(step(&fixture, until), [format!("cleared {key}")]);
        assert!(step(&fixture, until).is_empty());
    }
}

#[test]
fn who_is_refused_again_is_told_again() {
    let fixture = Fixture::new(&[concurrency("c", 1)]);
    let place = |millis| charge(&fixture, 0, "c", millis);
    assert!(place(0).is_allowed() && !place(1).is_allowed());
    let told = |millis| fixture.live.watched_events(&fixture.guards, at(millis));
    assert_eq!(told(60_000), 1);
    assert!(place(60_000).is_allowed() && !place(60_001).is_allowed());
    assert_eq!((told(60_002), told(120_000)), (0, 1));
}

#[test]
fn a_breakers_transitions_are_told_whoever_asks() {
    let fixture = Fixture::new(&[breaker("x")]);
    for _ in 0..3 {
        let verdict = charge(&fixture, 0, "k", 0);
        let taken = Taken { at: at(0).now, timeout: None };
        let failed = Outcome::of(Ending::Failure(ErrorKind::Transient));
        fixture.live.ledger.settle(&fixture.guards, taken, &verdict.tickets, &failed, at(0));
    }
    assert!(step(&fixture, 4_999).is_empty());
    assert_eq!(step(&fixture, 5_000), ["Open to HalfOpen k", "cleared k"]);
    // Half open by the sweeper, the next caller is a probe and takes no step of its own.
    let probe = charge(&fixture, 0, "k", 5_001);
    assert!(probe.events.is_empty() && probe.report_within.is_some());
    assert_eq!(fixture.live.view(&fixture.list[0], 1, at(5_001))[0].breaker, Some(BreakerState::HalfOpen));
}

#[test]
fn steps_are_bounded_and_get_around_to_every_guardrail() {
    let fixture = Fixture::new(&[window("a", 1, s(1)), window("b", 1, s(1)), window("c", 1, s(1))]);
    for guard in 0..3 {
        for n in 0..1_000 {
            charge(&fixture, guard, &format!("k{n}"), 0);
        }
    }
    let left = || fixture.list.iter().map(|guard| guard.keys()).sum::<u64>();
    let mut sweeper = Sweeper::default();
    sweeper.step(&fixture.live, &fixture.guards, at(2_000), 4);
    assert_eq!(left(), 3_000 - 4 * 64);
    for _ in 0..20 {
        sweeper.step(&fixture.live, &fixture.guards, at(2_000), 4);
    }
    assert_eq!(left(), 0);
}

#[test]
fn a_large_guardrail_does_not_keep_the_sweeper_from_those_behind_it() {
    let fixture = Fixture::new(&[window("many", 1, s(3_600)), window("few", 1, s(1))]);
    for n in 0..2_000 {
        assert!(charge(&fixture, 0, &format!("k{n}"), 0).is_allowed());
        assert!(n >= 100 || charge(&fixture, 1, &format!("k{n}"), 0).is_allowed());
    }
    let mut sweeper = Sweeper::default();
    for tick in 0..40 {
        sweeper.step(&fixture.live, &fixture.guards, at(10_000 + tick), 4);
    }
    assert_eq!((fixture.list[0].keys(), fixture.list[1].keys()), (2_000, 0));
}

#[test]
fn who_no_wait_helps_is_told_of_no_end() {
    let fixture = Fixture::new(&[window("w", 2, s(10))]);
    assert!(charge(&fixture, 0, "k", 0).is_allowed());
    let asks = fixture.asks(&[0], "k", 3);
    let said = fixture.live.ledger.charge(&asks, &facts_costing(None), at(1), &mut Draw::seeded(1));
    assert_eq!(said.refusals[0].code, crate::model::ReasonCode::LimitUnreachable);
    assert!(step(&fixture, 2).is_empty());
}
