//! What a scrape shows: each decision counts once, and what is gone is gone.

use serde_json::json;
use tollgate_engine::guardrail::report::{Ending, Outcome};
use tollgate_engine::model::guardrail::ErrorKind;
use tollgate_engine::unit::Money;

use super::{DataPlane, context, install, plane, request};
use crate::data_plane::Options;
use crate::telemetry::metrics::AtScrape as _;
use crate::telemetry::page::{Format, Page};

const RULES: &str = "
format: tollgate/v1
version: 1.0.0
rules:
  - {id: by-size, action: send, conditions: {\"<size\": 5}, effect: allow, reason: It is small enough for that, priority: 60}
  - {id: anyhow, action: send, effect: allow, reason: It may be sent in any case}
guardrails:
  - {name: calls, type: concurrency, rules: {max_in_flight: 50}, targeting: {agents: [holder]}}
  - {name: seen, type: rate_limit, enforcement: shadow, rules: {limit: 3, window_seconds: 60}}
";

fn page(plane: &DataPlane) -> String {
    let mut page = Page::default();
    plane.hand_over(&mut page);
    page.render(Format::Text)
}

fn value(plane: &DataPlane, series: &str) -> Option<f64> {
    let page = page(plane);
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

/// Asks for `send` with this size, which errs where it is no number, and reports how it went.
fn send(plane: &DataPlane, agent: &str, size: serde_json::Value, ending: Option<Ending>) {
    let context = context(json!({ "size": size }));
    let mut request = request(&context);
    request.subject.agent = agent;
    let id = plane.authorize(&request, |answer| answer.decision_id);
    if let Some(ending) = ending {
        let cost = Some(Money::from_billionths(500_000_000));
        plane.report(id, &Outcome { cost, ..Outcome::of(ending) });
    }
}

#[test]
fn a_decision_that_erred_and_failed_is_wrong_once() {
    let plane = plane(Options::default());
    install(&plane, RULES);
    let (fine, failed) = (Ending::Success, Ending::Failure(ErrorKind::Transient));
    // Held and not held: what is known of a decision when its report comes differs.
    for agent in ["holder", "inbox"] {
        send(&plane, agent, json!(1), Some(fine));
        send(&plane, agent, json!(1), Some(failed));
        send(&plane, agent, json!("many"), Some(failed));
        send(&plane, agent, json!("many"), Some(fine));
        send(&plane, agent, json!(2), None);
    }
    assert_eq!(value(&plane, "policy_error_rate_5m"), Some(0.6));
    assert_eq!(value(&plane, "policy_cost_24h"), Some(4.0));
    for _ in 0..52 {
        plane.clock.advance(6_000_000_000);
        plane.sweep();
    }
    assert_eq!(value(&plane, "policy_error_rate_5m"), None, "nothing was decided for five minutes");
    assert_eq!(value(&plane, "policy_cost_24h"), Some(4.0));
    plane.clock.advance(86_400_000_000_000);
    plane.sweep();
    plane.clock.advance(300_000_000_000);
    plane.sweep();
    plane.clock.advance(86_400_000_000_000);
    assert_eq!(value(&plane, "policy_cost_24h"), Some(0.0));
}

#[test]
fn what_a_shadow_would_refuse_is_a_flip_and_a_guardrail_that_is_gone_has_no_series() {
    let plane = plane(Options::default());
    install(&plane, RULES);
    (0..5).for_each(|_| send(&plane, "inbox", json!(1), None));
    let flips = "tollgate_shadow_flips_total{from=\"ALLOW\",to=\"THROTTLE\"}";
    assert_eq!(value(&plane, flips), Some(2.0));
    let refusals =
        "tollgate_guardrail_refusals_total{guardrail=\"seen\",type=\"rate_limit\",enforcement=\"shadow\"}";
    assert_eq!(value(&plane, refusals), Some(2.0));
    let without = RULES.lines().filter(|line| !line.contains("name: seen")).collect::<Vec<_>>().join("\n");
    install(&plane, &without.replace("1.0.0", "2.0.0"));
    assert!(!page(&plane).contains("seen"), "{}", page(&plane));
    assert_eq!(value(&plane, flips), Some(2.0));
}
