//! What a decision tells those who follow the events, and what it does not.

use super::*;
use crate::data_plane::Item;
use crate::events::{Event, Filter, Source};
use tokio_stream::StreamExt as _;
use tollgate_engine::condition::glob::Glob;

const BUNDLE: &str = "
format: tollgate/v1
version: 1.0.0
rules:
  - {id: allow-rest, action: '[!n]*', effect: allow, reason: Everything else may be done}
  - {id: no-deletes, action: delete, phase: any, effect: deny, priority: 90, reason: Nothing is ever deleted}
  - {id: the-end, action: the-end, effect: deny, priority: 90, reason: The test is over here}
guardrails:
  - {name: none, type: rate_limit, rules: {limit: 0, window_seconds: 1}, targeting: {actions: [send]}}
  - {name: one, type: rate_limit, rules: {limit: 1, window_seconds: 9, key_by: [tenant]}, targeting: {actions: [send, ask]}}
  - {name: shade, type: rate_limit, enforcement: shadow, rules: {limit: 0, window_seconds: 1}, targeting: {actions: [ask]}}
";

/// Who refused how, as far as the events say.
fn told(act: impl FnOnce(&DataPlane)) -> Vec<String> {
    let plane = plane(Options::default());
    install(&plane, BUNDLE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let refusals = Filter::new(&[Glob::parse("policy.*").unwrap()], Vec::new(), Vec::new());
        let mut events = plane.events().subscribe(refusals, None).await.unwrap();
        act(&plane);
        ask_for(&plane, "the-end", |_| ());
        let mut told = Vec::new();
        while let Some(Ok(recorded)) = events.next().await {
            let Event::Triggered(triggered) = &recorded.event else { panic!("{recorded:?}") };
            let by = match &triggered.source {
                Source::Rule(id) if &**id == "the-end" => break,
                Source::Rule(id) => id.to_string(),
                Source::Guardrail { name, key } => format!("{name}({key})"),
            };
            told.push(format!("{by} {} {}", triggered.effect, triggered.reason_code.name()));
        }
        told
    })
}

fn ask_for(plane: &DataPlane, action: &str, change: impl FnOnce(&mut Request<'_>)) {
    let context = context(json!({}));
    let mut request = request(&context);
    request.action.name = action;
    request.subject.tenant = "acme";
    change(&mut request);
    plane.authorize(&request, |_| ());
}

#[test]
fn rules_that_deny_and_guardrails_that_refuse_are_told_of() {
    let denied = told(|plane| ask_for(plane, "delete", |r| r.phase = Phase::Enqueue));
    assert_eq!(denied, ["no-deletes DENY rule"]);
    let both = told(|plane| {
        ask_for(plane, "ask", |_| ());
        ask_for(plane, "send", |_| ());
    });
    assert_eq!(both, ["none() DENY limit_unreachable", "one(acme) THROTTLE rate_limited"]);
}

#[test]
fn what_triggered_nothing_is_not() {
    let quiet = told(|plane| {
        ask_for(plane, "ask", |_| ());
        ask_for(plane, "nothing-fits", |_| ());
        ask_for(plane, "delete", |r| r.dry_run = true);
        ask_for(plane, "send", |r| r.dry_run = true);
    });
    assert!(quiet.is_empty(), "{quiet:?}");
    let batch = told(|plane| {
        let context = context(json!({}));
        let ask = |action| {
            let mut request = request(&context);
            request.action.name = action;
            Item::Ask(request)
        };
        plane.authorize_batch(&[ask("delete"), ask("ask")], true, |_| ());
    });
    assert_eq!(batch, ["no-deletes DENY rule"], "the other one is refused for its sake");
}
