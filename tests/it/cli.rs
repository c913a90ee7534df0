//! The command line as scripts and people meet it: exit codes, stdout and stderr, JSON that parses.

use crate::binary::{Serving, ended, run, tollgate};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub const BUNDLE: &str = r#"format: tollgate/v1
version: 1.2.3
rules:
  - id: quarantine-high
    agent: inbox
    action: quarantine
    conditions: {">=risk": 85}
    effect: allow
    reason: High risk is quarantined
  - id: pay-by-approval
    action: pay
    effect: require_approval
    approval: {approvers: 2, role: treasurer, expires_in_seconds: 60}
    reason: Two treasurers must agree
  - id: short-drafts
    action: quarantine
    effect: modify
    modify: {mode: draft, limits: {max_cost: 0.5}, timeout_seconds: 1.5}
    reason: Keep it short and reversible
"#;

const TESTS: &str = r"cases:
  - name: threshold
    request: {subject: {agent: inbox}, action: {name: quarantine}, context: {risk: $risk}}
    each:
      - {risk: 84, expect: {effect: DENY, rule_id: null, reason_code: [default_deny, rule]}}
      - {risk: 85, expect: {effect: ALLOW, obligations: {mode: draft, timeout: 1500ms, limits: {max_cost: {max: 1}}}}}
      - {risk: '85', expect: {effect: DENY}}
  - name: approval
    request: {action: {name: pay}}
    now: '2026-11-21T00:00:00Z'
    expect: {effect: REQUIRE_APPROVAL, approval: {approvers: 2, expires_at: '2026-11-21T00:01:00Z'}}
  - name: without a name
    request: {action: {}}
    expect: {error: INVALID_ARGUMENT}
";

pub fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn help_lists_every_command_and_wrong_use_is_2() {
    let here = Path::new("/");
    let help = run(here, &["--help"]);
    assert_eq!(help.code, 0);
    for command in
        "serve authorize explain eval approvals approve grant keygen check test guardrails stop status healthcheck config version completions".split(' ')
    {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{command}: {}", help.stdout);
        let help = run(here, &[command, "--help"]);
        assert_eq!(help.code, 0, "{command}");
        let shows = help.stdout.contains("Examples:") || command == "config";
        assert!(shows, "{command}: {}", help.stdout);
    }
    for args in [&["frobnicate"][..], &["eval"], &["check"], &["serve", "--no-such-flag"], &[]] {
        assert_eq!(run(here, args).code, 2, "{args:?}");
    }
    let unnamed = run(here, &["serve"]);
    assert_eq!((unnamed.code, unnamed.stderr.contains("which bundle?")), (2, true), "{unnamed:?}");
}

#[test]
fn version_and_completions() {
    let here = Path::new("/");
    assert_eq!(run(here, &["version", "-o", "json"]).json()["version"], env!("CARGO_PKG_VERSION"));
    for shell in ["bash", "zsh", "fish"] {
        let script = run(here, &["completions", shell]);
        assert!(script.code == 0 && script.stdout.contains("healthcheck"), "{shell}");
    }
}

#[test]
fn eval_decides_without_a_server() {
    let folder = folder(&[
        ("b.yaml", BUNDLE),
        (
            "r.json",
            r#"{"subject": {"agent": "inbox"}, "action": {"name": "quarantine"}, "context": {"risk": 84}}"#,
        ),
    ]);
    let base = ["eval", "b.yaml", "-o", "json", "--now", "2026-11-21T00:00:00Z"];
    let eval = |args: &[&str]| run(folder.path(), &[&base[..], args].concat());
    let allowed = eval(&["--agent", "inbox", "--action", "quarantine", "-x", "risk=85"]);
    assert_eq!(allowed.code, 0, "{allowed:?}");
    let allowed = allowed.json();
    for (path, want) in [
        ("/effect", json!("ALLOW")),
        ("/rule_id", json!("quarantine-high")),
        ("/reason_code", json!("rule")),
        ("/next_action", json!("PROCEED")),
        ("/obligations", json!({"mode": "draft", "timeout": "1.5s", "limits": {"max_cost": 0.5}})),
        ("/bundle/version", json!("1.2.3")),
        ("/bundle/environment", json!("default")),
        ("/decided_at", json!("2026-11-21T00:00:00Z")),
    ] {
        assert_eq!(allowed.pointer(path), Some(&want), "{path}");
    }
    assert_eq!(eval(&["--request", "r.json"]).json()["effect"], "DENY");
    let over = eval(&["--request", "r.json", "-x", "risk=90", "--environment", "staging"]).json();
    assert_eq!((&over["effect"], &over["bundle"]["environment"]), (&json!("ALLOW"), &json!("staging")));
    assert_eq!(eval(&["--action", "pay"]).code, 1);
    let explained = eval(&["--request", "r.json", "--explain"]).json();
    let traces = explained["rules"].as_array().unwrap();
    let trace = traces.iter().find(|trace| trace["rule_id"] == "quarantine-high").unwrap();
    assert_eq!((&trace["outcome"], &trace["actual"]), (&json!("FALSE"), &json!(84)), "{trace}");
    let mut stdin = tollgate(folder.path(), &["eval", "b.yaml", "--request", "-"]);
    let stdin = ended(stdin.write_stdin("action: {name: pay}\n"));
    assert!(stdin.code == 1 && stdin.stdout.starts_with("REQUIRE_APPROVAL  pay-by-approval"), "{stdin:?}");
}

