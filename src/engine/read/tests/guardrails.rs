//! Guardrails: every type with its fields and defaults, and what makes no sense.

use super::{HEAD, clean, only_finding};
use crate::model::guardrail::{
    Algorithm, Cooldown, Enforcement, ErrorKind, Guardrail, Jitter, KeyDimension, OnExpiry, OnMaxKeys,
    Refusal, Rules, State,
};
use crate::model::{Field, Path, Phases};
use crate::unit::{Money, Span};

fn document(kind: &str, rules: &str, more: &str) -> String {
    format!("{HEAD}guardrails:\n  - name: g\n    type: {kind}\n    rules: {rules}\n    {more}\n")
}

#[track_caller]
fn rules(kind: &str, rules: &str) -> Rules {
    clean(&document(kind, rules, "")).guardrails.remove(0).rules
}

fn guardrail(more: &str) -> Guardrail {
    clean(&document("timeout", "{timeout_seconds: 1}", more)).guardrails.remove(0)
}

const fn seconds(n: u64) -> Span {
    Span::from_nanos(n * 1_000_000_000)
}

#[test]
fn what_all_types_have() {
    let plain = guardrail("");
    assert_eq!((plain.state, plain.priority, plain.enforcement), (State::Enabled, 50, Enforcement::Enforce));
    assert_eq!((plain.refusal, plain.max_keys, plain.idle), (Refusal::Throttle, 1_000_000, seconds(86_400)));
    assert_eq!(plain.targeting.phases, Phases::Dispatch);
    let full = guardrail(concat!(
        "targeting: {stageHandlerNames: ['kyc-*'], phases: any}\n    state: enabled\n    priority: 7\n",
        "    scopeOfState: local\n    enforcement: shadow\n    refusal: drop\n    maxKeys: 10\n",
        "    on_max_keys: evict_lru\n    idle_seconds: 0.5\n    description: For tests\n    tags: [a]",
    ));
    assert_eq!((full.priority, full.enforcement, full.refusal), (7, Enforcement::Shadow, Refusal::Drop));
    assert_eq!((full.max_keys, full.on_max_keys), (10, OnMaxKeys::EvictLru));
    assert_eq!((full.idle, &*full.description), (Span::from_nanos(500_000_000), "For tests"));
    assert_eq!(full.targeting.phases, Phases::Any);
}

#[test]
fn rate_limits() {
    let Rules::RateLimit(plain) = rules("rate_limit", "{limit: 0, window_seconds: 60}") else { panic!() };
    assert_eq!(
        (plain.limit, plain.window, plain.algorithm),
        (0, Some(seconds(60)), Algorithm::SlidingWindow)
    );
    assert_eq!((plain.key_by, plain.cost), (vec![KeyDimension::Global], None));
    let full = "{limit: 5, windowSeconds: 0.1, keyBy: [application, context.a.b], algorithm: token_bucket, cost: estimate.tokens, retry_after_spread: 0.5}";
    let Rules::RateLimit(full) = rules("rate_limit", full) else { panic!() };
    assert_eq!(full.algorithm, Algorithm::TokenBucket { burst: 5 });
    assert_eq!(full.cost, Some(Path::Either(Field::EstimateTokens)));
    let path = KeyDimension::Context(vec!["a".into(), "b".into()]);
    assert_eq!(full.key_by, [KeyDimension::Field(Field::App), path]);
    let Rules::RateLimit(flush) = rules("rate_limit", "{limit: 10, key_by: [batch]}") else { panic!() };
    assert_eq!(flush.window, None);
}

#[test]
fn retries_and_timeouts() {
    let Rules::Retry(plain) = rules("retry", "{max_retries: 5, interval_seconds: 30}") else { panic!() };
    assert_eq!((plain.backoff_multiplier, plain.max_interval), (2.0, seconds(300)));
    assert_eq!((plain.jitter, plain.jitter_ratio, plain.retry_budget), (Jitter::None, 0.2, None));
    assert_eq!(plain.retry_on, [ErrorKind::Transient, ErrorKind::RateLimited, ErrorKind::Timeout]);
    assert_eq!(plain.max_server_delay, seconds(600));
    let full =
        "{maxRetries: 1, intervalSeconds: 1, jitter: ratio, retry_on: timeout, retryBudget: {ratio: 0.5}}";
    let Rules::Retry(full) = rules("retry", full) else { panic!() };
    let budget = full.retry_budget.unwrap();
    assert_eq!((budget.ratio, budget.min_per_second, budget.window), (0.5, 10.0, seconds(10)));
    assert_eq!((full.jitter, full.retry_on), (Jitter::Ratio, vec![ErrorKind::Timeout]));
    let Rules::Timeout(timeout) = rules("timeout", "{timeoutSeconds: 120}") else { panic!() };
    assert_eq!(timeout.timeout, seconds(120));
}

