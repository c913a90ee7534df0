//! Sequences against a small bundle: each step as it should be, and each kind of failure.

use crate::compile::{self, Compiled};
use crate::read::{Bounds, SourceFile, bundle};
use crate::simulate::{Coverage, Failure, InTurn, On, Verdict, read, run};

const BUNDLE: &str = r"
format: tollgate/v1
version: 1.0.0
defaults: {effect: allow}
rules:
  - {id: no-refunds, action: refund, effect: deny, disposition: drop, reason: No refunds at all}
  - {id: enough, action: call, when: 'usage.tool_calls >= 2', effect: deny, reason: Two calls are enough}
guardrails:
  - name: pay-breaker
    type: circuit_breaker
    rules: {failure_threshold: 1, window_seconds: 60, cooldown_seconds: 5, key_by: [tool]}
    targeting: {actions: [pay]}
    state: enabled
  - name: quick-limit
    type: rate_limit
    rules: {limit: 3, window_seconds: 10, key_by: [user]}
    targeting: {actions: [quick]}
    state: enabled
  - name: few-slots
    type: concurrency
    rules: {max_in_flight: 1, lease_seconds: 30}
    targeting: {actions: [slow]}
    state: enabled
  - name: run-budget
    type: budget
    rules: {max_cost: 5, key_by: [run], lease_seconds: 60}
    targeting: {actions: [spend]}
    state: enabled
  - name: pay-retry
    type: retry
    rules: {max_retries: 2, interval_seconds: 1, jitter: full}
    targeting: {actions: [again]}
    state: enabled
  - name: per-flush
    type: rate_limit
    rules: {limit: 2, key_by: [batch]}
    targeting: {actions: [flush]}
    state: enabled
  - name: weighed
    type: rate_limit
    rules: {limit: 10, window_seconds: 10, cost: context.weight}
    targeting: {actions: [weigh]}
    state: enabled
  - name: two-keys
    type: circuit_breaker
    rules: {failure_threshold: 1, cooldown_seconds: 5, key_by: [tenant, tool]}
    targeting: {actions: [other]}
    state: enabled
  - {name: 'off', type: rate_limit, rules: {limit: 1, window_seconds: 1}, state: disabled}
  - name: share
    type: sampling
    rules: {rate: 0.5}
    targeting: {actions: [sample]}
    state: enabled
";

const OTHER: &str = r"
format: tollgate/v1
version: 2.0.0
defaults: {effect: allow}
guardrails:
  - name: quick-limit
    type: rate_limit
    rules: {limit: 5, window_seconds: 10, key_by: [user]}
    targeting: {actions: [quick]}
    state: enabled
";

fn compiled(text: &str) -> Compiled {
    let reading = bundle(&[SourceFile { name: "b.yaml", bytes: text.as_bytes() }], &Bounds::default());
    compile::bundle(reading.bundle.unwrap_or_else(|| panic!("{:?}", reading.findings))).unwrap()
}

/// What came of a sequence of these steps: nothing, or the failure.
fn play(steps: &str) -> Option<Failure> {
    let text = format!("cases:\n  - name: s\n    sequence:\n{steps}");
    let reading = read(&SourceFile { name: "b.test.yaml", bytes: text.as_bytes() }, &Bounds::default());
    let suite = reading.suite.unwrap_or_else(|| panic!("{:#?}", reading.findings));
    let (one, other) = (compiled(BUNDLE), compiled(OTHER));
    let on = On { bundle: &one, reloads: &[&other], crew: &InTurn };
    let mut result = run(&suite, on, &mut Coverage::default());
    match result.cases.remove(0).verdict {
        Verdict::Passed => None,
        Verdict::Failed(failure) => Some(failure),
    }
}

fn passes(steps: &str) {
    if let Some(failure) = play(steps) {
        panic!("{failure:#?}");
    }
}

#[test]
fn a_breaker_opens_lets_probes_through_and_closes() {
    passes(
        "
      - {at: 0s, authorize: {action: {name: pay}}, as: a, expect: {effect: ALLOW, report_within: null}}
      - {at: 0s, report: {of: a, status: FAILURE, error_kind: PERMANENT}, expect: {result: APPLIED, breaker: {pay-breaker: closed}}}
      - {at: 0s, authorize: {action: {name: pay}}, as: b, expect: {effect: ALLOW}}
      - {at: 0s, report: {of: b, status: FAILURE}, expect: {breaker: {pay-breaker: open}}}
      - {at: 4999ms, authorize: {action: {name: pay}}, expect: {effect: THROTTLE, guardrail: pay-breaker, retry_after: 1ms}}
      - {at: 5s, authorize: {action: {name: pay}}, repeat: 3, as: c, expect: {counts: {ALLOW: 1, THROTTLE: 2, DENY: 0}}}
      - {authorize: {action: {name: pay, tool: other}}, expect: {effect: ALLOW, breaker: {pay-breaker: {'': half_open, other: closed}}}}
      - {at: 6s, report: {of: 'c#1', status: SUCCESS}, expect: {result: APPLIED, breaker: {pay-breaker: closed}}}
",
    );
}

