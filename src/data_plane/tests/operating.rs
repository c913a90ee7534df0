//! Operators: guardrails seen and handled, stops set, over and taken through a restart.

use super::*;
use crate::data_plane::operate::{Handling, NotHandled, Wanted};
use crate::data_plane::stops::{LONGEST, MOST_STOPS, NewStop, NotSet};
use crate::data_plane::{Arm, Item};
use tollgate_engine::decide::StopEffect;
use tollgate_engine::guardrail::operate::Operation;
use tollgate_engine::guardrail::report::{Ending, Outcome as Ended};
use tollgate_engine::guardrail::retry::{Attempt, Plan};
use tollgate_engine::model::guardrail::ErrorKind;
use tollgate_engine::unit::Span;
use uuid::Uuid;

const GUARDRAILS: &str = "guardrails:
  - {name: few, type: rate_limit, rules: {limit: 2, window_seconds: 9, key_by: [tenant, user]}}
  - {name: calls, type: circuit_breaker, rules: {failure_threshold: 1, cooldown_seconds: 5, key_by: [tenant]}}
  - {name: again, type: retry, rules: {max_retries: 2, interval_seconds: 1}}
  - {name: later, type: timeout, state: draft, rules: {timeout_seconds: 9}}
";

fn operated() -> Arc<DataPlane> {
    let plane = plane(Options::default());
    install(&plane, &format!("{RULES}{GUARDRAILS}"));
    plane
}

fn seconds(plane: &DataPlane, seconds: i64) {
    plane.clock().advance(seconds * 1_000_000_000);
}

/// Asks for a tenant; the effect, the code, which arm, and the id.
fn ask_for(plane: &DataPlane, tenant: &str) -> (String, Arm, Uuid) {
    let context = context(json!({"ok": true}));
    let mut request = request(&context);
    request.subject.tenant = tenant;
    plane.authorize(&request, |answer| {
        let code = answer.decision.reason_code.name();
        (format!("{} {code}", answer.effect_name()), answer.arm, answer.decision_id)
    })
}

fn said(plane: &DataPlane, tenant: &str) -> String {
    ask_for(plane, tenant).0
}

fn handle(
    plane: &DataPlane,
    guardrail: &str,
    key: Option<&[&str]>,
    operation: Operation,
) -> Result<usize, String> {
    let key: Option<Vec<String>> = key.map(|values| values.iter().map(ToString::to_string).collect());
    let handling = Handling { guardrail, key: key.as_deref(), operation, by: "ada", reason: "drill" };
    plane.handle_guardrail(&handling, |view| view.keys.len()).map_err(|why| why.to_string())
}

fn seen(plane: &DataPlane, wanted: &Wanted<'_>) -> Result<Vec<String>, NotHandled> {
    plane.guardrails(wanted, |seen| {
        let one = |view: &crate::data_plane::operate::GuardrailView<'_>| {
            let keys: Vec<String> = view.keys.iter().map(|key| key.key.display()).collect();
            format!("{} {}", view.written.name.value, keys.join(","))
        };
        let mut all: Vec<String> = seen.guardrails.iter().map(one).collect();
        all.extend(seen.more.then(|| "more".to_owned()));
        all
    })
}

const ALL: Wanted<'_> = Wanted { only: "", after: "", most: 10, keys: 10 };

#[test]
fn guardrails_are_seen_with_their_hottest_keys() {
    let plane = operated();
    for tenant in ["a", "b", "b"] {
        assert_eq!(said(&plane, tenant), "ALLOW rule");
    }
    let (_, _, id) = ask_for(&plane, "c");
    plane.report(id, &Ended::of(Ending::Failure(ErrorKind::Transient)));
    assert_eq!(seen(&plane, &ALL).unwrap()[..2], ["few b/,a/,c/", "calls c"]);
    assert_eq!(seen(&plane, &Wanted { keys: 1, most: 1, ..ALL }).unwrap(), ["few b/", "more"]);
    assert_eq!(seen(&plane, &Wanted { after: "again", ..ALL }).unwrap(), ["later "]);
    assert_eq!(seen(&plane, &Wanted { only: "calls", ..ALL }).unwrap(), ["calls c"]);
    let unknown = seen(&plane, &Wanted { only: "cals", ..ALL }).unwrap_err().to_string();
    assert_eq!(unknown, "the bundle in force has no guardrail `cals`; did you mean `calls`?");
    let empty = super::plane(Options::default());
    assert!(seen(&empty, &ALL).unwrap().is_empty());
}