#[test]
fn breakers() {
    let plain = rules("circuit_breaker", "{failure_threshold: 5, cooldown_seconds: 60}");
    let Rules::CircuitBreaker(plain) = plain else { panic!() };
    assert_eq!((plain.failure_threshold, plain.failure_rate), (Some(5), None));
    assert_eq!((plain.window, plain.cooldown), (seconds(0), Cooldown::For(seconds(60))));
    assert_eq!((plain.minimum_calls, plain.half_open_probes, plain.lease), (10, 1, seconds(60)));
    let key = [Field::Handler, Field::Tool, Field::Provider].map(KeyDimension::Field);
    assert_eq!((plain.key_by.as_slice(), plain.cooldown_multiplier), (&key[..], 1.0));
    let full = "{failure_rate: 0.1, window_seconds: 1, cooldown_seconds: never, slow_call_seconds: 2, max_cooldown_seconds: 9}";
    let Rules::CircuitBreaker(full) = rules("circuit_breaker", full) else { panic!() };
    assert_eq!((full.failure_rate, full.cooldown), (Some(0.1), Cooldown::Never));
    assert_eq!((full.slow_call, full.max_cooldown), (Some(seconds(2)), Some(seconds(9))));
}

#[test]
fn budgets_concurrency_and_samples() {
    let full = "{maxCost: 0.3, max_tool_calls: 0, windowSeconds: 3600, default_estimate: {cost: 0.1, duration_seconds: 2}, on_expiry: release}";
    let Rules::Budget(budget) = rules("budget", full) else { panic!() };
    assert_eq!((budget.limits.max_cost, budget.limits.max_tool_calls), (Money::from_units(0.3), Some(0)));
    assert_eq!(
        (budget.window, budget.lease, budget.on_expiry),
        (seconds(3600), seconds(600), OnExpiry::Release)
    );
    assert_eq!(budget.default_estimate.duration, Some(seconds(2)));
    assert_eq!(budget.key_by, [KeyDimension::Field(Field::Run)]);
    let Rules::Concurrency(cap) = rules("concurrency", "{max_in_flight: 0, key_by: tool}") else { panic!() };
    assert_eq!((cap.max_in_flight, cap.lease), (0, seconds(60)));
    let sample = clean(&document("sampling", "{rate: 0.1}", "")).guardrails.remove(0);
    assert_eq!(sample.refusal, Refusal::Drop);
    let Rules::Sampling(rules) = sample.rules else { panic!() };
    assert_eq!((rules.rate, rules.key_by), (0.1, vec![KeyDimension::Request]));
}

