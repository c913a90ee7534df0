//! Budgets against an exact ledger, and by hand.

use super::super::fixture::{Fixture, at, budget, budget_of, facts_costing, ms, s};
use super::super::settle::Taken;
use super::super::state::At;
use super::super::verdict::{RefusalEffect, Ticket, Verdict};
use super::super::{Draw, Facts};
use super::*;
use crate::model::guardrail::{ErrorKind, Rules};
use crate::model::{Disposition, Guardrail};
use proptest::prelude::*;

const HOUR: u64 = 3_600_000;

fn ask<'f>(fixture: &'f Fixture, at: At, facts: &Facts) -> Verdict<'f> {
    let draw = &mut Draw::seeded(1);
    fixture.live.ledger.charge(&fixture.asks(&[0], "k", 1), facts, at, draw)
}

fn settle(fixture: &Fixture, tickets: &[Ticket], taken: u64, outcome: &Outcome, at: At) {
    let taken = Taken { at: super::super::fixture::at(taken).now, timeout: None };
    fixture.live.ledger.settle(&fixture.guards, taken, tickets, outcome, at);
}

fn room(fixture: &Fixture, at: At) -> (f64, f64) {
    let asks = fixture.asks(&[0], "k", 1);
    let verdict = fixture.live.ledger.peek(&asks, &facts_costing(None), at, &mut Draw::seeded(1));
    let room = verdict.limits[0].room;
    (Measure::Cost.on_the_wire(room.used), Measure::Cost.on_the_wire(room.reserved))
}

fn spent(cost: f64) -> Outcome {
    Outcome { cost: Money::from_units(cost), ..Outcome::of(Ending::Success) }
}

fn refusal(verdict: &Verdict<'_>) -> (ReasonCode, RefusalEffect) {
    let refusal = verdict.refusals.first().expect("refused");
    (refusal.code, refusal.effect)
}

fn released(guardrail: Guardrail) -> Guardrail {
    let Rules::Budget(mut rules) = guardrail.rules.clone() else { unreachable!() };
    rules.on_expiry = OnExpiry::Release;
    Guardrail { rules: Rules::Budget(rules), ..guardrail }
}