#[test]
fn a_limit_holds_to_the_millisecond_and_for_parallel_callers() {
    passes(
        "
      - authorize: {action: {name: quick}, subject: {user: u}}
        repeat: 20
        parallel: true
        as: q
        expect: {counts: {ALLOW: 3, THROTTLE: 17}}
      - {at: 1s, report: {of: q, status: SUCCESS}, expect: {counts: {APPLIED: 3, UNKNOWN: 17}}}
      - at: 9999ms
        authorize: {action: {name: quick}, subject: {user: u}}
        expect: {effect: THROTTLE, retry_after: 1ms, limits: {quick-limit: {left: 0, used: 3, measure: UNITS}}, refusals: {quick-limit: {reason_code: rate_limited}}}
      - {at: 10s, authorize: {action: {name: quick}, subject: {user: u}}, expect: {effect: [ALLOW, DENY], limits: {quick-limit: {left: {min: 1, max: 2}}}, refusals: null}}
",
    );
}

#[test]
fn leases_end_are_renewed_and_are_given_back() {
    passes(
        "
      - {authorize: {action: {name: slow}}, as: a, expect: {effect: ALLOW, report_within: 30s}}
      - {at: 29s, report: {of: a, status: IN_PROGRESS}, expect: {result: RENEWED, report_within: 30s}}
      - {at: 58s, authorize: {action: {name: slow}}, expect: {effect: THROTTLE, reason_code: concurrency_full, limits: {few-slots: {used: 1}}}}
      - {at: 59s, authorize: {action: {name: slow}}, as: b, expect: {effect: ALLOW}}
      - {at: 60s, report: {of: a, status: IN_PROGRESS}, expect: {result: UNKNOWN}}
      - {at: 60s, report: {of: b, status: CANCELLED}, expect: {result: APPLIED}}
      - {at: 60s, authorize: {action: {name: slow}}, expect: {effect: ALLOW}}
      - {at: 60s, report: {of: b, status: SUCCESS}, repeat: 2, expect: {result: DUPLICATE}}
      - {report: {of: null, status: SUCCESS}, expect: {result: UNKNOWN}}
",
    );
}

#[test]
fn a_budget_is_reserved_settled_and_corrected() {
    passes(
        "
      - {authorize: {action: {name: spend}, subject: {run: r}, estimate: {cost: 1}}, as: a, expect: {effect: ALLOW, budget: {max_cost: {left: 4, reserved: 1}}}}
      - {at: 1s, report: {of: a, status: SUCCESS, cost: 0.5}, expect: {result: APPLIED}}
      - {budget: {subject: {run: r}, action: {name: spend}}, expect: {budget: {max_cost: {left: 4.5, guardrail: run-budget}}, limits: {run-budget: {used: 0.5, window: null}}}}
      - {authorize: {action: {name: spend}, subject: {run: r}, estimate: {cost: 6}}, expect: {effect: DENY, reason_code: limit_unreachable}}
      - {authorize: {action: {name: refund}}, as: no, expect: {effect: DENY, disposition: DROP, limits: null}}
      - {report: {of: no, status: SUCCESS}, expect: {result: UNKNOWN}}
",
    );
}

#[test]
fn a_batch_is_a_flush_of_its_own() {
    passes(
        "
      - authorize_batch: [{action: {name: flush}}, {action: {name: flush}}, {action: {name: flush}}, {action: {}}]
        repeat: 2
        as: b
        expect:
          responses: [{effect: ALLOW}, {effect: ALLOW}, {effect: THROTTLE, retry_after: 0s}, {reason_code: invalid_request}]
          counts: {ALLOW: 4, THROTTLE: 2, DENY: 2}
      - {report: {of: 'b#2', status: SUCCESS}, expect: {counts: {APPLIED: 2, UNKNOWN: 2}}}
      - {report: {of: 'b#1#4', status: SUCCESS}, expect: {result: UNKNOWN}}
      - authorize_batch: {requests: [{action: {name: flush}}, {action: {name: refund}}], all_or_nothing: true}
        expect: {responses: [{reason_code: batch_refused, disposition: RAISE}, {reason_code: rule, disposition: DROP}]}
",
    );
}

