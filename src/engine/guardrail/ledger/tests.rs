//! All or nothing: by hand, and with many threads against one that goes step by step.

use super::super::fixture::{
    Fixture, at, breaker, budget, concurrency, facts, facts_costing, ms, s, sampling, window,
};
use super::super::report::{Ending, Outcome};
use super::super::settle::Taken;
use super::super::verdict::{RefusalEffect, Ticket};
use super::*;
use crate::model::guardrail::{Enforcement, ErrorKind, Refusal as Manner};
use crate::model::{Disposition, Guardrail};
use crate::unit::{Money, Span};
use std::sync::atomic::{AtomicUsize, Ordering};

fn named(guardrail: Guardrail, priority: i32, manner: Manner) -> Guardrail {
    Guardrail { priority, refusal: manner, ..guardrail }
}

fn shadow(guardrail: Guardrail) -> Guardrail {
    Guardrail { enforcement: Enforcement::Shadow, ..guardrail }
}

fn charge<'f>(fixture: &'f Fixture, guards: &[usize], key: &str, millis: u64) -> Verdict<'f> {
    let asks = fixture.asks(guards, key, 1);
    fixture.live.ledger.charge(&asks, &facts_costing(Some(1.0)), at(millis), &mut Draw::seeded(1))
}

fn used(fixture: &Fixture, guard: usize, key: &str, millis: u64) -> (u64, u64) {
    let asks = fixture.asks(&[guard], key, 0);
    let verdict = fixture.live.ledger.peek(&asks, &facts(), at(millis), &mut Draw::seeded(1));
    let room = verdict.limits[0].room;
    (room.used, room.reserved)
}

#[test]
fn a_refusal_by_one_leaves_the_others_untouched() {
    let fixture = Fixture::new(&[
        window("a", 10, s(60)),
        concurrency("b", 5),
        budget("c", 100.0, s(0)),
        window("full", 1, s(60)),
    ]);
    assert!(charge(&fixture, &[3], "k", 0).is_allowed());
    for _ in 0..20 {
        let verdict = charge(&fixture, &[0, 1, 2, 3], "k", 1);
        assert_eq!(verdict.refusals.len(), 1);
        assert!(verdict.tickets.is_empty() && verdict.report_within.is_none());
    }
    assert_eq!(used(&fixture, 0, "k", 1), (0, 0));
    assert_eq!(used(&fixture, 1, "k", 1), (0, 0));
    assert_eq!(used(&fixture, 2, "k", 1), (0, 0));
}

#[test]
fn a_refused_request_takes_no_step_to_half_open_and_no_probe() {
    let fixture = Fixture::new(&[breaker("b"), window("full", 1, s(3_600))]);
    let failed = Outcome::of(Ending::Failure(ErrorKind::Transient));
    for _ in 0..3 {
        let verdict = charge(&fixture, &[0], "k", 0);
        let taken = Taken { at: at(0).now, timeout: None };
        fixture.live.ledger.settle(&fixture.guards, taken, &verdict.tickets, &failed, at(0));
    }
    assert!(!charge(&fixture, &[0], "k", 1).is_allowed());
    assert!(charge(&fixture, &[1], "k", 1).is_allowed());
    for _ in 0..3 {
        let verdict = charge(&fixture, &[0, 1], "k", 5_000);
        assert_eq!(verdict.refusals[0].code, ReasonCode::RateLimited);
        assert!(verdict.events.is_empty());
    }
    let verdict = charge(&fixture, &[0], "k", 5_000);
    assert_eq!((verdict.tickets.len(), verdict.events.len()), (1, 1), "the probe was still there");
}