#[test]
fn rules_that_make_no_sense_say_why() {
    const LIMIT: &str = "rate_limit";
    const BREAKER: &str = "circuit_breaker";
    for (kind, rules, start, also) in [
        (LIMIT, "{limit: 5}", "missing-field 6:12 `rules` of a rate_limit needs `window_seconds`", "add"),
        (LIMIT, "{window_seconds: 5}", "missing-field 6:12 `rules` of a rate_limit needs `limit`", "add"),
        (LIMIT, "{limit: -1, window_seconds: 5}", "bad-value 6:20 `limit` is -1", "from 0"),
        (
            LIMIT,
            "{limit: 1e13, window_seconds: 5}",
            "bad-value 6:20 `limit` is 10000000000000",
            "to 1000000000000",
        ),
        (LIMIT, "{limit: 1.5, window_seconds: 5}", "bad-value 6:20 `limit` is 1.5", "whole"),
        (LIMIT, "{limit: 5, window_seconds: 0}", "bad-value 6:39 `window_seconds` is 0", "above 0"),
        (
            LIMIT,
            "{limit: 5, window_seconds: 2e9}",
            "bad-value 6:39 `window_seconds` is 2000000000",
            "at most 1000000000",
        ),
        (LIMIT, "{limit: 5, window_seconds: -5}", "bad-value 6:39 `window_seconds` is -5", "above 0"),
        (
            LIMIT,
            "{limit: 1, window_seconds: 2592000, algorithm: token_bucket, burst: 10000}",
            "bad-value 6:73 `burst` takes more than 31 years to come back",
            "a smaller burst",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, burst: 3}",
            "bad-value 6:42 `burst` belongs to algorithm `token_bucket`",
            "remove it",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, algorithm: token_bucket, burst: 0}",
            "bad-value 6:74 `burst` is 0",
            "from 1",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, algorithm: leaky}",
            "bad-value 6:53 `algorithm` cannot be `leaky`",
            "`token_bucket`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, retry_after_spread: 2}",
            "bad-value 6:62 `retry_after_spread` is 2",
            "0 to 1",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, cost: data.x}",
            "bad-value 6:48 `cost` reads nothing of the request",
            "estimate.tokens",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, cost: request.costs}",
            "unknown-field 6:48 `costs` is no field of `request`",
            "`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: tenants}",
            "unknown-reference 6:50 `tenants` is no dimension",
            "write `tenant`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: context}",
            "unknown-reference 6:50 `context` is no dimension",
            "`context.` and the path",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: subject.tenant}",
            "unknown-reference 6:50 `subject.tenant` is no dimension",
            "write `tenant`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: stage_name}",
            "unknown-reference 6:50 `stage_name` is no dimension",
            "write `stage`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: [color]}",
            "unknown-reference 6:51 `color` is no dimension",
            "`context.color`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: []}",
            "bad-value 6:50 `key_by` is an empty list",
            "`global`",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: [tool, tool]}",
            "bad-value 6:57 an element of `key_by` stands twice",
            "keep one",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: [global, tool]}",
            "bad-value 6:50 `key_by` counts everything",
            "alone",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, key_by: [context.]}",
            "bad-value 6:51 the path `` has an empty part",
            "one dot",
        ),
        (
            LIMIT,
            "{limit: 5, window_seconds: 1, max_retries: 1}",
            "unknown-field 6:42 `max_retries` is no field of `rules` of a rate_limit",
            "it has",
        ),
        (
            "retry",
            "{max_retries: 5}",
            "missing-field 6:12 `rules` of a retry needs `interval_seconds`",
            "add",
        ),
        (
            "retry",
            "{max_retries: 1001, interval_seconds: 1}",
            "bad-value 6:26 `max_retries` is 1001",
            "to 1000",
        ),
        (
            "retry",
            "{max_retries: 1, interval_seconds: 1, backoff_multiplier: 0.5}",
            "bad-value 6:70 `backoff_multiplier` is 0.5",
            "from 1",
        ),
        (
            "retry",
            "{max_retries: 1, interval_seconds: 9, max_interval_seconds: 1}",
            "bad-value 6:72 `max_interval_seconds` is below",
            "at least",
        ),
        (
            "retry",
            "{max_retries: 1, interval_seconds: 9, retry_on: [permanent]}",
            "bad-value 6:61 an element of `retry_on` cannot be `permanent`",
            "never tried again",
        ),
        (
            "retry",
            "{max_retries: 1, interval_seconds: 9, retry_on: []}",
            "bad-value 6:60 `retry_on` is an empty list",
            "leave it out",
        ),
        (
            "retry",
            "{max_retries: 1, interval_seconds: 9, retry_budget: {ratio: -1}}",
            "bad-value 6:72 `ratio` is -1",
            "from 0",
        ),
        ("timeout", "{timeout_seconds: 0}", "bad-value 6:30 `timeout_seconds` is 0", "above 0"),
        ("timeout", "{timeout_seconds: 1s}", "wrong-type 6:30 `timeout_seconds` is text", "a number"),
        ("timeout", "{}", "missing-field 6:12 `rules` of a timeout needs `timeout_seconds`", "add"),
        (
            BREAKER,
            "{cooldown_seconds: 1}",
            "missing-field 6:12 nothing opens the breaker",
            "`failure_threshold` or `failure_rate`",
        ),
        (
            BREAKER,
            "{failure_threshold: 5}",
            "missing-field 6:12 `rules` of a circuit_breaker needs `cooldown_seconds`",
            "add",
        ),
        (
            BREAKER,
            "{failure_threshold: 0, cooldown_seconds: 1}",
            "bad-value 6:32 `failure_threshold` is 0",
            "from 1",
        ),
        (BREAKER, "{failure_rate: 0, cooldown_seconds: 1}", "bad-value 6:27 `failure_rate` is 0", "above 0"),
        (
            BREAKER,
            "{failure_rate: 1.1, cooldown_seconds: 1}",
            "bad-value 6:27 `failure_rate` is 1.1",
            "at most 1",
        ),
        (
            BREAKER,
            "{failure_rate: 1, cooldown_seconds: ever}",
            "wrong-type 6:48 `cooldown_seconds` is text",
            "`never`",
        ),
        (
            BREAKER,
            "{failure_rate: 1, cooldown_seconds: 0}",
            "bad-value 6:48 `cooldown_seconds` is 0",
            "above 0",
        ),
        (
            BREAKER,
            "{failure_rate: 1, cooldown_seconds: 9, max_cooldown_seconds: 1}",
            "bad-value 6:73 `max_cooldown_seconds` is below",
            "at least",
        ),
        (
            BREAKER,
            "{failure_rate: 1, cooldown_seconds: 9, half_open_probes: 0}",
            "bad-value 6:69 `half_open_probes` is 0",
            "from 1",
        ),
        ("budget", "{window_seconds: 1}", "missing-field 6:12 the budget limits nothing", "`max_cost`"),
        (
            "budget",
            "{max_cost: 1, default_estimate: {duration: 1}}",
            "unknown-field 6:45 `duration` is no field",
            "write `duration_seconds`",
        ),
        (
            "budget",
            "{max_cost: .5, on_expiry: keep}",
            "bad-value 6:38 `on_expiry` cannot be `keep`",
            "`charge`",
        ),
        ("concurrency", "{}", "missing-field 6:12 `rules` of a concurrency needs `max_in_flight`", "add"),
        (
            "concurrency",
            "{max_in_flight: 1, lease_seconds: 0}",
            "bad-value 6:46 `lease_seconds` is 0",
            "above 0",
        ),
        ("sampling", "{rate: 1.01}", "bad-value 6:19 `rate` is 1.01", "from 0 to 1"),
        ("sampling", "{rate: '10%'}", "wrong-type 6:19 `rate` is text", "a number"),
        ("ratelimit", "{}", "bad-value 5:11 `type` cannot be `ratelimit`", "write `rate_limit`"),
    ] {
        only_finding(&document(kind, rules, ""), start, also);
    }
}

