//! `tollgate bench` against the real server: it counts what it does, says what it found, and is not
//! fooled by a server that stalls.

use crate::binary::{Ended, Serving, eventually, run};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use tempfile::TempDir;

const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.2.0
rules:
  - id: deny-risk
    action: send
    conditions: {risk: {">=": 50}}
    effect: deny
    priority: 90
    reason: Too risky
  - id: allow-send
    agent: "inbox.*"
    action: send
    effect: allow
    reason: Anybody of the inbox may send
"#;

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    folder
}

/// A short one, told as JSON.
fn bench(folder: &Path, address: &str, args: &[&str]) -> Ended {
    let short = ["bench", "--address", address, "--warm-up", "50ms", "--duration", "300ms", "-o", "json"];
    // Of two flags of one name the later would be refused.
    let given = |flag: &str| args.contains(&flag);
    let pairs = short[1..9].chunks(2).filter(|pair| !given(pair[0])).flatten().copied();
    let all: Vec<&str> = short[..1].iter().copied().chain(pairs).chain(args.iter().copied()).collect();
    run(folder, &all)
}

fn number(results: &Value, path: &str) -> u64 {
    results.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}: {results}"))
}

fn micros(results: &Value, path: &str) -> f64 {
    results.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {results}"))
}

/// Nothing that was sent is lost, and each decision has an effect and a reason.
fn accounts(results: &Value) {
    let (sent, answered) = (number(results, "/sent"), number(results, "/answered"));
    assert_eq!(sent, answered + number(results, "/errors/total"), "{results}");
    for counts in ["effects", "reasons"] {
        let all: u64 =
            results[counts].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(all, number(results, "/decisions"), "{counts}: {results}");
    }
}

