//! That both sides of a bundle's bounds are drawn, and always the same.

use std::collections::BTreeSet;

use super::*;
use crate::compile;
use crate::read::{self, Bounds, SourceFile};
use crate::simulate::World;
use crate::time::WallTime;

const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.0.0
fields: {score: {type: number, required: true, min: 0, max: 100}}
rules:
  - id: deny-risk
    agent: "team-*"
    action: [send, pay]
    conditions: {risk: {">=": 0.5}, email.domain: {in: [a.example, b.example]}, amount: {between: [10, 20]}}
    effect: deny
    priority: 90
    reason: Too risky
  - id: allow-small
    action: pay
    target: {tenants: [acme], roles: [clerk], kinds: [tool]}
    when: estimate.cost < 5.0 && context.note == "x"
    effect: allow
    reason: Small
guardrails:
  - name: calls
    type: rate_limit
    rules: {limit: 5, window_seconds: 1, key_by: [tenant, context.region]}
    targeting: {tools: [search]}
"#;

fn compiled(text: &str) -> Compiled {
    let file = SourceFile { name: "b.yaml", bytes: text.as_bytes() };
    let reading = read::bundle(&[file], &Bounds::default());
    compile::bundle(reading.bundle.unwrap_or_else(|| panic!("{:?}", reading.findings))).unwrap()
}

fn drawn(bundle: &Compiled, seed: u64, count: usize) -> Vec<RequestDocument> {
    let (boundaries, mut draw) = (Boundaries::of(bundle), Draw::seeded(seed));
    (0..count).map(|turn| boundaries.draw(turn, &mut draw)).collect()
}

#[test]
fn each_rule_is_hit_on_both_sides_of_its_conditions() {
    let bundle = compiled(BUNDLE);
    let requests = drawn(&bundle, 7, 300);
    let world = World::new(&bundle, "default", WallTime::from_nanos(0));
    let mut tools = crate::decide::Tools::seeded(1);
    let mut decided = BTreeSet::new();
    for request in &requests {
        let answer = world.decide(&request.request(), &mut tools);
        decided.insert(answer.decision.rule.map(|id| id.as_str().to_owned()));
    }
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(decided, BTreeSet::from([None, named("allow-small"), named("deny-risk")]));
    let seen = |path: &str| {
        let read = |request: &RequestDocument| match request.context.get(path) {
            Some(Const::Number(n)) => Some(n.to_bits()),
            _ => None,
        };
        requests.iter().filter_map(read).map(f64::from_bits).map(|n| n.to_string()).collect::<BTreeSet<_>>()
    };
    assert_eq!(
        seen("risk"),
        BTreeSet::from(["0.49999999999999994", "0.5", "0.5000000000000001"].map(String::from))
    );
    assert_eq!(seen("amount"), BTreeSet::from(["9", "10", "11", "19", "20", "21"].map(String::from)));
    let costs: BTreeSet<_> =
        requests.iter().filter_map(|r| r.estimate.cost).map(|cost| cost.units() as i64).collect();
    assert_eq!(costs, BTreeSet::from([4, 5, 6]), "a `when` has bounds too");
    let tenants: BTreeSet<_> = requests.iter().map(|r| r.subject.tenant.clone()).collect();
    assert!(tenants.len() > 30 && tenants.contains("acme"), "keys of a guardrail: {tenants:?}");
    assert!(requests.iter().all(|r| r.context.contains_key("score") && !r.action.name.is_empty()));
}

#[test]
fn a_seed_draws_the_same_again() {
    let bundle = compiled(BUNDLE);
    let shown = |seed| format!("{:?}", drawn(&bundle, seed, 50));
    assert_eq!(shown(1), shown(1));
    assert_ne!(shown(1), shown(2));
}

#[test]
fn a_bundle_without_rules_gives_requests_too() {
    let bundle = compiled("format: tollgate/v1\nversion: 1.0.0\nrules: []\n");
    assert!(Boundaries::of(&bundle).is_empty());
    assert_eq!(&*drawn(&bundle, 1, 1)[0].action.name, "any");
}