#[test]
fn a_breaker_is_held_open_or_closed_and_then_left_alone() {
    let plane = operated();
    let whole = |operation| handle(&plane, "calls", None, operation);
    assert_eq!(whole(Operation::ForceOpen), Ok(0));
    assert_eq!(said(&plane, "a"), "DENY forced_open");
    let held = handle(&plane, "calls", Some(&["a"]), Operation::Close).unwrap_err();
    assert_eq!(held, "all keys of `calls` are held forced_open; close it as a whole first");
    assert_eq!(whole(Operation::Disable), Ok(0));
    let (_, _, id) = ask_for(&plane, "a");
    plane.report(id, &Ended::of(Ending::Failure(ErrorKind::Transient)));
    assert_eq!(said(&plane, "a"), "ALLOW rule", "a disabled breaker counts nothing");
    assert_eq!(whole(Operation::Close), Ok(0));
    assert_eq!(handle(&plane, "calls", Some(&["b"]), Operation::ForceOpen), Ok(1));
    assert_eq!((said(&plane, "b"), said(&plane, "c")), ("DENY forced_open".into(), "ALLOW rule".into()));
    assert_eq!(handle(&plane, "calls", Some(&["b"]), Operation::Close), Ok(1));
    assert_eq!(said(&plane, "b"), "ALLOW rule");
}

#[test]
fn a_key_or_all_of_a_limit_is_emptied() {
    let plane = operated();
    for tenant in ["a", "a", "b", "b"] {
        assert_eq!(said(&plane, tenant), "ALLOW rule");
    }
    assert_eq!(handle(&plane, "few", Some(&["a", ""]), Operation::Reset), Ok(1));
    assert_eq!((said(&plane, "a"), said(&plane, "b")), ("ALLOW rule".into(), "THROTTLE rate_limited".into()));
    assert_eq!(handle(&plane, "few", Some(&["nobody", ""]), Operation::Reset), Ok(0));
    assert_eq!(handle(&plane, "few", None, Operation::Reset), Ok(0));
    assert_eq!(said(&plane, "b"), "ALLOW rule");
    for (guardrail, key, operation, want) in [
        ("few", None, Operation::Close, "`few` is a `rate_limit`: only circuit breakers can be opened"),
        ("few", Some(&["a"][..]), Operation::Reset, "`few` counts by `tenant`, `user`; give these 2 values"),
        (
            "again",
            Some(&["a"][..]),
            Operation::Reset,
            "`again` counts all actions together; leave the key out",
        ),
        ("later", None, Operation::Reset, "`later` is switched off in the bundle"),
        ("usage", None, Operation::Reset, "the bundle in force has no guardrail `usage`"),
    ] {
        let said = handle(&plane, guardrail, key, operation).unwrap_err();
        assert!(said.starts_with(want), "{said}");
    }
}

fn new_stop(selector: &str, effect: StopEffect) -> NewStop<'_> {
    NewStop { selector, effect, reason: "drill", by: "ada", ttl: Span::from_nanos(60_000_000_000) }
}

#[test]
fn a_stop_decides_before_the_rules_until_its_time_is_over() {
    let plane = operated();
    let set = plane.set_stop(&new_stop("{tenants: [a*]}", StopEffect::Deny)).unwrap();
    let (answer, arm, _) = ask_for(&plane, "acme");
    assert_eq!((answer.as_str(), arm), ("DENY emergency_stop", Arm::Builtin));
    assert_eq!(said(&plane, "other"), "ALLOW rule");
    assert_eq!(plane.list_stops(), [set]);
    seconds(&plane, 59);
    assert_eq!(said(&plane, "acme"), "DENY emergency_stop");
    seconds(&plane, 1);
    assert_eq!((said(&plane, "acme").as_str(), plane.list_stops().len()), ("ALLOW rule", 0));
    assert_eq!(plane.count_stops(), 0);
    plane.sweep();
    assert!(plane.snapshot.load().stops.is_empty());
}

#[test]
fn a_stop_that_allows_skips_the_rules_and_not_the_guardrails() {
    let plane = operated();
    plane.set_stop(&new_stop("{}", StopEffect::Allow)).unwrap();
    let denied = context(json!({"ok": false}));
    let mut codes = Vec::new();
    for _ in 0..3 {
        plane.authorize(&request(&denied), |answer| {
            codes.push((answer.effect_name(), answer.decision.reason_code.name(), answer.arm));
        });
    }
    let passed = ("ALLOW", "emergency_stop", Arm::Builtin);
    assert_eq!(codes, [passed, passed, ("THROTTLE", "rate_limited", Arm::Stable)]);
    let stop = plane.set_stop(&new_stop("{agents: inbox}", StopEffect::Deny)).unwrap();
    let items = [Item::Ask(request(&denied))];
    plane.authorize_batch(&items, true, |answers| assert!(answers[0].decision.reason.ends_with(": drill")));
    plane.explain(&request(&denied), |answer, rules, _| {
        assert_eq!((answer.is_allowed(), rules.len()), (false, 0))
    });
    assert_eq!(plane.clear_stops(Some(stop.id), "ada"), [stop]);
    assert_eq!(plane.clear_stops(Some(Uuid::nil()), "ada"), []);
    assert_eq!((plane.clear_stops(None, "ada").len(), said(&plane, "a").as_str()), (1, "ALLOW rule"));
}

