//! The life of a process: it starts, says so, follows its bundle, drains, and survives rude clients.

use crate::binary::{Serving, eventually, exchange, run};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const BUNDLE: &str = "format: tollgate/v1\nversion: 1.0.0\nrules:\n  - id: allow-read\n    action: read\n    \
                      effect: allow\n    reason: Anybody may read anything\n";

fn folder(bundle: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), bundle).unwrap();
    folder
}

fn authorize(folder: &Path, serving: &Serving, action: &str) -> i32 {
    run(folder, &["authorize", "--address", &serving.grpc.to_string(), "--action", action]).code
}

#[test]
fn it_serves_until_sigterm_and_ends_with_0() {
    let folder = folder(BUNDLE);
    for signal in ["TERM", "INT"] {
        let mut serving = Serving::start(folder.path(), &["b.yaml"]);
        assert_eq!(authorize(folder.path(), &serving, "read"), 0);
        assert_eq!(authorize(folder.path(), &serving, "write"), 1);
        serving.signal(signal);
        assert_eq!(serving.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn without_a_bundle_it_waits_and_denies() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let (ready, why) = serving.get("/readyz");
    assert_eq!((ready, why.contains("b.yaml: no such file or folder")), (503, true), "{why}");
    assert_eq!(serving.get("/livez").0, 200);
    assert_eq!(authorize(folder.path(), &serving, "read"), 1);
    let metrics = serving.metrics.to_string();
    let health =
        |live: &[&str]| run(folder.path(), &[&["healthcheck", "--address", &metrics], live].concat()).code;
    assert_eq!((health(&[]), health(&["--live"])), (1, 0));
    assert_eq!(run(folder.path(), &["status", "--address", &metrics]).code, 1);
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    serving.signal("HUP");
    eventually("it is ready", || (serving.get("/readyz").0 == 200).then_some(()));
    assert_eq!(authorize(folder.path(), &serving, "read"), 0);
    assert_eq!(health(&[]), 0);
}

#[test]
fn sighup_reads_the_bundle_again_and_a_broken_one_changes_nothing() {
    let folder = folder(BUNDLE);
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    let status = || -> serde_json::Value { serde_json::from_str(&serving.get("/status").1).unwrap() };
    assert_eq!((&status()["state"], &status()["bundle"]["version"]), (&"READY".into(), &"1.0.0".into()));
    fs::write(folder.path().join("b.yaml"), BUNDLE.replace("1.0.0", "2.0.0")).unwrap();
    serving.signal("HUP");
    eventually("version 2", || (status()["bundle"]["version"] == "2.0.0").then_some(()));
    fs::write(folder.path().join("b.yaml"), BUNDLE.replace("effect: allow", "efect: allow")).unwrap();
    serving.signal("HUP");
    eventually("the last good one", || (status()["state"] == "READY_LKG").then_some(()));
    assert_eq!(status()["bundle"]["version"], "2.0.0");
    let shown = run(folder.path(), &["status", "--address", &serving.metrics.to_string()]);
    assert_eq!(shown.code, 0, "the last good bundle serves: {shown:?}");
    assert!(shown.stdout.contains("b.yaml:6:5: `efect` is no field of a rule"), "{}", shown.stdout);
    let (code, metrics) = serving.get("/metrics");
    assert_eq!(code, 200);
    assert!(metrics.contains("tollgate_bundle_updates_total{result=\"rejected\"} "), "{metrics}");
    assert!(metrics.contains("tollgate_bundle_info{version=\"2.0.0\""), "{metrics}");
}

#[test]
fn a_port_in_use_is_said_and_ends_with_3() {
    let folder = folder(BUNDLE);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let held = TcpListener::bind(taken).unwrap();
    for (grpc, metrics, want) in [
        (taken.to_string(), "127.0.0.1:0".into(), "cannot listen"),
        ("127.0.0.1:0".into(), taken.to_string(), "the metrics address cannot be listened on"),
    ] {
        let ended = run(folder.path(), &["serve", "b.yaml", "--grpc", &grpc, "--metrics", &metrics]);
        assert_eq!(ended.code, 3, "{ended:?}");
        assert!(ended.stderr.contains(&format!("{taken}: ")) && ended.stderr.contains(want), "{ended:?}");
    }
    drop(held);
}

#[test]
fn it_also_answers_on_a_socket_and_only_there_if_asked() {
    let folder = folder(BUNDLE);
    let config = "bundle: b.yaml\ngrpc: none\nuds: t.sock\nmetrics: none\n";
    fs::write(folder.path().join("t.yaml"), config).unwrap();
    let address = format!("unix:{}", folder.path().join("t.sock").display());
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(folder.path())
        .args(["serve", "-c", "t.yaml", "--log-level", "off"])
        .spawn()
        .unwrap();
    let ask = || run(folder.path(), &["authorize", "--address", &address, "--action", "read"]);
    eventually("it answers", || (ask().code == 0).then_some(()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ask().code, 3);
}

#[test]
fn rude_clients_of_the_metrics_port_are_refused_or_ignored() {
    let folder = folder(BUNDLE);
    let serving = Serving::start(folder.path(), &["b.yaml"]);
    // Some say nothing for a while.
    let silent: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(serving.metrics).unwrap()).collect();
    let long = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(64 << 10));
    let many = format!("GET /livez HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(100));
    for (request, want) in [
        (long.as_str(), "HTTP/1.1 431"),
        (&many, "HTTP/1.1 431"),
        ("\0\0\0\r\n\r\n", "HTTP/1.1 400"),
        ("POST /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 405"),
        ("GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", "HTTP/1.1 404"),
    ] {
        let reply = exchange(serving.metrics, request.as_bytes());
        assert!(reply.starts_with(want), "{want}: {reply}");
    }
    assert_eq!(serving.get("/readyz").0, 200);
    drop(silent);
}

#[test]
fn a_request_without_an_end_is_cut_off() {
    let folder = folder(BUNDLE);
    let mut serving = Serving::start(folder.path(), &["b.yaml", "--grace-seconds", "1"]);
    let mut slow = TcpStream::connect(serving.metrics).unwrap();
    slow.write_all(b"GET /livez HTTP/1.1\r\nhost:").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut reply = String::new();
    slow.read_to_string(&mut reply).unwrap();
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 408"), "{reply}");
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn who_holds_a_connection_open_delays_the_end_at_most_by_the_grace_period() {
    let folder = folder(BUNDLE);
    let mut serving = Serving::start(folder.path(), &["b.yaml", "--grace-seconds", "0.5"]);
    let _open = half_a_request(&serving);
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = folder(BUNDLE);
    let mut serving = Serving::start(folder.path(), &["b.yaml", "--grace-seconds", "600"]);
    let _open = half_a_request(&serving);
    // From a terminal and from a parent that passes it on: one signal that comes twice.
    serving.signal("TERM");
    serving.signal("TERM");
    eventually("it listens no longer", || TcpStream::connect(serving.grpc).is_err().then_some(()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!((serving.get("/livez").0, serving.get("/readyz")), (200, (503, "draining".into())));
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(1), "requests in flight were dropped");
}

/// A connection whose first request never comes to its end.
fn half_a_request(serving: &Serving) -> TcpStream {
    let mut stream = TcpStream::connect(serving.grpc).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // The server's own settings say that it has taken the connection.
    let mut settings = [0; 9];
    stream.read_exact(&mut settings).unwrap();
    let path = b"/tollgate.v1.PolicyDecisionService/Authorize";
    let length = u8::try_from(path.len()).unwrap();
    // POST, http, the path, the authority `a`, the type of gRPC: all of the head, nothing of the body.
    let head = [&[0x83, 0x86, 0x44, length], &path[..], b"\x41\x01a\x0f\x10\x10application/grpc"].concat();
    let length = u8::try_from(head.len()).unwrap();
    stream.write_all(&[&[0, 0, length, 1, 4, 0, 0, 0, 1], &head[..]].concat()).unwrap();
    stream
}
