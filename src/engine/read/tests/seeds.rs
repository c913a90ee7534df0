//! The documents that the product was asked for with, in their own spelling.

use super::{HEAD, clean};
use crate::model::guardrail::{Cooldown, KeyDimension, Rules};
use crate::model::{Field, Pattern};
use crate::unit::Span;

/// Every JSON snippet of the seeds' action policies.
const ACTION_POLICIES: [&str; 4] = [
    r#"{
  "name": "limit-kyc-checks",
  "type": "rate_limit",
  "rules": {
    "limit": 100,
    "windowSeconds": 60,
    "keyBy": "handler"
  },
  "targeting": {
    "stageHandlerNames": ["kyc-check"]
  }
}"#,
    r#"{
  "name": "aggressive-retry",
  "type": "retry",
  "rules": {
    "maxRetries": 5,
    "intervalSeconds": 30,
    "backoffMultiplier": 2
  },
  "targeting": {
    "stageNames": ["payment-processing"]
  }
}"#,
    r#"{
  "name": "quick-timeout",
  "type": "timeout",
  "rules": {
    "timeoutSeconds": 120
  },
  "targeting": {
    "tags": { "include": ["critical"] }
  }
}"#,
    r#"{
  "name": "payment-breaker",
  "type": "circuit_breaker",
  "rules": {
    "failureThreshold": 5,
    "windowSeconds": 300,
    "cooldownSeconds": 60
  },
  "targeting": {
    "stageHandlerNames": ["payment-gateway"]
  }
}"#,
];

const fn seconds(n: u64) -> Span {
    Span::from_nanos(n * 1_000_000_000)
}

#[test]
fn the_action_policies_are_guardrails_as_they_stand() {
    let json = format!(
        r#"{{"format": "tollgate/v1", "version": "1.0.0", "guardrails": [{}]}}"#,
        ACTION_POLICIES.join(",\n")
    );
    let bundle = clean(&json);
    let [limit, retry, timeout, breaker] = bundle.guardrails.as_slice() else { panic!() };
    let Rules::RateLimit(rules) = &limit.rules else { panic!() };
    assert_eq!((rules.limit, rules.window), (100, Some(seconds(60))));
    assert_eq!(rules.key_by, [KeyDimension::Field(Field::Handler)]);
    assert_eq!(limit.targeting.stage_handler_names, Some(vec![Pattern::Exact("kyc-check".into())]));
    let Rules::Retry(rules) = &retry.rules else { panic!() };
    assert_eq!((rules.max_retries, rules.interval, rules.backoff_multiplier), (5, seconds(30), 2.0));
    let Rules::Timeout(rules) = &timeout.rules else { panic!() };
    assert_eq!(rules.timeout, seconds(120));
    assert_eq!(timeout.targeting.tags_include, Some(vec![Pattern::Exact("critical".into())]));
    let Rules::CircuitBreaker(rules) = &breaker.rules else { panic!() };
    assert_eq!((rules.failure_threshold, rules.cooldown), (Some(5), Cooldown::For(seconds(60))));
}

#[test]
fn each_way_to_target_and_to_key_is_accepted() {
    for key in ["handler", "pipeline", "application"] {
        let rules = format!("{{limit: 1, windowSeconds: 1, keyBy: {key}}}");
        clean(&format!("{HEAD}guardrails: [{{name: g, type: rate_limit, rules: {rules}}}]"));
    }
    let targeting = "{pipelineIds: [p], stageNames: ['s*'], stageHandlerNames: [h], environment: prod, tags: {include: [a], exclude: [b]}}";
    let bundle = clean(&format!(
        "{HEAD}guardrails: [{{name: g, type: timeout, rules: {{timeoutSeconds: 1}}, targeting: {targeting}}}]"
    ));
    let target = &bundle.guardrails[0].targeting;
    assert!(target.pipeline_ids.is_some() && target.stage_names.is_some() && target.environments.is_some());
}
