//! Emergency stops against a bundle that says otherwise (design 1.6, step 1).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Answer, Scratch, Stop, StopEffect, Stops, Visit, authorize};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::{Asks, Draw, Live};
use tollgate_engine::model::{Disposition, ReasonCode};
use tollgate_engine::read::request::{RequestBounds, RequestDocument};
use tollgate_engine::read::{self, Bounds, SourceFile, selector};
use tollgate_engine::time::{Moment, WallTime};
use tollgate_engine::unit::Span;

const BUNDLE: &str = "format: tollgate/v1
version: 1.0.0
rules:
  - {id: deny-pay, action: pay, effect: deny, reason: Nobody pays by default}
  - {id: allow-read, action: read, effect: allow, reason: Anybody may read it}
guardrails:
  - {name: five-pays, type: rate_limit, rules: {limit: 5, window_seconds: 60}, targeting: {actions: [pay]}}
";

fn compiled() -> Compiled {
    let file = SourceFile { name: "b.yaml", bytes: BUNDLE.as_bytes() };
    compile::bundle(read::bundle(&[file], &Bounds::default()).bundle.unwrap()).unwrap()
}

fn asked(text: &str) -> RequestDocument {
    let file = SourceFile { name: "r.yaml", bytes: text.as_bytes() };
    read::request::read(&file, &RequestBounds::default()).request.unwrap()
}

fn at(seconds: u64) -> Moment {
    Moment::START.after(Span::from_nanos(seconds * 1_000_000_000))
}

fn stop(text: &str, effect: StopEffect) -> Arc<Stop> {
    Arc::new(Stop::new(&selector(text).unwrap(), effect, "the drill of today", at(10)))
}

fn effect_of(stops: &Stops, request: &RequestDocument, now: Moment) -> Option<&'static str> {
    let bundle = compiled();
    let mut scratch = Scratch::default();
    let decision = stops.decide(Some(&bundle), &request.request(), "default", now, &mut scratch)?;
    assert_eq!((decision.reason_code, decision.rule), (ReasonCode::EmergencyStop, None));
    assert!(decision.reason.ends_with(": the drill of today"), "{}", decision.reason);
    Some(match decision.answer {
        Answer::Allow(_) => "allow",
        Answer::Deny(Disposition::Raise) => "deny",
        other => panic!("{other:?}"),
    })
}

#[test]
fn it_decides_before_the_rules_until_it_ends() {
    let (read, pay) = (asked("action: {name: read}"), asked("action: {name: pay}"));
    let stops = Stops::of([stop("{}", StopEffect::Allow), stop("{actions: re*}", StopEffect::Deny)]);
    assert_eq!(effect_of(&stops, &read, at(0)), Some("deny"), "deny beats allow");
    assert_eq!(effect_of(&stops, &pay, at(9)), Some("allow"));
    assert_eq!(effect_of(&stops, &pay, at(10)), None, "it is over");
    assert!(stops.denies(&read.request(), "default", at(0)).is_some());
    assert!(stops.denies(&pay.request(), "default", at(0)).is_none());
    assert!(Stops::default().is_empty() && effect_of(&Stops::default(), &read, at(0)).is_none());
}

#[test]
fn what_it_is_about_is_a_target_in_every_phase() {
    let request = asked(
        "{subject: {agent: a, tenant: acme}, action: {name: read, tool: sql}, environment: prod, phase: ENQUEUE}",
    );
    for (text, is_about) in [
        ("{}", true),
        ("{agents: [a], tenants: [acme]}", true),
        ("{agents: [a], tenants: [other]}", false),
        ("{environments: prod, tools: sql}", true),
        ("{environments: default}", false),
        ("{users: '*'}", false),
        ("{phases: dispatch}", false),
        ("{phases: [enqueue]}", true),
    ] {
        let stops = Stops::of([stop(text, StopEffect::Deny)]);
        assert_eq!(effect_of(&stops, &request, at(0)).is_some(), is_about, "{text}");
    }
}

#[test]
fn an_allow_keeps_the_guardrails_and_needs_a_bundle() {
    let (bundle, document) = (compiled(), asked("{action: {name: pay}, mode: draft}"));
    let (request, mut scratch) = (document.request(), Scratch::default());
    let denied = authorize(&bundle, &request, "default", WallTime::from_nanos(0), None, &mut scratch);
    assert!(matches!(denied.answer, Answer::Deny(_)));
    let stops = Stops::of([stop("{}", StopEffect::Allow)]);
    let mut allowed = stops.decide(Some(&bundle), &request, "default", at(0), &mut scratch).unwrap();
    let guards = Live::new(1, 1).reconcile(&[bundle.guardrails()]).arms.remove(0);
    let visit = Visit { guards: &guards, environment: "default", flush: Flush::Alone(0) };
    let (mut draw, mut asks) = (Draw::seeded(1), Asks::default());
    visit.ask(&request, &mut allowed, &scratch, &mut draw, &mut asks).unwrap();
    assert!(!asks.is_empty(), "the limit of the bundle is still asked");
    let Answer::Allow(obligations) = allowed.answer else { panic!("{allowed:?}") };
    assert_eq!(obligations.mode, "draft");
    assert!(stops.decide(None, &request, "default", at(0), &mut scratch).is_none());
    let stops = Stops::of([stop("{}", StopEffect::Deny)]);
    assert!(stops.decide(None, &request, "default", at(0), &mut scratch).is_some());
}