#[test]
fn a_request_that_is_not_valid_is_wrong_use_and_says_where() {
    let folder = folder(&[("b.yaml", BUNDLE), ("r.yaml", "action: {nam: x}\npriorty: 5\n")]);
    for (args, wants) in [
        (
            &["--request", "r.yaml"][..],
            &["r.yaml:1:10", "write `name`", "r.yaml:2:1", "write `priority`"][..],
        ),
        (&["--request", "{\"action\": 5}"], &["`action` is a number"]),
        (&["--action", "x", "--kind", "tol"], &["write `TOOL`"]),
        (&["--action", "x", "--estimate-cost=-1"], &["`cost`"]),
        (&["--agent", "x"], &["needs `action`"]),
    ] {
        let asked = run(folder.path(), &[&["eval", "b.yaml"], args].concat());
        assert_eq!(asked.code, 2, "{args:?}: {asked:?}");
        for want in wants {
            assert!(asked.stderr.contains(want), "{want}: {}", asked.stderr);
        }
    }
    assert_eq!(run(folder.path(), &["eval", "b.yaml", "--request", "absent.json"]).code, 3);
    assert_eq!(run(folder.path(), &["eval", "absent.yaml", "--action", "x"]).code, 3);
    assert_eq!(run(folder.path(), &["eval", "b.yaml", "--action", "x", "--now", "noon"]).code, 2);
}

#[test]
fn a_server_and_eval_answer_alike() {
    let folder = folder(&[("b.yaml", BUNDLE)]);
    let serving = Serving::start(folder.path(), &["b.yaml", "--environment", "production"]);
    let address = serving.grpc.to_string();
    for request in [
        &["--agent", "inbox", "--action", "quarantine", "-x", "risk=85", "--estimate-duration", "2s"][..],
        &["--agent", "inbox", "--action", "quarantine", "-x", "risk=\"85\""],
        &["--action", "pay", "--role", "a", "--tag", "b", "--priority=-1"],
        &["--action", "other", "--phase", "ENQUEUE", "--time-left", "250ms"],
    ] {
        let ask = |command: &[&str]| run(folder.path(), &[command, &["-o", "json"], request].concat());
        let (served, evaluated) = (
            ask(&["authorize", "--address", &address]),
            ask(&["eval", "b.yaml", "--environment", "production"]),
        );
        assert_eq!(served.code, evaluated.code, "{request:?}: {served:?}");
        let (served, evaluated) = (comparable(served.json()), comparable(evaluated.json()));
        assert_eq!(served, evaluated, "{request:?}");
        let explained = ask(&["explain", "--address", &address]).json();
        assert_eq!(comparable(explained["decision"].clone()), evaluated, "{request:?}");
        let told = ask(&["eval", "b.yaml", "--explain"]).json();
        assert_eq!(explained["rules"], told["rules"], "{request:?}");
    }
    let refused = run(folder.path(), &["authorize", "--address", &address, "--action", &"x".repeat(300)]);
    assert_eq!(refused.code, 2, "{refused:?}");
}

/// Without what only a server can know.
fn comparable(mut answer: Value) -> Value {
    let all = answer.as_object_mut().unwrap();
    all.retain(|name, _| !["decision_id", "decided_at"].contains(&name.as_str()));
    if let Some(approval) = all.get_mut("approval").and_then(Value::as_object_mut) {
        approval.retain(|name, _| ["approvers", "role"].contains(&name.as_str()));
    }
    answer
}

#[test]
fn nobody_there_is_3() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for args in [
        &["authorize", "--action", "x", "--address", &closed][..],
        &["explain", "--action", "x", "--address", "unix:/nowhere.sock"],
        &["authorize", "--action", "x", "--address", "no address"],
        &["status", "--address", &closed],
        &["healthcheck", "--address", &closed],
    ] {
        let asked = run(Path::new("/"), args);
        assert_eq!(asked.code, 3, "{args:?}: {asked:?}");
        assert!(asked.stderr.starts_with("error: "), "{asked:?}");
    }
}