#[test]
fn which_refusal_is_reported() {
    let cases: [(&str, Vec<Guardrail>, Vec<&str>); 5] = [
        (
            "the longest wait",
            vec![window("short", 1, s(5)), window("long", 1, s(50)), window("mid", 1, s(20))],
            vec!["long", "mid", "short"],
        ),
        (
            "a deny beats a throttle",
            vec![window("long", 1, s(50)), named(window("raise", 1, s(5)), 1, Manner::Raise)],
            vec!["raise", "long"],
        ),
        (
            "then the priority",
            vec![named(window("low", 1, s(5)), 10, Manner::Throttle), window("high", 1, s(5))],
            vec!["high", "low"],
        ),
        ("then the name", vec![window("b", 1, s(5)), window("a", 1, s(5))], vec!["a", "b"]),
        (
            "of denies the priority",
            vec![
                named(window("a", 1, s(5)), 10, Manner::Drop),
                named(window("b", 1, s(5)), 90, Manner::Raise),
            ],
            vec!["b", "a"],
        ),
    ];
    for (what, guardrails, want) in cases {
        let fixture = Fixture::new(&guardrails);
        let all: Vec<usize> = (0..guardrails.len()).collect();
        assert!(charge(&fixture, &all, "k", 0).is_allowed());
        let verdict = charge(&fixture, &all, "k", 0);
        let got: Vec<&str> = verdict.refusals.iter().map(|r| r.guard.name.as_str()).collect();
        assert_eq!(got, want, "{what}");
    }
}

#[test]
fn refusals_are_said_as_the_guardrail_wants() {
    let deny = RefusalEffect::Deny;
    for (manner, want) in [
        (Manner::Throttle, RefusalEffect::Throttle(s(5))),
        (Manner::Drop, deny(Disposition::Drop)),
        (Manner::Raise, deny(Disposition::Raise)),
    ] {
        let fixture = Fixture::new(&[named(window("w", 1, s(5)), 50, manner)]);
        assert!(charge(&fixture, &[0], "k", 0).is_allowed());
        let verdict = charge(&fixture, &[0], "k", 0);
        assert_eq!((verdict.refusals[0].effect, verdict.refusals[0].code), (want, ReasonCode::RateLimited));
    }
    let fixture = Fixture::new(&[sampling("s", 0.0)]);
    let verdict = charge(&fixture, &[0], "k", 0);
    assert_eq!(verdict.refusals[0].effect, deny(Disposition::Drop));
    assert_eq!(verdict.refusals[0].code, ReasonCode::SampledOut);
}

#[test]
fn a_shadow_counts_and_refuses_nothing() {
    let fixture =
        Fixture::new(&[shadow(window("s", 2, s(60))), window("w", 3, s(60)), window("x", 0, s(60))]);
    for (n, shadows) in [(0, 0), (1, 0), (2, 1)] {
        let verdict = charge(&fixture, &[0, 1], "k", 0);
        assert!(verdict.is_allowed(), "call {n}");
        assert_eq!(verdict.shadows.len(), shadows, "call {n}");
        assert_eq!(verdict.limits.len(), 1, "shadows have no limits");
    }
    // What others refuse charges no shadow.
    assert!(!charge(&fixture, &[0, 2], "other", 0).is_allowed());
    assert!(charge(&fixture, &[0], "other", 0).shadows.is_empty());
    assert!(charge(&fixture, &[0], "other", 0).shadows.is_empty());
    assert_eq!(charge(&fixture, &[0], "other", 0).shadows.len(), 1);
}

#[test]
fn peeking_changes_nothing() {
    let fixture = Fixture::new(&[window("w", 1, s(60)), concurrency("c", 1), budget("b", 1.0, s(0))]);
    let facts = facts_costing(Some(1.0));
    for _ in 0..5 {
        let asks = fixture.asks(&[0, 1, 2], "k", 1);
        let verdict = fixture.live.ledger.peek(&asks, &facts, at(0), &mut Draw::seeded(1));
        assert!(verdict.is_allowed() && verdict.tickets.is_empty());
        assert!(verdict.limits.iter().all(|limit| limit.room.used + limit.room.reserved == 0));
    }
    assert!(charge(&fixture, &[0, 1, 2], "k", 0).is_allowed());
}

#[test]
fn places_come_back_with_reports_or_leases() {
    let fixture = Fixture::new(&[concurrency("c", 2)]);
    let first = charge(&fixture, &[0], "k", 0);
    assert_eq!(first.report_within, Some(s(60)));
    let mut second = charge(&fixture, &[0], "k", 10_000);
    let full = charge(&fixture, &[0], "k", 11_000);
    assert_eq!(full.refusals[0].effect, RefusalEffect::Throttle(s(49)));
    let taken = Taken { at: at(10_000).now, timeout: None };
    let renewed = fixture.live.ledger.renew(&fixture.guards, taken, &mut second.tickets, at(50_000).now);
    assert_eq!(renewed, Some(s(60)));
    // The first ends by itself, the second where it was renewed to.
    assert_eq!(used(&fixture, 0, "k", 59_999), (2, 0));
    assert_eq!(used(&fixture, 0, "k", 60_000), (1, 0));
    assert_eq!(used(&fixture, 0, "k", 109_999), (1, 0));
    let done = Outcome::of(Ending::Success);
    fixture.live.ledger.settle(&fixture.guards, taken, &second.tickets, &done, at(100_000));
    assert_eq!(used(&fixture, 0, "k", 100_000), (0, 0));
    // What has ended is not renewed.
    let mut tickets = first.tickets;
    assert_eq!(fixture.live.ledger.renew(&fixture.guards, taken, &mut tickets, at(100_000).now), None);
}