#[test]
fn requests_are_drawn_from_the_bounds_of_a_bundle_and_all_are_accounted_for() {
    let folder = folder();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let ended = bench(folder.path(), &serving.grpc.to_string(), &["--bundle", "b.yaml", "--seed", "9"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    let results = ended.json();
    accounts(&results);
    assert!(number(&results, "/answered") > 0);
    assert_eq!((&results["mode"], &results["loop"]), (&json!("unary"), &json!("closed")));
    assert_eq!(results["errors"], json!({"total": 0, "by_kind": {}, "first": null}));
    assert_eq!(number(&results, "/requests/distinct"), 4_096);
    let source = results["requests"]["source"].as_str().unwrap();
    assert_eq!(source, "b.yaml, version 1.2.0, seed 9");
    for effect in ["ALLOW", "DENY"] {
        assert!(number(&results, &format!("/effects/{effect}")) > 0, "both sides of the bound: {results}");
    }
    for reason in ["rule", "default_deny"] {
        assert!(number(&results, &format!("/reasons/{reason}")) > 0, "names that miss: {results}");
    }
    let latency = results["latency_us"].as_object().unwrap();
    let names = ["min", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "max"];
    assert_eq!(latency.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), names.into());
    let at = |name: &str| latency[name].as_f64().unwrap();
    assert!(
        at("min") > 0.0 && at("p50") <= at("p99") && at("p99") <= at("p99.99") && at("p99.99") <= at("max")
    );
}

#[test]
fn an_open_loop_sends_as_many_as_it_is_asked_for() {
    let folder = folder();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let address = serving.grpc.to_string();
    let args =
        ["--rate", "500", "--count", "250", "--duration", "20s", "--connections", "3", "--threads", "2"];
    let results = bench(folder.path(), &address, &args).json();
    accounts(&results);
    assert_eq!((number(&results, "/sent"), number(&results, "/generator/unsent")), (250, 0), "{results}");
    assert_eq!((&results["loop"], &results["rate"]), (&json!("open"), &json!(500.0)));
    let seconds = micros(&results, "/seconds");
    assert!(seconds > 0.4, "at its pace: {results}");
    assert!(micros(&results, "/latency_us/p50") >= micros(&results, "/from_sending_us/p50"), "{results}");
    assert!(results["generator"]["late_us"].is_object());
    let timed = bench(folder.path(), &address, &["--rate", "1000", "--duration", "500ms"]).json();
    accounts(&timed);
    assert_eq!(number(&timed, "/sent") + number(&timed, "/generator/unsent"), 500, "{timed}");
}

#[test]
fn a_stream_is_answered_and_all_is_accounted_for() {
    let folder = folder();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let in_flight = ["--mode", "stream", "--connections", "2", "--in-flight", "3000"];
    let long_enough = ["--bundle", "b.yaml", "--count", "6000", "--duration", "60s"];
    let args = [&in_flight[..], &long_enough].concat();
    let results = bench(folder.path(), &serving.grpc.to_string(), &args).json();
    accounts(&results);
    assert_eq!((&results["mode"], number(&results, "/errors/total")), (&json!("stream"), 0), "{results}");
    assert_eq!(number(&results, "/answered"), 6_000, "{results}");
    assert!(number(&results, "/effects/ALLOW") > 0 && number(&results, "/effects/DENY") > 0, "{results}");
    assert_eq!(results["effects"].get("THROTTLE"), None, "{results}");
}

#[test]
fn batches_and_dry_runs() {
    let folder = folder();
    let limit = "guardrails:\n  - {name: few, type: rate_limit, rules: {limit: 3, window_seconds: 3600, key_by: [global]}}\n";
    fs::write(folder.path().join("b.yaml"), BUNDLE.to_owned() + limit).unwrap();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let request = r#"{"subject": {"agent": "inbox.a"}, "action": {"name": "send"}, "context": {"risk": 1}}"#;
    let ask = |more: &[&str]| {
        let batch = ["--mode", "batch", "--batch-size", "7", "--request", request];
        let ended = bench(folder.path(), &serving.grpc.to_string(), &[&batch, more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        let results = ended.json();
        accounts(&results);
        assert_eq!(number(&results, "/decisions"), 7 * number(&results, "/answered"));
        results
    };
    let looked = ask(&["--dry-run"]);
    assert_eq!(looked["effects"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ALLOW"], "{looked}");
    let charged = ask(&["--warm-up", "0", "--count", "1", "--connections", "1"]);
    assert_eq!(charged["effects"], json!({"ALLOW": 3, "THROTTLE": 4}));
}

#[test]
fn a_server_that_stalls_is_charged_with_all_that_it_kept_waiting() {
    let folder = folder();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let (done, ended) = channel();
    let results = std::thread::scope(|scope| {
        let address = serving.grpc.to_string();
        let load = scope.spawn(move || {
            let ended = bench(
                folder.path(),
                &address,
                &["--rate", "400", "--duration", "3s", "--connections", "1", "--warm-up", "0"],
            );
            done.send(()).unwrap();
            ended
        });
        // A fifth of the time or more it does not answer; nobody else would notice from its answers.
        while ended.recv_timeout(Duration::from_millis(600)) == Err(RecvTimeoutError::Timeout) {
            serving.signal("STOP");
            std::thread::sleep(Duration::from_millis(200));
            serving.signal("CONT");
        }
        load.join().unwrap()
    });
    assert_eq!(results.code, 0, "{results:?}");
    let results = results.json();
    accounts(&results);
    assert!(micros(&results, "/latency_us/p99") > 100_000.0, "{results}");
    // One request of a thousand waits as long: in a closed loop with one in flight it would be one a stall.
    assert_eq!(number(&results, "/sent") + number(&results, "/generator/unsent"), 1_200, "{results}");
}

#[test]
fn what_a_server_loses_is_counted_and_fails() {
    let folder = folder();
    let mut serving = Serving::start(folder.path(), &["b.yaml", "--grace-seconds", "0"]);
    let address = serving.grpc.to_string();
    let at = folder.path().to_owned();
    let load = std::thread::spawn(move || {
        bench(&at, &address, &["--duration", "3s", "--timeout", "1", "--rate", "300"])
    });
    eventually("it asks", || serving.get("/metrics").1.contains("effect=\"").then_some(()));
    std::thread::sleep(Duration::from_millis(500));
    serving.signal("KILL");
    serving.wait();
    let ended = load.join().unwrap();
    assert_eq!(ended.code, 1, "{ended:?}");
    let results = ended.json();
    accounts(&results);
    let lost = number(&results, "/errors/total") + number(&results, "/generator/unsent");
    assert!(lost > 0 && number(&results, "/answered") > 0, "{results}");
    assert!(ended.stderr.contains("have no answer; --max-errors allows 0 %"), "{}", ended.stderr);
}

#[test]
fn ctrl_c_prints_what_there_is() {
    let folder = folder();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(folder.path())
        .args([
            "bench",
            "--address",
            &serving.grpc.to_string(),
            "--duration",
            "1h",
            "--warm-up",
            "0",
            "-o",
            "json",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    eventually("it asks", || serving.get("/metrics").1.contains("effect=\"").then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let output = child.wait_with_output().unwrap();
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results["interrupted"], json!(true));
    assert!(number(&results, "/answered") > 0 && micros(&results, "/seconds") < 3_000.0, "{results}");
    accounts(&results);
}

#[test]
fn it_asks_over_a_socket_too_and_shows_it_to_people() {
    let folder = folder();
    let _serving = Serving::start(folder.path(), &["b.yaml", "--uds", "t.sock"]);
    let address = format!("unix:{}", folder.path().join("t.sock").display());
    let args = ["bench", "--address", &address, "--duration", "0.2", "--warm-up", "0", "--connections", "1"];
    let ended = run(folder.path(), &args);
    assert_eq!(ended.code, 0, "{ended:?}");
    for want in ["unary, 1 connection with 16 in flight each", "a second", "p99.99", "default_deny 100.0 %"] {
        assert!(ended.stdout.contains(want), "{want}: {}", ended.stdout);
    }
    assert!(!ended.stderr.contains('%'), "no bar where nobody looks: {}", ended.stderr);
}

#[test]
fn nobody_there_and_somebody_else_there_is_3() {
    let folder = folder();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let serving = Serving::start(folder.path(), &["b.yaml", "--admin-uds", "admin.sock"]);
    let admin = format!("unix:{}", folder.path().join("admin.sock").display());
    for (address, want) in [
        (closed.as_str(), "no server answers"),
        ("unix:/nowhere.sock", "no server answers"),
        (&serving.metrics.to_string(), "does not speak gRPC"),
        (&admin, "the server does not know `Authorize`"),
    ] {
        let ended = bench(folder.path(), address, &["--timeout", "5"]);
        assert_eq!(ended.code, 3, "{address}: {ended:?}");
        assert!(ended.stderr.contains(address) && ended.stderr.contains(want), "{want}: {ended:?}");
        assert_eq!(ended.json()["findings"], json!([]), "a program is told too");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = folder();
    fs::write(folder.path().join("broken.yaml"), "format: tollgate/v1\nversion: 1\n").unwrap();
    for (args, code, want) in [
        (&["--rate", "0"][..], 2, "above 0"),
        (&["--rate", "NaN"], 2, "above 0"),
        (&["--connections", "0"], 2, "1..=10000"),
        (&["--in-flight", "0"], 2, "1..=65536"),
        (&["--duration", "0s"], 2, "above 0 and up to 24h"),
        (&["--duration=-1s"], 2, "makes no sense"),
        (&["--warm-up", "2h"], 2, "up to 1h"),
        (&["--count", "0"], 2, "count"),
        (&["--mode", "streams"], 2, "unary, batch, stream"),
        (&["--mode", "batch", "--batch-size", "1001"], 2, "1..=1000"),
        (&["--max-errors", "101"], 2, "from 0 to 100"),
        (&["--rate", "5", "--in-flight", "5"], 2, "cannot be used with"),
        (&["--bundle", "b.yaml", "--request", "{}"], 2, "cannot be used with"),
        (&["--request", "{\"action\": 5}"], 2, "`action` is a number"),
        (&["--request", "absent.json"], 3, "absent.json"),
        (&["--bundle", "broken.yaml"], 1, "the bundle is refused"),
        (&["--bundle", "absent.yaml"], 3, "absent.yaml"),
    ] {
        let ended = run(folder.path(), &[&["bench"], args].concat());
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
        assert!(ended.stderr.contains(want), "{want}: {}", ended.stderr);
    }
}