#[test]
fn tests_pass_fail_and_say_why() {
    let folder = folder(&[("b.yaml", BUNDLE), ("b.test.yaml", TESTS)]);
    let passed = run(folder.path(), &["test", "."]);
    assert_eq!(passed.code, 0, "{passed:?}");
    assert!(passed.stdout.contains("5 passed, 0 failed"), "{}", passed.stdout);
    assert!(
        passed.stdout.contains("3 of 3 rules decided, 1 of 1 condition seen both ways"),
        "{}",
        passed.stdout
    );
    fs::write(folder.path().join("b.yaml"), BUNDLE.replace("85", "86")).unwrap();
    let failed = run(folder.path(), &["test", "b.test.yaml", "-o", "json", "--junit", "out.xml"]);
    assert_eq!(failed.code, 1);
    let failed = failed.json();
    assert_eq!(failed["summary"], json!({"files": 1, "passed": 4, "failed": 1, "broken_files": 0}));
    let case = &failed["files"][0]["cases"][1];
    assert_eq!(
        (&case["name"], &case["verdict"], &case["line"]),
        (&json!("threshold[risk=85]"), &json!("failed"), &json!(6))
    );
    assert_eq!(
        case["failure"]["mismatches"][0],
        json!({"path": "effect", "expected": "ALLOW", "got": "DENY", "line": 6})
    );
    let why = case["failure"]["why"].to_string();
    assert!(why.contains("`quarantine-high` does not hold: risk >= 86 (got 85)"), "{why}");
    let junit = fs::read_to_string(folder.path().join("out.xml")).unwrap();
    assert!(junit.contains("tests=\"5\" failures=\"1\""), "{junit}");
}

#[test]
fn mistakes_in_tests_are_found_and_never_pass() {
    for (mistake, want) in [
        ("casses: []", "write `cases`"),
        ("cases: [{name: x, request: {action: {name: a}}, expect: {efect: DENY}}]", "write `effect`"),
        ("cases: [{name: x, request: {action: {name: a}}, expect: {effect: DENNY}}]", "write `DENY`"),
        (
            "cases: [{name: x, request: {action: {name: a}}, expect: {mode: x}}]",
            "write `obligations: {mode: …}`",
        ),
        (
            "cases: [{name: x, request: {action: {nam: a}}, expect: {error: INVALID_ARGUMENT}}]",
            "write `name`",
        ),
        (
            "cases: [{name: x, request: {action: {name: $a}}, each: [{b: 1, expect: {effect: DENY}}]}]",
            "has no `a`",
        ),
        (
            "cases: [{name: x, request: {action: {name: a}}, each: [{b: 1, expect: {effect: DENY}}]}]",
            "reads no variable `b`",
        ),
        ("cases: [{name: x, request: {action: {name: a}}}]", "needs `expect`"),
        (
            "cases: [{name: x, request: {action: {name: a}}, now: noon, expect: {effect: DENY}}]",
            "write one such as",
        ),
        ("cases: [{name: x, sequence: [{at: 0s, authorise: {}}]}]", "write `authorize`"),
        ("cases: [{name: x, sequence: [{at: soon, budget: {}}]}]", "`at` is no time"),
        ("bundle: ./other.yaml\ncases: []", "the bundle cannot be read"),
        ("bundle: {format: tollgate/v1, version: 1}\ncases: []", "error["),
    ] {
        let folder = folder(&[("b.yaml", BUNDLE), ("b.test.yaml", mistake)]);
        let ran = run(folder.path(), &["test", "b.test.yaml"]);
        assert_eq!(ran.code, 1, "{mistake}: {ran:?}");
        assert!(ran.stdout.contains(want), "{mistake}: {}", ran.stdout);
    }
    let folder = folder(&[("b.yaml", BUNDLE)]);
    assert_eq!(run(folder.path(), &["test", "."]).code, 2, "nothing to run is no success");
    assert_eq!(run(folder.path(), &["test", "absent"]).code, 3);
}

#[test]
fn a_bundle_can_stand_in_the_test_itself() {
    let tests = "bundle: {format: tollgate/v1, version: 1.0.0, defaults: {effect: allow}}\n\
                 cases:\n  - {name: all, request: {action: {name: a}}, expect: {effect: ALLOW, reason_code: default_allow}}\n";
    let folder = folder(&[("x.test.yaml", tests)]);
    let ran = run(folder.path(), &["test", "x.test.yaml"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn colours_only_where_they_are_wanted() {
    let folder = folder(&[("b.yaml", BUNDLE)]);
    let args = ["eval", "b.yaml", "--action", "pay"];
    assert!(!run(folder.path(), &args).stdout.contains('\x1b'), "a pipe gets none");
    let mut forced = tollgate(folder.path(), &args);
    assert!(ended(forced.env("CLICOLOR_FORCE", "1")).stdout.contains('\x1b'));
    let mut refused = tollgate(folder.path(), &args);
    assert!(!ended(refused.env("NO_COLOR", "1")).stdout.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder(&[("b.yaml", BUNDLE)]);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(folder.path())
        .args(["completions", "zsh"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn the_page_of_the_command_line_is_that_of_the_program() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/command-line.md");
    let page = tollgate::cli::page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/command-line.md is not that of the program; `UPDATE=1 cargo test` rewrites it"
    );
}