#[test]
fn a_batch_is_charged_whole_or_not_at_all() {
    let fixture = Fixture::new(&[window("w", 3, s(60)), concurrency("c", 10), budget("b", 2.5, s(0))]);
    let facts = facts_costing(Some(1.0));
    let asks: Vec<_> = (0..3).map(|_| fixture.asks(&[0, 1, 2], "k", 1)).collect();
    let items = |n: usize| asks.iter().take(n).map(|asks| Item { asks, facts: &facts }).collect::<Vec<_>>();
    let draw = &mut Draw::seeded(1);
    let refused = fixture.live.ledger.charge_all(&items(3), at(0), draw);
    let allowed: Vec<bool> = refused.iter().map(Verdict::is_allowed).collect();
    assert_eq!(allowed, [true, true, false]);
    assert!(refused.iter().all(|v| v.tickets.is_empty() && v.limits.iter().all(|l| l.room.used == 0)));
    assert_eq!(fixture.list[0].keys(), 0, "not even a key was made");
    let charged = fixture.live.ledger.charge_all(&items(2), at(0), draw);
    assert!(charged.iter().all(|v| v.is_allowed() && v.tickets.len() == 2));
    assert_eq!(used(&fixture, 0, "k", 0), (2, 0));
    // With state there already, it is put back.
    fixture.live.ledger.charge_all(&items(3), at(0), draw);
    assert_eq!(used(&fixture, 0, "k", 0), (2, 0));
    assert_eq!(used(&fixture, 1, "k", 0), (2, 0));
    assert_eq!(used(&fixture, 2, "k", 0), (0, 2_000_000_000));
}

/// A pseudo-random request: which guardrails, which key, how many units.
fn request(draw: &mut Draw) -> (Vec<usize>, String, u64) {
    let some = draw.bits();
    // The first guardrail numbers what is charged; every request asks it.
    let guards = (0..5).filter(|n| *n == 0 || some >> n & 1 == 1).collect();
    (guards, format!("key-{}", (some >> 32) % 4), 1 + (some >> 40) % 2)
}

/// What a thread did, and where it falls in the one order that there must be.
struct Done {
    order: (u64, bool),
    request: (Vec<usize>, String, u64),
    answer: String,
}

fn answer(verdict: &Verdict<'_>) -> String {
    let refusals: Vec<_> =
        verdict.refusals.iter().map(|r| (r.guard.name.as_str(), r.effect, r.code)).collect();
    let limits: Vec<_> = verdict.limits.iter().map(|l| (l.guard.name.as_str(), l.room)).collect();
    format!("{refusals:?} {limits:?}")
}

