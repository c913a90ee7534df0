//! Emergency stops against a bundle that says otherwise (design 1.6, step 1).

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Answer, Desk, NoGrants, Stop, StopEffect, Stops, Tools};
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::{At, Live};
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
  - {name: two-pays, type: rate_limit, rules: {limit: 2, window_seconds: 60}, targeting: {actions: [pay]}}
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
    let request = request.request();
    let decision = stops.decide(&request, request.environment_or("default"), now)?;
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
    assert!(stops.deny(&read.request(), "default", at(0)).is_some());
    assert!(stops.deny(&pay.request(), "default", at(0)).is_none(), "it is let pass");
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

/// Three times `pay` at a desk with this stop.
fn pays(effect: Option<StopEffect>) -> Vec<ReasonCode> {
    let (bundle, document, live) = (compiled(), asked("{action: {name: pay}, mode: draft}"), Live::new(1, 1));
    let guards = live.reconcile(&[bundle.guardrails()]).arms.remove(0);
    let stops = Stops::of(effect.map(|effect| stop("{}", effect)));
    let (ledger, request) = (&live.ledger, document.request());
    let desk = Desk { bundle: &bundle, guards: &guards, ledger, environment: "default", stops: &stops };
    let at = At { now: at(0), wall: WallTime::from_nanos(0) };
    let mut tools = Tools::seeded(1);
    let told = desk.explain(&request, at, &mut NoGrants, &mut tools);
    assert_eq!(told.rules.is_empty(), effect.is_some(), "rules are not asked");
    let decide = |tools: &mut Tools| {
        let decision = desk.authorize(&request, at, Flush::Alone(0), &mut NoGrants, tools).decision;
        if let Answer::Allow(obligations) = decision.answer {
            assert_eq!(obligations.mode, "draft", "as it was asked for");
        }
        decision.reason_code
    };
    let together = desk.authorize_together(&[request], false, at, Flush::Alone(0), &mut NoGrants, &mut tools);
    let mut codes = vec![together[0].decision.reason_code];
    codes.extend((0..2).map(|_| decide(&mut tools)));
    codes
}

#[test]
fn an_allow_skips_the_rules_and_keeps_the_guardrails() {
    let (stopped, limited) = (ReasonCode::EmergencyStop, ReasonCode::RateLimited);
    assert_eq!(pays(None), [ReasonCode::Rule; 3]);
    assert_eq!(pays(Some(StopEffect::Deny)), [stopped; 3]);
    assert_eq!(pays(Some(StopEffect::Allow)), [stopped, stopped, limited]);
}
