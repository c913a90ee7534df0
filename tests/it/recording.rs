//! The decision log from outside: what a caller got stands in it, what is masked does not, a kill leaves it
//! readable, a full disk refuses or drops as it was told to.

mod asked;
mod room;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::binary::{Ended, Serving, eventually, run};

const BUNDLE: &str = r#"format: tollgate/v1
version: 1.2.0
rules:
  - id: allow-send
    action: send
    conditions: {"<=amount": 100}
    effect: allow
    reason: Small amounts may be sent
  - id: allow-other
    action: [read, once, "cut*"]
    effect: allow
    reason: Anybody may do that
  - id: deny-delete
    action: delete
    effect: deny
    disposition: drop
    reason: Nothing is ever deleted here
  - id: ask-transfer
    action: transfer
    effect: require_approval
    approval: {approvers: 2, role: treasurer, expires_in_seconds: 60, bind: [amount]}
    reason: Transfers need two treasurers
  - id: drafts-only
    action: send
    effect: modify
    modify: {mode: draft, limits: {max_tool_calls: 5, max_cost: 0.5}, timeout_seconds: 30}
    reason: Only drafts are written here
guardrails:
  - name: few
    type: rate_limit
    rules: {limit: 1, window_seconds: 3600, key_by: [user, context.card]}
    targeting: {actions: [once]}
  - name: money
    type: budget
    rules: {max_cost: 10, window_seconds: 3600, key_by: [tenant]}
    targeting: {actions: [send]}
  - name: watched
    type: rate_limit
    enforcement: shadow
    rules: {limit: 0, window_seconds: 60}
    targeting: {actions: [read]}
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    folder
}

fn start(folder: &Path, more: &[&str]) -> Serving {
    Serving::start(folder, &[&["b.yaml", "--decision-log-dir", "log"], more].concat())
}

fn ask(folder: &Path, serving: &Serving, args: &[&str]) -> Ended {
    let address = serving.grpc.to_string();
    run(folder, &[args, &["--address", &address, "--output", "json"]].concat())
}

fn authorize(folder: &Path, serving: &Serving, args: &[&str]) -> Value {
    ask(folder, serving, &[&["authorize"], args].concat()).json()
}