#[test]
fn operators_and_other_bundles() {
    passes(
        "
      - {operator: {guardrail: pay-breaker, set: force_open, key: [stripe]}, expect: {breaker: {pay-breaker: {stripe: forced_open, other: closed}}}}
      - {authorize: {action: {name: pay, tool: stripe}}, expect: {effect: DENY, reason_code: forced_open}}
      - {operator: {guardrail: pay-breaker, set: disable}, expect: {breaker: {pay-breaker: disabled}}}
      - {operator: {guardrail: pay-breaker, set: force_open, key: [stripe]}, expect: {error: FAILED_PRECONDITION}}
      - {operator: {guardrail: pay-breaker, set: close, key: [a, b]}, expect: {error: INVALID_ARGUMENT}}
      - {operator: {guardrail: quick-limit, set: close}, expect: {error: FAILED_PRECONDITION}}
      - {operator: {guardrail: few-slots, set: reset, key: x}, expect: {error: INVALID_ARGUMENT}}
      - {operator: {guardrail: 'off', set: reset}, expect: {error: FAILED_PRECONDITION}}
      - {operator: {guardrail: two-keys, set: force_open, key: 'acme,a/b'}, expect: {breaker: {two-keys: {'acme,a/b': forced_open, '[\"acme\", \"b\"]': closed}}}}
      - {operator: {guardrail: nope, set: reset}, expect: {error: NOT_FOUND}}
      - {authorize: {action: {name: quick}}, repeat: 3, expect: {effect: ALLOW}}
      - {reload: other.yaml, expect: {bundle: {version: 2.0.0}}}
      - {authorize: {action: {name: quick}}, repeat: 3, expect: {counts: {ALLOW: 2, THROTTLE: 1}, bundle: {version: 2.0.0}}}
      - {operator: {guardrail: quick-limit, set: reset}}
      - {authorize: {action: {name: quick}}, expect: {limits: {quick-limit: {left: 4}}}}
",
    );
}

#[test]
fn retries_costs_and_usage() {
    passes(
        "
      - {retry: {action: {name: again}, attempt: 1, error: {kind: TRANSIENT}}, expect: {decision: RETRY_AFTER, delay: {max: 2s}, guardrail: pay-retry, reason_code: retry_backoff}}
      - {retry: {action: {name: again}, attempt: 2, error: {kind: TRANSIENT}}, expect: {decision: FAIL, delay: null, reason_code: retry_attempts_exhausted}}
      - {retry: {action: {name: again}, error: {kind: RATE_LIMITED, retry_after: -1s}}, expect: {reason_code: retry_server_refused}}
      - {retry: {action: {name: again}, error: {kind: PERMANENT}}, repeat: 2, expect: {counts: {FAIL: 2}}}
      - {retry: {action: {}, error: {kind: TIMEOUT}}, expect: {error: INVALID_ARGUMENT}}
      - {authorize: {action: {name: again}}, expect: {obligations: {retry: {max_retries: 2, retry_on: TIMEOUT}}}}
      - {authorize: {action: {name: weigh}, context: {weight: 0.5}}, expect: {error: INVALID_ARGUMENT}}
      - {authorize: {action: {name: weigh}, context: {weight: 7}}, expect: {limits: {weighed: {left: 3}}}}
      - {authorize: {action: {name: call}, subject: {run: r}}, repeat: 3, expect: {counts: {ALLOW: 2, DENY: 1}}}
",
    );
}

#[test]
fn draws_are_those_of_the_seed() {
    let sampled = |seed: u64, parallel: bool| {
        let text = format!(
            "seed: {seed}\ncases: [{{name: s, sequence: [{{authorize: {{action: {{name: sample}}}}, repeat: 64, parallel: {parallel}, expect: {{counts: {{ALLOW: 0}}}}}}]}}]"
        );
        let reading = read(&SourceFile { name: "b.test.yaml", bytes: text.as_bytes() }, &Bounds::default());
        let one = compiled(BUNDLE);
        let on = On { bundle: &one, reloads: &[], crew: &InTurn };
        let result = run(&reading.suite.unwrap(), on, &mut Coverage::default());
        let Verdict::Failed(failure) = &result.cases[0].verdict else { panic!("some are kept") };
        failure.mismatches[0].got.parse::<u32>().unwrap()
    };
    for parallel in [false, true] {
        let kept: Vec<u32> = (0..8).map(|seed| sampled(seed, parallel)).collect();
        assert_eq!(kept, (0..8).map(|seed| sampled(seed, parallel)).collect::<Vec<_>>());
        assert!(kept.iter().all(|kept| (16..=48).contains(kept)), "{kept:?}");
        assert!(kept.iter().any(|other| *other != kept[0]), "{kept:?}");
    }
}