#[test]
fn fields_of_all_types_that_make_no_sense_say_why() {
    for (more, start, also) in [
        ("scope_of_state: fleet", "bad-value 7:21 `scope_of_state` cannot be `fleet` yet", "write `local`"),
        ("max_keys: 0", "bad-value 7:15 `max_keys` is 0", "from 1"),
        ("max_keys: 10000001", "bad-value 7:15 `max_keys` is 10000001", "to 10000000"),
        ("idle_seconds: 0", "bad-value 7:19 `idle_seconds` is 0", "above 0"),
        ("state: on", "bad-value 7:12 `state` cannot be `on`", "`enabled`"),
        ("state: disabled", "disabled 7:5 the guardrail is disabled", "delete it"),
        ("state: paused", "disabled 7:5 the guardrail is paused", "write `enabled`"),
        ("state: draft", "disabled 7:5 the guardrail is a draft", "write `enabled`"),
        ("priority: -1", "priority-range 7:15 `priority` is -1", "between 0 and 1000"),
        ("refusal: deny", "bad-value 7:14 `refusal` cannot be `deny`", "`raise`"),
        ("target: {}", "unknown-field 7:5 `target` is no field of a guardrail", "write `targeting`"),
    ] {
        only_finding(&document("timeout", "{timeout_seconds: 1}", more), start, also);
    }
    let throttled = document("sampling", "{rate: 0.5}", "refusal: throttle");
    only_finding(&throttled, "bad-value 7:14 `refusal` cannot be `throttle`", "`drop` or `raise`");
    let nameless = document("sampling", "{rate: 0.5}", "").replace("name: g", "name: \"a\\tb\"");
    only_finding(&nameless, "bad-value 4:11 `name` cannot be `a\\tb`", "control characters");
    let twice =
        document("timeout", "{timeout_seconds: 1}", "") + "  - {name: g, type: sampling, rules: {rate: 1}}\n";
    only_finding(&twice, "duplicate-id 8:12 a guardrail `g` stands already at b.yaml:4:11", "another name");
}