/// All records that are in the files now.
fn records(folder: &Path) -> Vec<Value> {
    let shown = run(folder, &["decisions", "--log", "log", "--output", "json"]);
    assert_eq!(shown.stderr, "", "nothing is torn, nothing is missing");
    shown.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn stop(mut serving: Serving) {
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn what_a_caller_got_stands_in_the_log_and_can_be_explained() {
    let folder = folder();
    let here = folder.path();
    let serving = start(here, &[]);
    let mut answers = Vec::new();
    for args in [
        &[
            "--action",
            "send",
            "--agent",
            "inbox",
            "--tenant",
            "acme",
            "-x",
            "amount=5",
            "--request-id",
            "r-1",
        ][..],
        &["--action", "send", "-x", "amount=500", "-x", r#"{"list": [1, "two", null, {"x": true}]}"#],
        &["--action", "delete"],
        &["--action", "transfer", "-x", "amount=7"],
        &["--action", "once", "--user", "alice"],
        &["--action", "once", "--user", "alice"],
        &["--action", "read"],
        &["--action", "send", "-x", "amount=\"much\""],
    ] {
        answers.push(authorize(here, &serving, args));
    }
    let first = answers[0]["decision_id"].as_str().unwrap().to_owned();
    let reported = ask(here, &serving, &["report", &first, "--status", "SUCCESS", "--cost", "0.25"]);
    assert_eq!(reported.code, 0, "{reported:?}");
    let retried = ask(here, &serving, &["retry", "--action", "send", "--error-kind", "TRANSIENT"]);
    stop(serving);

    let all = records(here);
    let of = |kind: &str| all.iter().filter(|record| record["kind"] == kind).cloned().collect::<Vec<_>>();
    let decisions = of("decision");
    let told: Vec<Value> = decisions.iter().map(|record| record["decision"].clone()).collect();
    assert_eq!(told, answers, "the log tells what was answered");
    assert_eq!(decisions[0]["request"]["context"], json!({"amount": 5}));
    assert_eq!(decisions[1]["request"]["context"]["list"], json!([1, "two", null, {"x": true}]));
    assert_eq!(decisions[5]["read"]["refusals"][0]["key"], json!({"user": "alice", "context.card": ""}));
    assert_eq!(decisions[6]["read"]["shadow_refusals"][0]["guardrail"], "watched");
    assert!(decisions.iter().all(|record| record["replayable"] == true), "{decisions:?}");
    let report = &of("report")[0];
    assert_eq!((&report["decision_id"], &report["reply"]["result"]), (&json!(first), &json!("APPLIED")));
    assert_eq!(report["report"], json!({"status": "SUCCESS", "cost": 0.25}));
    assert_eq!(of("retry")[0]["retry"], retried.json());
    assert_eq!(of("bundle")[0]["version"], "1.2.0");
    let kinds: Vec<&str> = all.iter().map(|record| record["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&"start"), Some(&"end")));
    documented(&all);

    for (answer, code) in answers.iter().zip([0, 1, 1, 1, 0, 1, 0, 1]) {
        let id = answer["decision_id"].as_str().unwrap();
        let shown = run(here, &["explain", "--decision", id, "--log", "log", "--output", "json"]);
        assert_eq!((shown.code, &*shown.stderr), (code, ""), "{answer}");
        let shown = shown.json();
        assert_eq!(&shown["decision"], answer);
        let decided = shown["rules"].as_array().unwrap().iter().find(|rule| rule["outcome"] == "DECIDED");
        assert_eq!(
            decided.map(|rule| &rule["rule_id"]),
            answer.get("rule_id").or(decided.map(|rule| &rule["rule_id"])),
            "{shown}"
        );
    }
    let shown = run(here, &["explain", "--decision", &first, "--log", "log"]);
    assert!(shown.stdout.contains("decided") && shown.stdout.contains("allow-send"), "{shown:?}");
    assert!(shown.stdout.contains("money") && shown.stdout.contains("SUCCESS"), "{shown:?}");
    let none = run(here, &["explain", "--decision", "0192f3aa-0000-7000-8000-000000000000", "--log", "log"]);
    assert_eq!(none.code, 1, "{none:?}");
    let listed = run(here, &["decisions", "--log", "log", "--effect", "DENY"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (0, 3), "{listed:?}");
    let last =
        run(here, &["decisions", "--log", "log", "--kind", "decision", "-n", "2", "--agent", "nobody"]);
    assert_eq!((last.code, &*last.stdout), (1, ""));
}

/// Every field of a record is on the page.
fn documented(records: &[Value]) {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decision-log.md")).unwrap();
    let mut missing = BTreeSet::new();
    for record in records {
        for (name, value) in record.as_object().unwrap() {
            if !page.contains(&format!("`{name}`")) && name != "read" {
                missing.insert(name.clone());
            }
            if name == "read" {
                for inner in value.as_object().unwrap().keys() {
                    if !page.contains(&format!("`read.{inner}`")) {
                        missing.insert(format!("read.{inner}"));
                    }
                }
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "document them in docs/decision-log.md");
}

#[test]
fn the_example_on_the_page_is_a_record_as_it_is_written() {
    let folder = folder();
    let here = folder.path();
    let serving = start(here, &[]);
    let args =
        ["--action", "send", "--agent", "inbox", "--tenant", "acme", "-x", "amount=5", "--request-id", "r-1"];
    authorize(here, &serving, &args);
    stop(serving);
    let record = records(here).into_iter().find(|record| record["kind"] == "decision").unwrap();
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/decision-log.md")).unwrap();
    let example = page.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let pretty = serde_json::to_string_pretty(&record).unwrap();
    let example = example.unwrap_or_else(|| panic!("put an example on the page, such as\n{pretty}"));
    let example: Value = serde_json::from_str(example).unwrap();
    assert_eq!(shape(&example), shape(&record), "{pretty}");
}

/// The paths of a document, with the types of their values.
fn shape(value: &Value) -> BTreeSet<String> {
    fn walk(at: &str, value: &Value, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(all) => {
                all.iter().for_each(|(name, value)| walk(&format!("{at}/{name}"), value, into))
            }
            Value::Array(all) => all.iter().for_each(|value| walk(&format!("{at}/[]"), value, into)),
            Value::String(_) => drop(into.insert(format!("{at}: text"))),
            Value::Number(_) => drop(into.insert(format!("{at}: number"))),
            Value::Bool(_) => drop(into.insert(format!("{at}: flag"))),
            Value::Null => drop(into.insert(format!("{at}: null"))),
        }
    }
    let mut all = BTreeSet::new();
    walk("", value, &mut all);
    all
}

#[test]
fn what_is_masked_stands_nowhere_in_the_log() {
    const USER: &str = "alice-the-secret";
    const CARD: &str = "5500000000000004";
    for keyed in [false, true] {
        let folder = folder();
        let here = folder.path();
        fs::write(here.join("key"), "a secret of enough bytes").unwrap();
        let text =
            BUNDLE.replace("version: 1.2.0", "version: 1.2.0\nmask: [/context/card, /context/deep/*/pin]");
        fs::write(here.join("b.yaml"), text).unwrap();
        let mut args = vec!["--decision-log-mask", "/subject/user"];
        if keyed {
            args.extend(["--decision-log-mask-key-file", "key"]);
        }
        let serving = start(here, &args);
        let card = format!("card={CARD}");
        let repeated = format!("note=paid by {USER} with {CARD}");
        let deep = r#"{"deep": [{"pin": "pin-of-hers"}, {"pin": "pin-of-his", "n": 1}]}"#;
        let of = |action: &'static str| {
            let id = format!("{USER}-{action}");
            authorize(
                here,
                &serving,
                &[
                    "--action",
                    action,
                    "--user",
                    USER,
                    "-x",
                    &card,
                    "-x",
                    &repeated,
                    "-x",
                    deep,
                    "--request-id",
                    &id,
                ],
            )
        };
        for action in ["once", "once", "read", "transfer", "delete"] {
            of(action);
        }
        ask(
            here,
            &serving,
            &["retry", "--action", "once", "--user", USER, "-x", &card, "--error-kind", "TRANSIENT"],
        );
        stop(serving);
        let all = records(here);
        let text = serde_json::to_string(&all).unwrap();
        for secret in [USER, CARD, "pin-of-hers", "pin-of-his"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        let decisions: Vec<&Value> = all.iter().filter(|record| record["kind"] == "decision").collect();
        assert_eq!(decisions.len(), 5);
        let user = &decisions[0]["request"]["subject"]["user"];
        assert_eq!(user.as_str().unwrap().starts_with("hmac-sha256:"), keyed);
        assert_eq!(&decisions[1]["read"]["refusals"][0]["key"]["user"], user, "equal values stay equal");
        assert!(
            decisions.iter().all(
                |record| record["replayable"] == false && record["masked"].as_array().unwrap().len() == 3
            )
        );
        assert_eq!(decisions[0]["request"]["context"]["deep"][1]["n"], 1, "what is not masked stays");
        let shown = run(
            here,
            &[
                "explain",
                "--decision",
                decisions[4]["decision"]["decision_id"].as_str().unwrap(),
                "--log",
                "log",
            ],
        );
        assert!(shown.stderr.contains("masked"), "{shown:?}");
    }
}

#[test]
fn after_a_kill_the_log_is_read_to_where_it_was_cut_off() {
    let folder = folder();
    let here = folder.path();
    let mut serving = start(here, &["--decision-log-rotate-bytes", "4KiB"]);
    let before: Vec<Value> = (0..20).map(|_| authorize(here, &serving, &["--action", "read"])).collect();
    let count = |folder: &Path| {
        let shown = run(folder, &["decisions", "--log", "log", "--kind", "decision", "--output", "json"]);
        shown.stdout.lines().count()
    };
    eventually("all are written", || (count(here) == 20).then_some(()));
    serving.signal("KILL");
    serving.wait();
    // Cut off in the middle of a line, which a kill may do.
    let newest = newest_file(here);
    let text = fs::read(&newest).unwrap();
    fs::write(&newest, [&text[..], b"{\"v\":1,\"seq\":99,\"ki"].concat()).unwrap();
    let serving = start(here, &[]);
    authorize(here, &serving, &["--action", "delete"]);
    stop(serving);
    let shown = run(here, &["decisions", "--log", "log", "--kind", "decision", "--output", "json"]);
    assert_eq!((shown.code, shown.stdout.lines().count()), (0, 21), "{shown:?}");
    assert!(shown.stderr.contains("the file ends within a line"), "{shown:?}");
    let id = before[7]["decision_id"].as_str().unwrap();
    assert_eq!(
        run(here, &["explain", "--decision", id, "--log", "log"]).code,
        0,
        "also in a compressed file"
    );
}

fn newest_file(folder: &Path) -> std::path::PathBuf {
    let entries = fs::read_dir(folder.join("log")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|end| end == "jsonl")).max().unwrap()
}

#[test]
fn on_a_full_disk_actions_are_refused_or_records_dropped_as_it_was_said() {
    let pad = format!("pad={}", "x".repeat(2_000));
    for (when_full, refuses) in [("refuse", true), ("drop_newest", false), ("drop_oldest", false)] {
        let folder = folder();
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let args = [
            "b.yaml",
            "--decision-log-stdout",
            "--decision-log-when-full",
            when_full,
            "--decision-log-ring-bytes",
            "48KiB",
            "--bounds-request-bytes",
            "4KiB",
            "--threads",
            "1",
        ];
        let serving = Serving::start_into(folder.path(), "127.0.0.1:0", &args, Stdio::from(full));
        let mut refused = 0;
        for _ in 0..80 {
            let answer = authorize(folder.path(), &serving, &["--action", "read", "-x", &pad]);
            if answer["reason_code"] == "log_unavailable" {
                assert_eq!((&answer["effect"], answer.get("limits")), (&json!("DENY"), None));
                refused += 1;
            } else {
                assert_eq!(answer["effect"], "ALLOW", "{answer}");
            }
        }
        assert_eq!(refused > 0, refuses, "{when_full}: {refused} of 80");
        assert_eq!(serving.get("/readyz").0, 200);
        if refuses {
            let once = ["--action", "once", "--user", "alice", "-x", &pad];
            assert_eq!(authorize(folder.path(), &serving, &once)["reason_code"], "log_unavailable");
            refused += 1;
            let left = ask(folder.path(), &serving, &[&["budget"], &once[..]].concat()).json();
            assert_eq!(left["limits"][0]["used"], 0, "nothing was charged: {left}");
        }
        let metrics = serving.get("/metrics").1;
        let of = |name: &str| {
            let line = metrics
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name}: {metrics}"));
            line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
        };
        assert!(of("tollgate_decision_log_errors_total") > 0.0);
        let reason = if refuses { "refused" } else { when_full };
        let dropped = of(&format!("tollgate_decision_log_dropped_total{{reason=\"{reason}\"}}"));
        assert!(dropped > 0.0, "{when_full}");
        if refuses {
            assert!((dropped - f64::from(refused)).abs() < 0.5, "{dropped} {refused}");
        }
    }
}

#[test]
fn options_that_do_not_go_together_are_named() {
    let folder = folder();
    for (args, want) in [
        (&["--decision-log-dir", "a", "--decision-log-stdout"][..], "the decision log goes to one place"),
        (&["--decision-log-mask", "/subject/user"], "there is no decision log"),
        (&["--decision-log-buffer-dir", "x"], "is about a collector"),
        (&["--decision-log-url", "collector"], "it takes a web address"),
        (&["--decision-log-dir", "a", "--decision-log-mask", "user"], "it takes JSON pointers"),
        (&["--decision-log-dir", "a", "--decision-log-sample", "ALOW=1"], "it takes shares from 0 to 1"),
        (
            &["--decision-log-url", "http://collector.example/x", "--decision-log-auth-file", "t"],
            "would travel unencrypted",
        ),
        (&["--decision-log-dir", "b.yaml"], "the decision log cannot be written there"),
        (
            &["--decision-log-dir", "a", "--decision-log-mask-key-file", "b.yaml/x"],
            "the key of masks cannot be read",
        ),
    ] {
        let ended = run(
            folder.path(),
            &[&["serve", "b.yaml", "--grpc", "127.0.0.1:0", "--metrics", "none"], args].concat(),
        );
        assert!(ended.code >= 2 && ended.stderr.contains(want), "{args:?}: {ended:?}");
    }
}

#[test]
fn with_a_share_a_report_is_recorded_if_its_decision_is() {
    let folder = folder();
    let here = folder.path();
    let serving = start(here, &["--decision-log-sample", "rule:allow-other=0.5,DENY=0"]);
    for _ in 0..24 {
        let answer = authorize(here, &serving, &["--action", "read"]);
        let id = answer["decision_id"].as_str().unwrap();
        assert_eq!(ask(here, &serving, &["report", id, "--status", "SUCCESS"]).code, 0);
    }
    authorize(here, &serving, &["--action", "delete"]);
    stop(serving);
    let all = records(here);
    let ids = |kind: &str, pointer: &str| -> BTreeSet<String> {
        let of_kind = all.iter().filter(|record| record["kind"] == kind);
        of_kind.map(|record| record.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
    };
    let (decisions, reports) = (ids("decision", "/decision/decision_id"), ids("report", "/decision_id"));
    assert_eq!(decisions, reports);
    assert!((1..24).contains(&decisions.len()), "{}", decisions.len());
    assert!(all.iter().filter(|record| record["kind"] == "decision").all(|record| record["sampled"] == 0.5));
}