#[test]
fn a_failure_names_its_step_what_was_expected_and_why() {
    for (steps, number, at, operation, mismatch, why) in [
        (
            "      - {authorize: {action: {name: quick}}, repeat: 3}\n      - {at: 1.5s, authorize: {action: {name: quick}}, expect: {effect: ALLOW}}\n      - {at: 9s, authorize: {action: {name: quick}}, expect: {effect: DENY}}",
            2,
            "1.5s",
            "authorize",
            "effect: expected ALLOW, got THROTTLE",
            "`quick-limit` refuses: rate_limited, retry after 8.5s",
        ),
        (
            "      - {authorize: {action: {name: quick}}, repeat: 4, expect: {effect: ALLOW}}",
            1,
            "0s",
            "authorize",
            "#4.effect: expected ALLOW, got THROTTLE",
            "`quick-limit`: 3 of 3 units used",
        ),
        (
            "      - {authorize_batch: [{action: {name: flush}}], expect: {responses: [{effect: DENY}]}}",
            1,
            "0s",
            "authorize_batch",
            "responses#1.effect: expected DENY, got ALLOW",
            "",
        ),
        (
            "      - {authorize_batch: [{action: {name: flush}}], expect: {responses: []}}",
            1,
            "0s",
            "authorize_batch",
            "responses: expected a list of 0, got a list of 1",
            "",
        ),
        (
            "      - {authorize: {action: {name: pay}}, expect: {breaker: {two-keys: {acme: closed}}}}",
            1,
            "0s",
            "authorize",
            "breaker.two-keys.acme: expected closed, got no such key: write a value for each of `tenant`, `tool`",
            "",
        ),
        (
            "      - {operator: {guardrail: nope, set: reset}}",
            1,
            "0s",
            "operator",
            "error: expected nothing, got NOT_FOUND",
            "there is no guardrail `nope`",
        ),
        (
            "      - {authorize: {action: {name: ''}}}",
            1,
            "0s",
            "authorize",
            "error: expected nothing, got INVALID_ARGUMENT",
            "`action` needs `name`",
        ),
        (
            "      - {authorize: {action: {name: pay}}, expect: {limits: {quick-limt: null}}}",
            1,
            "0s",
            "authorize",
            "limits.quick-limt: expected a guardrail of the bundle, got no such name; write `quick-limit`",
            "",
        ),
        (
            "      - {authorize: {action: {name: pay}}, expect: {breaker: {quick-limit: closed}}}",
            1,
            "0s",
            "authorize",
            "breaker.quick-limit: expected a circuit breaker of the bundle, got no such name; it has `pay-breaker`, `two-keys`",
            "",
        ),
    ] {
        let failure = play(steps).unwrap_or_else(|| panic!("{steps} passes"));
        let step = failure.step.as_ref().unwrap();
        assert_eq!((step.number, &*step.at, step.operation), (number, at, operation), "{steps}");
        let first = &failure.mismatches[0];
        let told = format!("{}: expected {}, got {}", first.path, first.expected, first.got);
        assert_eq!(told, mismatch);
        assert!(failure.why.join("\n").contains(why), "{:?}", failure.why);
    }
}

const STEPS: &str = "cases:
  - name: s
    now: 2026-11-21T10:00:00Z
    sequence:
      - {at: 0s, authorize: {action: {name: pay, tool: t}, estimate: {cost: 1}}, as: a, repeat: 3, expect: {effect: ALLOW}}
      - {at: 1.5s, report: {of: 'a#2', status: FAILURE, cost: 2, duration: 1s}, expect: {breaker: {pay-breaker: {t: open}}}}
      - {at: 2s, authorize_batch: {requests: [{action: {name: flush}}, {action: {name: spend}}], all_or_nothing: true}, as: b, expect: {counts: {ALLOW: 2}}}
      - {retry: {action: {name: again}, attempt: 1, error: {kind: RATE_LIMITED, retry_after: 2s}}, expect: {delay: {min: 0s, max: 9s}}}
      - {reload: other.yaml}
      - {operator: {guardrail: quick-limit, set: reset, key: ['']}}
";

proptest::proptest! {
    #[test]
    fn no_change_of_a_file_makes_it_panic(from in 0..STEPS.len(), cut in 0..12_usize, put in "[a-z0-9:{}\\[\\], #'.-]{0,5}") {
        let mut text = String::from(STEPS);
        let until = (from + cut).min(text.len());
        text.replace_range(from..until, &put);
        let reading = read(&SourceFile { name: "b.test.yaml", bytes: text.as_bytes() }, &Bounds::default());
        proptest::prop_assert!(reading.suite.is_some() != reading.findings.iter().any(|f| f.is_format_error()));
        if let Some(suite) = reading.suite {
            let (one, other) = (compiled(BUNDLE), compiled(OTHER));
            let reloads = [&other];
            let on = On { bundle: &one, reloads: &reloads, crew: &InTurn };
            let result = run(&suite, on, &mut Coverage::default());
            proptest::prop_assert_eq!(result.cases.len(), suite.cases.len());
        }
    }
}