#[test]
fn without_a_bundle_a_stop_denies_and_lets_nothing_pass() {
    let plane = plane(Options::default());
    plane.set_stop(&new_stop("{}", StopEffect::Allow)).unwrap();
    assert_eq!(said(&plane, "a"), "DENY no_bundle");
    plane.set_stop(&new_stop("{}", StopEffect::Deny)).unwrap();
    assert_eq!(said(&plane, "a"), "DENY emergency_stop");
    install(&plane, RULES);
    assert_eq!(said(&plane, "a"), "DENY emergency_stop", "a new bundle leaves it in force");
}

#[test]
fn nothing_that_is_stopped_is_tried_again() {
    let plane = operated();
    let empty = ConstMap::new();
    let retry = || {
        let attempt = Attempt { kind: ErrorKind::Transient, hint: None, number: 0, time_left: None };
        plane.retry(&request(&empty), &attempt, |answer| {
            (answer.plan, answer.arm, answer.stopped.map(str::to_owned))
        })
    };
    plane.set_stop(&new_stop("{}", StopEffect::Allow)).unwrap();
    assert!(matches!(retry().unwrap(), (Plan::Again { .. }, Arm::Stable, None)));
    plane.set_stop(&new_stop("{actions: send}", StopEffect::Deny)).unwrap();
    let (plan, arm, why) = retry().unwrap();
    assert_eq!((plan, arm), (Plan::Fail(ReasonCode::EmergencyStop), Arm::Builtin));
    assert!(why.unwrap().ends_with(": drill"));
}

#[test]
fn stops_go_through_a_restart_with_what_is_left_of_them() {
    let before = operated();
    let long = NewStop { ttl: LONGEST, ..new_stop("{tenants: a}", StopEffect::Deny) };
    let kept = before.set_stop(&long).unwrap();
    before.set_stop(&new_stop("{tenants: b}", StopEffect::Deny)).unwrap();
    let mut saved = before.export_stops();
    saved.push(super::super::stops::SavedStop { id: 7, selector: "{no: field}".into(), ..saved[0].clone() });
    let after = operated();
    seconds(&after, 60);
    after.import_stops(saved.clone());
    assert_eq!(after.list_stops(), [kept]);
    assert_eq!(
        (said(&after, "a").as_str(), said(&after, "b").as_str()),
        ("DENY emergency_stop", "ALLOW rule")
    );
    after.import_stops(saved);
    assert_eq!(after.list_stops().len(), 1, "what is in force already is not taken twice");
}

#[test]
fn so_many_stops_and_no_more() {
    let plane = operated();
    assert!(matches!(
        plane.set_stop(&new_stop("{agent: a}", StopEffect::Deny)),
        Err(NotSet::Selector(found)) if found[0].message == "`agent` is no field of a target"
    ));
    for _ in 0..MOST_STOPS {
        plane.set_stop(&new_stop("{tenants: other}", StopEffect::Deny)).unwrap();
    }
    assert!(matches!(plane.set_stop(&new_stop("{}", StopEffect::Deny)), Err(NotSet::Full)));
    assert_eq!((plane.count_stops(), said(&plane, "a").as_str()), (MOST_STOPS, "ALLOW rule"));
}

#[test]
fn whoever_follows_the_events_is_told() {
    use crate::events::Filter;
    use tokio_stream::StreamExt as _;
    use tollgate_engine::condition::glob::Glob;
    let plane = operated();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let told = runtime.block_on(async {
        let kinds = ["stop.*", "guardrail.*"].map(|glob| Glob::parse(glob).unwrap());
        let mut events =
            plane.events().subscribe(Filter::new(&kinds, Vec::new(), Vec::new()), None).await.unwrap();
        handle(&plane, "calls", None, Operation::ForceOpen).unwrap();
        handle(&plane, "few", Some(&["a", ""]), Operation::Reset).unwrap();
        let stop = plane.set_stop(&new_stop("{tenants: a}", StopEffect::Deny)).unwrap();
        plane.clear_stops(Some(stop.id), "bob");
        plane.set_stop(&new_stop("{}", StopEffect::Allow)).unwrap();
        seconds(&plane, 60);
        plane.sweep();
        let mut told = Vec::new();
        while told.len() < 6 {
            let recorded = events.next().await.unwrap().unwrap();
            let mut line = recorded.event.kind().name().to_owned();
            recorded.event.each_field(&mut |name, text| {
                if matches!(name, "key" | "selector" | "effect" | "by" | "reason") {
                    line += &format!(" {text}");
                }
            });
            told.push(line);
        }
        told
    });
    assert_eq!(
        told,
        [
            "guardrail.forced_open drill ada",
            "guardrail.reset a/ drill ada",
            "stop.set {tenants: a} DENY drill ada",
            "stop.cleared {tenants: a} DENY drill bob",
            "stop.set {} ALLOW drill ada",
            "stop.expired {} ALLOW drill",
        ]
    );
}
