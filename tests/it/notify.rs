//! A service manager is told how the process is, and a container's probe asks.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::binary::{eventually, run};

const BUNDLE: &str = "format: tollgate/v1\nversion: 1.0.0\nrules:\n  - {id: reading, action: read, effect: allow, reason: \
                      Anybody may read anything}\n";

/// What a manager hears, and the process that it started.
struct Manager {
    socket: UnixDatagram,
    child: Child,
}

impl Manager {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let path = folder.join("notify.sock");
        let socket = UnixDatagram::bind(&path).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .current_dir(folder)
            .args(["serve", "b.yaml", "--grpc", "none", "--uds", "t.sock", "--metrics", "none"])
            .args(["--log-level", "off"])
            .args(more)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "1000000")
            .spawn()
            .unwrap();
        Self { socket, child }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Hears until a line begins like this; all lines, the last one first.
    fn hear(&self, wanted: &str) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(60);
        let mut heard: Vec<String> = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "not within a minute: {wanted}; heard {heard:?}");
            self.socket.set_read_timeout(Some(left)).unwrap();
            let mut bytes = [0; 4096];
            let Ok(length) = self.socket.recv(&mut bytes) else { continue };
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            text.lines().for_each(|line| heard.insert(0, line.to_owned()));
            if text.lines().any(|line| line.starts_with(wanted)) {
                return heard;
            }
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn it_is_ready_when_a_bundle_serves_and_says_what_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut manager = Manager::start(folder.path(), &[]);
    let heard = [manager.hear("STATUS=denying everything: b.yaml: "), manager.hear("WATCHDOG=1")].concat();
    assert!(heard.iter().all(|line| line != "READY=1"), "{heard:?}");
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    let heard = manager.hear("READY=1");
    assert!(heard.contains(&"STATUS=serving bundle version 1.0.0, 1 rules".to_owned()), "{heard:?}");

    fs::write(folder.path().join("b.yaml"), BUNDLE.replace("1.0.0", "2.0.0")).unwrap();
    manager.signal("HUP");
    let heard = manager.hear("MONOTONIC_USEC=");
    assert!(heard.contains(&"RELOADING=1".to_owned()), "{heard:?}");
    let since = heard.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(since.parse::<u64>().unwrap() > 0);
    let heard = manager.hear("READY=1");
    assert!(heard.iter().any(|line| line.contains("version 2.0.0")), "read before it is ready: {heard:?}");

    manager.signal("TERM");
    manager.hear("STOPPING=1");
    let ended = eventually("the process ends", || manager.child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
}

#[test]
fn a_thread_that_is_stuck_gets_no_watchdog() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    let manager = Manager::start(folder.path(), &[]);
    manager.hear("WATCHDOG=1");
    // All of its threads, as a machine does that has no time for it.
    manager.signal("STOP");
    std::thread::sleep(Duration::from_millis(200));
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 4096]).is_ok() {}
    std::thread::sleep(Duration::from_secs(2));
    assert!(manager.socket.recv(&mut [0; 4096]).is_err(), "it still says that it lives");
    manager.socket.set_nonblocking(false).unwrap();
    manager.signal("CONT");
    manager.hear("WATCHDOG=1");
}

#[test]
fn a_probe_asks_over_grpc_too() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "correct-horse-battery-staple").unwrap();
    let mut manager = Manager::start(folder.path(), &["--admin-token-file", "token"]);
    manager.hear("STATUS=denying");
    let probe = |more: &[&str]| {
        let ended = run(
            folder.path(),
            &[&["healthcheck", "--grpc", "unix:t.sock", "--timeout", "20"], more].concat(),
        );
        (ended.code, ended.stdout.trim().to_owned())
    };
    assert_eq!(probe(&[]), (1, "not serving".to_owned()));
    // Operators are answered whether a bundle serves or not.
    assert_eq!(probe(&["--service", "tollgate.v1.AdminService"]).0, 0);
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    manager.hear("READY=1");
    for (service, want) in [
        ("", (0, "serving".to_owned())),
        ("tollgate.v1.PolicyDecisionService", (0, "serving".to_owned())),
        ("no.such.Service", (2, String::new())),
    ] {
        assert_eq!(probe(&["--service", service]), want, "{service}");
    }
    manager.signal("TERM");
    let _ = eventually("the process ends", || manager.child.try_wait().unwrap());
    assert_eq!(probe(&[]).0, 3);
}