/// One promise of the exact ledger.
#[derive(Clone, Debug)]
struct Promise {
    estimate: u64,
    window: u64,
    taken: u64,
    ends: u64,
    settled: bool,
    tickets: Vec<Ticket>,
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Ask(u64),
    Report(prop::sample::Index, Ending, Option<u64>),
    Renew(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ending = prop_oneof![
        3 => Just(Ending::Success), 1 => Just(Ending::Failure(ErrorKind::Transient)),
        1 => Just(Ending::Cancelled),
    ];
    let step = prop_oneof![
        2 => prop_oneof![4 => 0..120_000_u64, 1 => 120_000..5_000_000_u64].prop_map(Step::Wait),
        6 => (0..40_u64).prop_map(Step::Ask),
        5 => (any::<prop::sample::Index>(), ending, prop::option::of(0..60_u64))
            .prop_map(|(i, e, c)| Step::Report(i, e, c)),
        1 => any::<prop::sample::Index>().prop_map(Step::Renew),
    ];
    prop::collection::vec(step, 1..120)
}

/// Used and reserved in one window, from the list of all promises.
fn exact(
    promises: &[Promise],
    actual: &[Option<u64>],
    on_expiry: OnExpiry,
    window: u64,
    now: u64,
) -> (u64, u64) {
    let (mut used, mut reserved) = (0, 0);
    for (promise, actual) in promises.iter().zip(actual).filter(|(p, _)| p.window == window) {
        match actual {
            Some(actual) => used += actual,
            None if promise.ends > now => reserved += promise.estimate,
            None if on_expiry == OnExpiry::Charge => used += promise.estimate,
            None => {}
        }
    }
    (used, reserved)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Used and reserved are what the list of all promises says, to the billionth: whatever is
    /// reported late, never, or for less or more than was promised. What is spent passes the
    /// limit at most by what reports exceed their estimates.
    #[test]
    fn it_is_the_exact_ledger(
        steps in steps(), for_life in any::<bool>(), release in any::<bool>(),
    ) {
        let window = if for_life { s(0) } else { s(3_600) };
        let guardrail = budget("b", 100.0, window);
        let guardrail = if release { released(guardrail) } else { guardrail };
        let on_expiry = if release { OnExpiry::Release } else { OnExpiry::Charge };
        let fixture = Fixture::new(&[guardrail]);
        let (mut promises, mut actual): (Vec<Promise>, Vec<Option<u64>>) = (vec![], vec![]);
        let (mut now, mut errors) = (0_u64, 0_u64);
        let index = |now: u64| if for_life { 0 } else { now / HOUR };
        for step in steps {
            match step {
                Step::Wait(gap) => now += gap,
                Step::Ask(estimate) => {
                    let (used, reserved) = exact(&promises, &actual, on_expiry, index(now), now);
                    let verdict = ask(&fixture, at(now), &facts_costing(Some(estimate as f64 / 10.0)));
                    let (limit, open) = (1_000, used + reserved);
                    let want = if estimate > limit {
                        Some(ReasonCode::LimitUnreachable)
                    } else if used >= limit || used + estimate > limit {
                        Some(ReasonCode::BudgetExhausted)
                    } else if open >= limit || open + estimate > limit {
                        Some(ReasonCode::BudgetReserved)
                    } else {
                        None
                    };
                    prop_assert_eq!(verdict.refusals.first().map(|r| r.code), want);
                    if verdict.is_allowed() {
                        promises.push(Promise {
                            estimate, window: index(now), taken: now, ends: now + 600_000,
                            settled: false, tickets: verdict.tickets.to_vec(),
                        });
                        actual.push(None);
                    }
                }
                Step::Report(which, ending, cost) if !promises.is_empty() => {
                    let which = which.index(promises.len());
                    let promise = &mut promises[which];
                    // The table of open decisions lets each through once, and for an hour after
                    // its lease.
                    if promise.settled || now >= promise.ends + HOUR {
                        continue;
                    }
                    promise.settled = true;
                    let cost_given = cost.and_then(|c| Money::from_units(c as f64 / 10.0));
                    let outcome = Outcome { cost: cost_given, ..Outcome::of(ending) };
                    settle(&fixture, &promise.tickets, promise.taken, &outcome, at(now));
                    let was = match ending {
                        Ending::Cancelled => 0,
                        Ending::Failure(_) => cost.unwrap_or(0),
                        Ending::Success => cost.unwrap_or(promise.estimate),
                    };
                    errors += was.saturating_sub(promise.estimate);
                    // A release that had happened may be corrected upwards.
                    if promise.ends <= now && release { errors += promise.estimate; }
                    actual[which] = Some(was);
                }
                Step::Renew(which) if !promises.is_empty() => {
                    let which = which.index(promises.len());
                    let promise = &mut promises[which];
                    if promise.settled {
                        continue;
                    }
                    let taken = Taken { at: at(promise.taken).now, timeout: None };
                    let renewed = fixture.live.ledger
                        .renew(&fixture.guards, taken, &mut promise.tickets, at(now).now);
                    let live = promise.ends > now && promise.window == index(now);
                    // A lease of a window that is over holds nothing any more; whether it is
                    // renewed until somebody looks at the key does not matter.
                    if live {
                        prop_assert_eq!(renewed, Some(s(600)));
                        promise.ends = now + 600_000;
                    } else if promise.window == index(now) {
                        prop_assert_eq!(renewed, None);
                    }
                }
                Step::Report(..) | Step::Renew(_) => {}
            }
            let (used, reserved) = exact(&promises, &actual, on_expiry, index(now), now);
            let (ours_used, ours_reserved) = room(&fixture, at(now));
            let tenths = |n: f64| (n * 10.0).round() as u64;
            prop_assert_eq!((tenths(ours_used), tenths(ours_reserved)), (used, reserved), "at {}", now);
            prop_assert!(used <= 1_000 + errors, "{used} of 1000 with errors of {errors}");
        }
    }
}

#[test]
fn a_tenth_three_times_is_three_tenths() {
    let fixture = Fixture::new(&[budget("b", 0.3, s(0))]);
    for _ in 0..3 {
        assert!(ask(&fixture, at(0), &facts_costing(Some(0.1))).is_allowed());
    }
    assert_eq!(room(&fixture, at(0)), (0.0, 0.3));
    let full = ask(&fixture, at(0), &facts_costing(Some(0.000_000_001)));
    assert_eq!(refusal(&full).0, ReasonCode::BudgetReserved);
}

#[test]
fn refusals_say_what_the_page_says() {
    let deny = RefusalEffect::Deny(Disposition::Raise);
    let throttle = |wait| RefusalEffect::Throttle(wait);
    for (what, window, used, reserved, estimate, want) in [
        ("above the limit", s(3_600), 0.0, 0.0, 11.0, Some((ReasonCode::LimitUnreachable, deny))),
        ("all of it", s(3_600), 0.0, 0.0, 10.0, None),
        (
            "used up",
            s(3_600),
            10.0,
            0.0,
            0.0,
            Some((ReasonCode::BudgetExhausted, throttle(ms(HOUR - 5_000)))),
        ),
        ("used up for life", s(0), 10.0, 0.0, 0.0, Some((ReasonCode::BudgetExhausted, deny))),
        ("more than is left", s(0), 8.0, 0.0, 3.0, Some((ReasonCode::BudgetExhausted, deny))),
        ("reserved", s(0), 5.0, 5.0, 0.0, Some((ReasonCode::BudgetReserved, throttle(s(595))))),
        ("reserved in a window", s(30), 0.0, 8.0, 3.0, Some((ReasonCode::BudgetReserved, throttle(s(25))))),
    ] {
        let fixture = Fixture::new(&[budget("b", 10.0, window)]);
        if used > 0.0 {
            let verdict = ask(&fixture, at(0), &facts_costing(Some(used)));
            settle(&fixture, &verdict.tickets, 0, &spent(used), at(0));
        }
        if reserved > 0.0 {
            assert!(ask(&fixture, at(0), &facts_costing(Some(reserved))).is_allowed(), "{what}");
        }
        let verdict = ask(&fixture, at(5_000), &facts_costing(Some(estimate)));
        let got = verdict.refusals.first().map(|refusal| (refusal.code, refusal.effect));
        assert_eq!(got, want, "{what}");
    }
}

#[test]
fn a_limit_of_nothing_is_never_reached() {
    let fixture = Fixture::new(&[budget("b", 0.0, s(3_600))]);
    let said = refusal(&ask(&fixture, at(0), &facts_costing(None)));
    assert_eq!(said, (ReasonCode::LimitUnreachable, RefusalEffect::Deny(Disposition::Raise)));
}

#[test]
fn measures_look_at_their_own_kinds() {
    let limits = BudgetLimits {
        max_tool_calls: Some(1),
        max_llm_calls: Some(1),
        max_llm_tokens: Some(100),
        max_compute: Some(50),
        max_duration: Some(s(60)),
        max_cost: None,
    };
    let fixture = Fixture::new(&[budget_of("b", limits, s(0))]);
    let facts = |kind, tokens, compute| {
        let mut facts = facts_costing(None);
        facts.expected.kind = kind;
        facts.expected.estimate.tokens = Some(tokens);
        facts.expected.estimate.compute = Some(compute);
        facts
    };
    for (kind, tokens, compute, admitted) in [
        (ActionKind::Stage, 1_000, 10, true),
        (ActionKind::Tool, 1_000, 10, true),
        (ActionKind::Other, 0, 0, false),
        (ActionKind::Llm, 60, 10, true),
        (ActionKind::Llm, 0, 0, false),
        (ActionKind::Task, 0, 20, true),
        (ActionKind::Sleep, 0, 1, false),
    ] {
        let verdict = ask(&fixture, at(0), &facts(kind, tokens, compute));
        assert_eq!(verdict.is_allowed(), admitted, "{kind:?}");
    }
    let rooms = ask(&fixture, at(0), &facts(ActionKind::Stage, 0, 1_000)).limits;
    let reserved: Vec<_> = rooms.iter().map(|l| (l.room.measure, l.room.reserved)).collect();
    let want = [
        (Measure::ToolCalls, 1),
        (Measure::LlmCalls, 1),
        (Measure::LlmTokens, 60),
        (Measure::Compute, 50),
        (Measure::Duration, 0),
    ];
    assert_eq!(reserved, want);
}

#[test]
fn the_estimate_is_the_requests_else_the_rules_else_the_default() {
    let money = Money::from_units;
    let default = BudgetEstimate { cost: money(1.0), tokens: Some(7), duration: None, compute: None };
    let rules = BudgetRules {
        limits: Amounts([Some(9); 6]),
        window: None,
        default,
        lease: s(600),
        on_expiry: OnExpiry::Charge,
    };
    let mut expected = facts_costing(None).expected;
    expected.kind = ActionKind::Llm;
    let amounts = |expected: &Expected| expected.amounts(&rules).0;
    assert_eq!(amounts(&expected), [None, Some(1), Some(7), Some(1_000_000_000), Some(0), Some(0)]);
    expected.rule.cost = money(2.0);
    expected.rule.compute = Some(3);
    expected.timeout = Some(s(4));
    let four = Some(4_000_000_000);
    assert_eq!(amounts(&expected), [None, Some(1), Some(7), Some(2_000_000_000), Some(3), four]);
    expected.estimate.cost = money(0.5);
    expected.estimate.duration = Some(s(1));
    let one = Some(1_000_000_000);
    assert_eq!(amounts(&expected), [None, Some(1), Some(7), Some(500_000_000), Some(3), one]);
}

#[test]
fn windows_are_utc_multiples_and_their_end_is_the_wait() {
    let fixture = Fixture::new(&[budget("b", 1.0, s(3_600))]);
    let verdict = ask(&fixture, at(1_000), &facts_costing(Some(1.0)));
    settle(&fixture, &verdict.tickets, 1_000, &spent(1.0), at(2_000));
    let told = refusal(&ask(&fixture, at(2_001), &facts_costing(Some(1.0)))).1;
    assert_eq!(told, RefusalEffect::Throttle(ms(HOUR - 2_001)));
    assert!(!ask(&fixture, at(HOUR - 1), &facts_costing(Some(1.0))).is_allowed());
    assert!(ask(&fixture, at(HOUR), &facts_costing(Some(1.0))).is_allowed());
}

#[test]
fn a_window_once_left_is_not_entered_again() {
    let fixture = Fixture::new(&[budget("b", 1.0, s(3_600))]);
    let wall = |hours: i64, minutes: i64| {
        let start = at(0).wall.nanos();
        WallTime::from_nanos(start + (hours * 60 + minutes) * 60_000_000_000)
    };
    let now = |millis: u64, wall: WallTime| At { now: at(millis).now, wall };
    let spend = |millis, wall| ask(&fixture, now(millis, wall), &facts_costing(Some(1.0))).is_allowed();
    assert!(spend(0, wall(5, 0)));
    // The clock jumps forward, and back, and back further: the window of hour 6 stays.
    assert!(spend(1, wall(6, 0)));
    assert!(!spend(2, wall(5, 30)));
    assert!(!spend(3, wall(1, 0)));
    // Not even for a key that nobody has seen: the guardrail remembers.
    let asks = fixture.asks(&[0], "other", 1);
    let at_five = now(4, wall(5, 0));
    let draw = &mut Draw::seeded(1);
    let other = fixture.live.ledger.charge(&asks, &facts_costing(Some(1.0)), at_five, draw);
    assert_eq!(other.limits[0].room.reset_after, Some(s(2 * 3_600)));
    assert!(spend(5, wall(7, 0)));
}

#[test]
fn a_settlement_goes_to_the_window_that_reserved() {
    let fixture = Fixture::new(&[budget("b", 10.0, s(60))]);
    let verdict = ask(&fixture, at(59_000), &facts_costing(Some(4.0)));
    assert_eq!(room(&fixture, at(59_000)), (0.0, 4.0));
    assert_eq!(room(&fixture, at(60_000)), (0.0, 0.0));
    settle(&fixture, &verdict.tickets, 59_000, &spent(9.0), at(61_000));
    assert_eq!(room(&fixture, at(61_000)), (0.0, 0.0));
}

#[test]
fn a_report_after_the_lease_corrects_what_its_end_did() {
    for (release, at_the_end, corrected) in [(false, 4.0, 9.0), (true, 0.0, 9.0)] {
        let guardrail = budget("b", 10.0, s(0));
        let fixture = Fixture::new(&[if release { released(guardrail) } else { guardrail }]);
        let verdict = ask(&fixture, at(0), &facts_costing(Some(4.0)));
        assert_eq!(room(&fixture, at(600_000)), (at_the_end, 0.0));
        // The key is dropped in between where it is like new.
        fixture.live.ledger.scan(&fixture.list[0], at(600_001));
        settle(&fixture, &verdict.tickets, 0, &spent(9.0), at(700_000));
        assert_eq!(room(&fixture, at(700_000)), (corrected, 0.0));
    }
}

#[test]
fn a_reservation_ends_as_it_was_promised_whatever_the_bundle_says_then() {
    let charged = budget("b", 20.0, s(0));
    let cases =
        [(&charged, released(charged.clone()), 9.0), (&released(charged.clone()), charged.clone(), 5.0)];
    for (before, after, at_the_end) in cases {
        let mut fixture = Fixture::new(std::slice::from_ref(before));
        let first = ask(&fixture, at(0), &facts_costing(Some(5.0))).tickets;
        settle(&fixture, &first, 0, &spent(5.0), at(0));
        let tickets = ask(&fixture, at(0), &facts_costing(Some(4.0))).tickets;
        let made = fixture.live.reconcile(&[&[after]]);
        (fixture.guards, fixture.list) = (made.guards, made.arms.into_iter().flatten().flatten().collect());
        assert_eq!(room(&fixture, at(600_000)), (at_the_end, 0.0));
        settle(&fixture, &tickets, 0, &spent(9.0), at(700_000));
        assert_eq!(room(&fixture, at(700_000)), (14.0, 0.0));
    }
}

#[test]
fn no_reservation_is_shorter_than_the_timeout_and_ten_seconds() {
    let fixture = Fixture::new(&[budget("b", 10.0, s(0))]);
    let mut facts = facts_costing(Some(1.0));
    facts.expected.timeout = Some(s(900));
    assert_eq!(ask(&fixture, at(0), &facts).report_within, Some(s(910)));
    facts.expected.timeout = Some(s(9));
    assert_eq!(ask(&fixture, at(0), &facts).report_within, Some(s(600)));
}

#[test]
fn an_action_that_is_not_counted_takes_no_lease_however_known_the_key() {
    let limits = BudgetLimits { max_llm_calls: Some(5), ..BudgetLimits::default() };
    let fixture = Fixture::new(&[budget_of("b", limits, s(0))]);
    let as_kind = |kind| {
        let mut facts = facts_costing(None);
        facts.expected.kind = kind;
        ask(&fixture, at(0), &facts)
    };
    assert_eq!(as_kind(ActionKind::Llm).tickets.len(), 1);
    let tool = as_kind(ActionKind::Tool);
    assert!(tool.is_allowed() && tool.tickets.is_empty() && tool.report_within.is_none());
}
