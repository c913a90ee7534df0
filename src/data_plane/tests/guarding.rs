//! Guardrails behind decisions: charged, reported, retried, looked at.

use super::*;
use crate::data_plane::{Item, Reported};
use tollgate_engine::guardrail::report::{Ending, Outcome as Ended};
use tollgate_engine::guardrail::retry::{Attempt, Plan};
use tollgate_engine::model::guardrail::ErrorKind;
use tollgate_engine::unit::{Money, Span};
use uuid::Uuid;

fn guarded(guardrails: &str) -> Arc<DataPlane> {
    let plane = plane(Options::default());
    install(&plane, &format!("{RULES}guardrails:\n{guardrails}"));
    plane
}

/// Asks as `change` says; the effect, the code, the wait in milliseconds and the id.
fn ask_as(plane: &DataPlane, change: impl FnOnce(&mut Request<'_>)) -> (String, Uuid) {
    let context = context(json!({"ok": true, "units": 3, "bad": -1}));
    let mut request = request(&context);
    change(&mut request);
    plane.authorize(&request, |answer| {
        let wait = match answer.decision.answer {
            tollgate_engine::decide::Answer::Throttle(wait) => format!(" {} ms", wait.nanos() / 1_000_000),
            _ => String::new(),
        };
        let code = answer.decision.reason_code.name();
        (format!("{} {code}{wait}", answer.effect_name()), answer.decision_id)
    })
}

pub(super) fn ask_plain(plane: &DataPlane) -> String {
    ask_as(plane, |_| ()).0
}

fn millis(plane: &DataPlane, millis: i64) {
    plane.clock().advance(millis * 1_000_000);
}

pub(super) const FEW: &str = "  - {name: few, type: rate_limit, rules: {limit: 2, window_seconds: 9}}\n";

#[test]
fn a_limit_lets_through_what_it_says_and_says_when_to_come_again() {
    let plane = guarded(FEW);
    assert_eq!(ask_as(&plane, |r| r.dry_run = true).0, "ALLOW rule");
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    millis(&plane, 4_000);
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    assert_eq!(ask_plain(&plane), "THROTTLE rate_limited 5000 ms");
    assert_eq!(ask_as(&plane, |r| r.phase = Phase::Enqueue).0, "ALLOW default_enqueue");
    millis(&plane, 4_999);
    assert_eq!(ask_plain(&plane), "THROTTLE rate_limited 1 ms");
    millis(&plane, 1);
    assert_eq!(ask_plain(&plane), "ALLOW rule");
}

#[test]
fn counts_stay_over_a_reload_and_go_with_their_guardrail() {
    let plane = guarded(FEW);
    ask_plain(&plane);
    ask_plain(&plane);
    install(&plane, &format!("{RULES}guardrails:\n{}", FEW.replace("limit: 2", "limit: 3")));
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    assert_eq!(ask_plain(&plane), "THROTTLE rate_limited 9000 ms");
    install(&plane, RULES);
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    plane.sweep();
    install(&plane, &format!("{RULES}guardrails:\n{FEW}"));
    assert_eq!(ask_plain(&plane), "ALLOW rule");
}

#[test]
fn reports_open_a_breaker_once_each_and_the_probe_closes_it() {
    let plane = guarded(
        "  - {name: b, type: circuit_breaker, rules: {failure_threshold: 2, cooldown_seconds: 5, key_by: [global]}}\n",
    );
    let failed = Ended::of(Ending::Failure(ErrorKind::Transient));
    let (first, second) = (ask_as(&plane, |_| ()).1, ask_as(&plane, |_| ()).1);
    assert_eq!(plane.report(first, &failed), Reported::Applied);
    assert_eq!(plane.report(first, &failed), Reported::Duplicate);
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    assert_eq!(plane.report(second, &failed), Reported::Applied);
    let (refused, id) = ask_as(&plane, |_| ());
    assert_eq!(refused, "THROTTLE breaker_open 5000 ms");
    assert_eq!(plane.report(id, &failed), Reported::Unknown);
    millis(&plane, 5_000);
    let (probe, id) = ask_as(&plane, |_| ());
    assert_eq!(probe, "ALLOW rule");
    assert!(ask_plain(&plane).starts_with("THROTTLE breaker_probing"));
    assert_eq!(plane.renew(id), Reported::Renewed(Span::from_nanos(60_000_000_000)));
    assert_eq!(plane.report(id, &Ended::of(Ending::Success)), Reported::Applied);
    assert_eq!(ask_plain(&plane), "ALLOW rule");
}

#[test]
fn what_took_nothing_can_be_reported_too() {
    let plane = guarded(FEW);
    let (_, id) = ask_as(&plane, |_| ());
    let (_, dry) = ask_as(&plane, |r| r.dry_run = true);
    let (_, enqueued) = ask_as(&plane, |r| r.action.name = "unknown");
    let done = Ended { cost: Money::from_units(0.25), ..Ended::of(Ending::Success) };
    assert_eq!(plane.renew(id), Reported::Unknown);
    assert_eq!(plane.report(id, &done), Reported::Applied);
    assert_eq!(plane.report(id, &done), Reported::Duplicate);
    assert_eq!(plane.report(dry, &done), Reported::Unknown);
    assert_eq!(plane.report(enqueued, &done), Reported::Unknown);
    assert_eq!(plane.report(Uuid::nil(), &done), Reported::Unknown);
    let mut page = Page::default();
    plane.hand_over(&mut page);
    let text = page.render(Format::Text);
    assert!(text.contains("tollgate_cost_total{arm=\"STABLE\"} 0.25"), "{text}");
}

#[test]
fn reports_that_found_no_room_are_counted_for_whatever_keeps_what_they_say() {
    let plane = guarded(
        "  - {name: b, type: budget, rules: {max_tool_calls: 5, key_by: [tenant]}}
  - {name: c, type: circuit_breaker, rules: {failure_threshold: 3, cooldown_seconds: 9, key_by: [tenant]}}
  - {name: r, type: rate_limit, rules: {limit: 5, window_seconds: 9}}\n",
    );
    let mut page = Page::default();
    plane.hand_over(&mut page);
    let text = page.render(Format::Text);
    let counted = |line: &&str| line.starts_with("tollgate_guardrail_reports_dropped_total{");
    let shown: Vec<&str> = text.lines().filter(counted).collect();
    let want =
        ["b", "c"].map(|name| format!("tollgate_guardrail_reports_dropped_total{{guardrail=\"{name}\"}} 0"));
    assert_eq!(shown, want, "{text}");
}

#[test]
fn a_cost_that_is_no_number_of_units_is_refused() {
    let plane = guarded(
        "  - {name: c, type: rate_limit, rules: {limit: 5, window_seconds: 9, cost: context.units}}\n",
    );
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    assert_eq!(ask_plain(&plane), "THROTTLE rate_limited 9000 ms");
    let bad =
        guarded("  - {name: c, type: rate_limit, rules: {limit: 5, window_seconds: 9, cost: context.bad}}\n");
    assert_eq!(ask_plain(&bad), "DENY invalid_request");
}

fn batch(plane: &DataPlane, all_or_nothing: bool, change: &[fn(&mut Request<'_>)]) -> Vec<String> {
    let context = context(json!({"ok": true}));
    let items: Vec<Item<'_>> = change
        .iter()
        .map(|change| {
            let mut request = request(&context);
            change(&mut request);
            Item::Ask(request)
        })
        .collect();
    plane.authorize_batch(&items, all_or_nothing, |answers| {
        let say = |answer: &crate::data_plane::Answer<'_>| {
            format!("{} {}", answer.effect_name(), answer.decision.reason_code.name())
        };
        answers.iter().map(say).collect()
    })
}

#[test]
fn a_batch_is_charged_item_by_item_or_whole() {
    let plane = guarded(FEW);
    let one: fn(&mut Request<'_>) = |_| ();
    let dry: fn(&mut Request<'_>) = |r| r.dry_run = true;
    let refused = ["THROTTLE batch_refused", "THROTTLE batch_refused", "THROTTLE rate_limited"];
    assert_eq!(batch(&plane, true, &[one, one, one]), refused);
    let denied: fn(&mut Request<'_>) = |r| r.action.name = "unknown";
    assert_eq!(batch(&plane, true, &[one, denied]), ["DENY batch_refused", "DENY default_deny"]);
    assert_eq!(batch(&plane, true, &[one, dry, one]), ["ALLOW rule"; 3]);
    assert_eq!(batch(&plane, true, &[dry, one]), ["THROTTLE rate_limited"; 2]);
    assert_eq!(ask_plain(&plane), "THROTTLE rate_limited 9000 ms");
    millis(&plane, 9_000);
    let alone = ["ALLOW rule", "ALLOW rule", "THROTTLE rate_limited"];
    assert_eq!(batch(&plane, false, &[one, one, one]), alone);
}

#[test]
fn a_flush_has_its_own_limit() {
    let plane =
        guarded("  - {name: f, type: rate_limit, rules: {limit: 2, key_by: [batch]}, refusal: drop}\n");
    let one: fn(&mut Request<'_>) = |_| ();
    for _ in 0..3 {
        assert_eq!(batch(&plane, false, &[one, one, one]), ["ALLOW rule", "ALLOW rule", "DENY rate_limited"]);
        assert_eq!(ask_plain(&plane), "ALLOW rule");
    }
    let named: fn(&mut Request<'_>) = |r| r.batch_id = "b";
    assert_eq!(batch(&plane, false, &[named]), ["ALLOW rule"]);
    assert_eq!(batch(&plane, false, &[named, named]), ["ALLOW rule", "DENY rate_limited"]);
}

#[test]
fn usage_is_what_the_run_of_the_tenant_has_used() {
    let plane = plane(Options::default());
    install(&plane, &RULES.replace("{ok: true}", "{\"<usage.tool_calls\": 2}"));
    let run: fn(&mut Request<'_>) = |r| r.subject.run = "r1";
    assert_eq!(ask_as(&plane, run).0, "ALLOW rule");
    assert_eq!(ask_as(&plane, run).0, "ALLOW rule");
    assert_eq!(ask_as(&plane, run).0, "DENY default_deny");
    assert_eq!(ask_as(&plane, |r| r.subject.run = "r2").0, "ALLOW rule");
    assert_eq!(plane.status().bundle.unwrap().guardrails, 0);
}

fn retry(plane: &DataPlane, number: u32) -> Plan {
    let context = context(json!({"ok": true}));
    let request = request(&context);
    let attempt = Attempt { kind: ErrorKind::Transient, hint: None, number, time_left: None };
    plane.retry(&request, &attempt, |answer| answer.plan).unwrap()
}

#[test]
fn retries_follow_the_policy_and_see_the_budget() {
    let plane = guarded(
        "  - {name: r, type: retry, rules: {max_retries: 2, interval_seconds: 1}}\n  \
         - {name: m, type: budget, rules: {max_tool_calls: 1, key_by: [global]}}\n",
    );
    let code = ReasonCode::RetryBackoff;
    assert_eq!(retry(&plane, 0), Plan::Again { delay: Span::from_nanos(1_000_000_000), code });
    assert_eq!(retry(&plane, 1), Plan::Again { delay: Span::from_nanos(2_000_000_000), code });
    assert_eq!(retry(&plane, 2), Plan::Fail(ReasonCode::RetryAttemptsExhausted));
    assert_eq!(ask_plain(&plane), "ALLOW rule");
    assert_eq!(retry(&plane, 0), Plan::Fail(ReasonCode::RetryRunBudgetExhausted));
    let context = context(json!({}));
    let left = plane.budget(&request(&context), |answer| {
        answer
            .limits
            .iter()
            .map(|limit| (limit.guard.name.to_string(), limit.room.left()))
            .collect::<Vec<_>>()
    });
    assert_eq!(left.unwrap(), [("m".to_owned(), 0)]);
}

#[test]
fn flushes_without_a_name_do_not_fill_a_table() {
    let plane =
        guarded("  - {name: f, type: rate_limit, max_keys: 100, rules: {limit: 2, key_by: [batch]}}\n");
    let one: fn(&mut Request<'_>) = |_| ();
    for minute in 0..6 {
        for _ in 0..90 {
            assert_eq!(batch(&plane, false, &[one, one]), ["ALLOW rule", "ALLOW rule"], "minute {minute}");
        }
        millis(&plane, 70_000);
        (0..4).for_each(|_| plane.sweep());
    }
}

#[test]
fn usage_that_could_not_be_kept_allows_nothing() {
    let plane = plane(Options::default());
    let rules = RULES.replace("{ok: true}", "{\"<usage.tool_calls\": 2}");
    install(&plane, &rules);
    let snapshot = plane.snapshot.load_full();
    let serving = snapshot.serving.as_ref().unwrap();
    let place = serving.compiled.usage_guardrail().unwrap();
    let guard = serving.guards[place].as_deref().unwrap();
    assert_eq!((guard.max_keys, guard.keys()), (1_000_000, 0));
    for n in 0..1_000_000_u64 {
        let mut asks = tollgate_engine::guardrail::Asks::default();
        asks.ask_values(guard, &["acme", &n.to_string()], 1);
        let facts = tollgate_engine::guardrail::Facts {
            expected: tollgate_engine::guardrail::budget::Expected::nothing(),
            first_attempt: true,
        };
        let mut draw = tollgate_engine::guardrail::Draw::seeded(1);
        plane.live.ledger.charge(&asks, &facts, plane.at(), &mut draw);
    }
    assert_eq!(ask_as(&plane, |r| r.subject.run = "new").0, "DENY default_deny");
}
