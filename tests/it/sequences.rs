//! Sequences of policy tests through the real binary: they pass, fail with the step and the reason,
//! and go over to other bundles.

use crate::binary::{Serving, run};
use serde_json::{Value, json};
use std::fs;
use tempfile::TempDir;

const BUNDLE: &str = r"format: tollgate/v1
version: 1.0.0
defaults: {effect: allow}
guardrails:
  - name: pay-breaker
    type: circuit_breaker
    rules: {failure_threshold: 1, window_seconds: 60, cooldown_seconds: 5}
    targeting: {actions: [pay]}
    state: enabled
  - name: run-budget
    type: budget
    rules: {max_cost: 5, max_tool_calls: 10, key_by: [run]}
    targeting: {actions: [spend, pay]}
    state: enabled
  - name: few
    type: rate_limit
    rules: {limit: 1, window_seconds: 9}
    targeting: {actions: [once]}
    state: enabled
  - name: again
    type: retry
    rules: {max_retries: 2, interval_seconds: 3, jitter: none}
    state: enabled
  - name: quick
    type: timeout
    rules: {timeout_seconds: 2}
    targeting: {actions: [once]}
    state: enabled
";

const TESTS: &str = r"cases:
  - name: the breaker opens and lets one probe through
    sequence:
      - {at: 0s, authorize: {action: {name: pay}}, as: a, expect: {effect: ALLOW}}
      - {at: 0s, report: {of: a, status: FAILURE, error_kind: TRANSIENT}, expect: {breaker: {pay-breaker: open}}}
      - {at: 4999ms, authorize: {action: {name: pay}}, expect: {effect: THROTTLE, retry_after: 1ms}}
      - {at: 5s, authorize: {action: {name: pay}}, repeat: 200, parallel: true, expect: {counts: {ALLOW: 1, THROTTLE: 199}}}
      - {at: 6s, budget: {subject: {run: r1}, action: {name: spend}}, expect: {budget: {max_cost: {left: 5}}}}
  - name: a limit over a reload
    sequence:
      - {authorize: {action: {name: once}}, expect: {effect: ALLOW}}
      - {at: 1h, reload: other/two.yaml, expect: {bundle: {version: 2.0.0}}}
      - {authorize: {action: {name: once}}, repeat: 3, expect: {counts: {ALLOW: 2, THROTTLE: 1}}}
      - {reload: {format: tollgate/v1, version: 3.0.0}}
      - {authorize: {action: {name: once}}, expect: {effect: DENY, reason_code: default_deny}}
  - name: one request is asked of fresh guardrails
    request: {action: {name: once}}
    each:
      - {expect: {limits: {few: {left: 0}}, obligations: {timeout: 2s, retry: {guardrail: again}}}}
      - {expect: {effect: ALLOW}}
";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let other = BUNDLE.replace("version: 1.0.0", "version: 2.0.0").replace("limit: 1,", "limit: 2,");
    fs::create_dir(folder.path().join("other")).unwrap();
    for (name, text) in [("b.yaml", BUNDLE), ("b.test.yaml", TESTS), ("other/two.yaml", &other)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn sequences_run_on_a_virtual_clock() {
    let folder = folder();
    let ran = run(folder.path(), &["test", "b.test.yaml", "--verbose"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("4 passed, 0 failed"), "{}", ran.stdout);
}

#[test]
fn a_failing_step_is_shown_with_its_time_and_its_reason() {
    let folder = folder();
    let tests = TESTS.replace("retry_after: 1ms", "retry_after: 2ms");
    fs::write(folder.path().join("b.test.yaml"), tests).unwrap();
    let ran = run(folder.path(), &["test", "b.test.yaml", "--junit", "out.xml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for want in [
        "failed the breaker opens and lets one probe through  b.test.yaml:2",
        "step 3, `authorize` at 4.999s  b.test.yaml:6",
        "retry_after  expected 0.002s, got 0.001s",
        "`pay-breaker` refuses: breaker_open, retry after 0.001s",
    ] {
        assert!(ran.stdout.contains(want), "{want}: {}", ran.stdout);
    }
    let junit = fs::read_to_string(folder.path().join("out.xml")).unwrap();
    assert!(junit.contains("step 3, `authorize` at 4.999s: retry_after: expected 0.002s"), "{junit}");
    let ran = run(folder.path(), &["test", "b.test.yaml", "-o", "json"]).json();
    let failure = &ran["files"][0]["cases"][0]["failure"];
    assert_eq!(failure["step"], json!({"number": 3, "operation": "authorize", "at": "4.999s", "line": 6}));
    assert_eq!(failure["answer"]["effect"], "THROTTLE");
}

#[test]
fn a_bundle_to_go_over_to_must_be_good() {
    let folder = folder();
    for (reload, want) in [
        ("absent.yaml", "the bundle cannot be read"),
        ("{format: tollgate/v1, version: one}", "b.test.yaml (reload 2)"),
    ] {
        let tests = TESTS.replace("{format: tollgate/v1, version: 3.0.0}", reload);
        fs::write(folder.path().join("b.test.yaml"), tests).unwrap();
        let ran = run(folder.path(), &["test", "b.test.yaml"]);
        assert_eq!((ran.code, ran.stdout.contains(want)), (1, true), "{want}: {ran:?}");
    }
}

#[test]
fn a_server_and_eval_answer_alike_about_guardrails() {
    let folder = folder();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let address = serving.grpc.to_string();
    for request in [
        &["--action", "once", "--request-id", "r7"][..],
        &["--action", "spend", "--run", "r", "--estimate-cost", "2"],
        &["--action", "spend", "--run", "r2", "--estimate-cost", "6"],
        &["--action", "pay", "--time-left", "1s"],
    ] {
        let ask = |command: &[&str]| run(folder.path(), &[command, &["-o", "json"], request].concat());
        let explained = ask(&["explain", "--address", &address]).json();
        let told = ask(&["eval", "b.yaml", "--explain"]).json();
        assert_eq!(explained["guardrails"], told["guardrails"], "{request:?}");
        let served = ask(&["authorize", "--address", &address]);
        let evaluated = ask(&["eval", "b.yaml"]);
        assert_eq!(served.code, evaluated.code, "{request:?}: {evaluated:?}");
        assert!(evaluated.stderr.contains("the counts of guardrails start empty here"), "{evaluated:?}");
        assert_eq!(comparable(&served.json()), comparable(&evaluated.json()), "{request:?}");
    }
}

/// Without what only a server can know, and without what depends on when it was asked.
fn comparable(answer: &Value) -> Value {
    let mut answer = answer.clone();
    let all = answer.as_object_mut().unwrap();
    all.retain(|name, _| !["decision_id", "decided_at"].contains(&name.as_str()));
    answer
}