/// Every answer of many threads is that of one ledger that is asked one after the other.
///
/// The guardrail `0-order` is charged one unit by each request that is allowed, on one key, so
/// its count after an answer says where the answer belongs: an allowed request is the n-th, a
/// refused one comes right after the n-th and has changed nothing.
#[test]
#[expect(clippy::disallowed_methods, reason = "shows what threads do to each other")]
fn many_threads_are_one_after_the_other() {
    let guardrails = [
        window("0-order", 1_000_000, s(60)),
        window("1-window", 150, s(60)),
        concurrency("2-places", 60),
        budget("3-budget", 90.0, s(0)),
        window("4-wide", 400, s(60)),
    ];
    for round in 0..12 {
        let fixture = Fixture::sharded(&guardrails, 4);
        let ask = |fixture: &Fixture, request: &(Vec<usize>, String, u64)| {
            let mut asks = Asks::default();
            for guard in &request.0 {
                let key = if *guard == 0 { "order" } else { &request.1 };
                let units = if *guard == 0 { 1 } else { request.2 };
                asks.ask_values(&fixture.list[*guard], &[key], units);
            }
            let facts = facts_costing(Some(1.0));
            let verdict = fixture.live.ledger.charge(&asks, &facts, at(0), &mut Draw::seeded(0));
            (verdict.limits[0].room.used, verdict.is_allowed(), answer(&verdict))
        };
        let mut done: Vec<Done> = std::thread::scope(|scope| {
            let work = |thread: u64| {
                let mut draw = Draw::seeded(round * 100 + thread);
                let mut done = Vec::new();
                for _ in 0..400 {
                    let request = request(&mut draw);
                    let (order, allowed, answer) = ask(&fixture, &request);
                    done.push(Done { order: (order, !allowed), request, answer });
                }
                done
            };
            let threads: Vec<_> = (0..6).map(|n| scope.spawn(move || work(n))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        done.sort_by_key(|done| done.order);
        let oracle = Fixture::sharded(&guardrails, 1);
        for done in &done {
            let (_, _, want) = ask(&oracle, &done.request);
            assert_eq!(done.answer, want, "{:?} at {:?}", done.request, done.order);
        }
        let refused = done.iter().filter(|done| done.order.1).count();
        assert!((200..2_200).contains(&refused), "{refused} refused: the test shows nothing");
    }
}

/// While some requests are refused over and over, others that just fit are all admitted: a unit
/// is not even borrowed.
#[test]
#[expect(clippy::disallowed_methods, reason = "shows what threads do to each other")]
fn a_refused_request_never_holds_a_unit_that_another_wants() {
    let fixture = Fixture::sharded(&[window("a", 1_000, s(60)), window("full", 1, s(60))], 2);
    assert!(charge(&fixture, &[1], "k", 0).is_allowed());
    let admitted = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..3_000 {
                    assert!(!charge(&fixture, &[0, 1], "k", 0).is_allowed());
                }
            });
            scope.spawn(|| {
                for _ in 0..500 {
                    let verdict = charge(&fixture, &[0], "k", 0);
                    admitted.fetch_add(usize::from(verdict.is_allowed()), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::Relaxed), 1_000);
}

/// Threads that take, renew, report and scan: in the end nothing is held and the budget is what
/// was spent.
#[test]
#[expect(clippy::disallowed_methods, reason = "shows what threads do to each other")]
fn nothing_is_lost_and_nothing_is_left() {
    let fixture = Fixture::sharded(&[concurrency("c", 8), budget("b", 1e6, s(0)), breaker("x")], 4);
    let total = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (fixture, total) = (&fixture, &total);
            scope.spawn(move || {
                let mut draw = Draw::seeded(thread);
                let mut open: Vec<(u64, Vec<Ticket>)> = Vec::new();
                for step in 0..2_000_u64 {
                    let verdict = charge(fixture, &[0, 1, 2], "k", step / 10);
                    if verdict.is_allowed() {
                        open.push((step / 10, verdict.tickets.to_vec()));
                    }
                    if open.len() > 3 || step > 1_990 {
                        for (taken, tickets) in open.drain(..) {
                            let cents = draw.bits() % 100;
                            total.fetch_add(cents as usize, Ordering::Relaxed);
                            let cost = Money::from_units(cents as f64 / 100.0);
                            let outcome = Outcome { cost, ..Outcome::of(Ending::Success) };
                            let taken = Taken { at: at(taken).now, timeout: None };
                            let now = at(step / 10);
                            fixture.live.ledger.settle(&fixture.guards, taken, &tickets, &outcome, now);
                        }
                        fixture.live.ledger.scan(&fixture.list[0], at(step / 10));
                    }
                }
                assert!(open.is_empty());
            });
        }
    });
    assert_eq!(used(&fixture, 0, "k", 200), (0, 0));
    let cents = total.load(Ordering::Relaxed) as u64;
    assert!(cents > 0);
    assert_eq!(used(&fixture, 1, "k", 200), (cents * 10_000_000, 0));
}

#[test]
fn a_wait_is_rounded_up_and_spans_are_whole_milliseconds() {
    let fixture = Fixture::new(&[window("w", 1, Span::from_nanos(1_500_000))]);
    assert!(charge(&fixture, &[0], "k", 0).is_allowed());
    assert_eq!(charge(&fixture, &[0], "k", 0).refusals[0].effect, RefusalEffect::Throttle(ms(2)));
}
