//! Operators as they meet the process: off unless it is opened, then guardrails and emergency stops.

use crate::binary::{Ended, Serving, eventually, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tempfile::TempDir;

const BUNDLE: &str = r"format: tollgate/v1
version: 1.0.0
rules:
  - {id: allow-send, action: send, effect: allow, reason: Anybody may send something}
guardrails:
  - name: send-limit
    type: rate_limit
    rules: {limit: 2, window_seconds: 3600, key_by: [tenant, user]}
  - name: provider
    type: circuit_breaker
    rules: {failure_threshold: 1, cooldown_seconds: 600, key_by: [tool]}
  - {name: again, type: retry, rules: {max_retries: 3, interval_seconds: 1}}
";

const TOKEN: &str = "correct-horse-battery-staple";

/// A running server, with an admin socket and a token if `opened`.
struct Post {
    folder: TempDir,
    serving: Serving,
}

impl Post {
    fn new(opened: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
        fs::write(folder.path().join("token"), TOKEN).unwrap();
        let serving = Serving::start(folder.path(), &[&["b.yaml"], opened].concat());
        Self { folder, serving }
    }

    fn open() -> Self {
        Self::new(&["--admin-uds", "admin.sock"])
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A command of an operator.
    fn operate(&self, args: &[&str]) -> Ended {
        run(self.path(), &[args, &["--admin-uds", "admin.sock"]].concat())
    }

    fn operated(&self, args: &[&str]) -> Value {
        let ended = self.operate(&[args, &["--output", "json"]].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        ended.json()
    }

    /// Asks for `send` with these flags; the effect and the code.
    fn send(&self, more: &[&str]) -> String {
        let address = self.serving.grpc.to_string();
        let args = ["authorize", "--address", &address, "-o", "json", "--action", "send"];
        let answer = run(self.path(), &[&args[..], more].concat()).json();
        format!("{} {}", answer["effect"].as_str().unwrap(), answer["reason_code"].as_str().unwrap())
    }

    fn metric(&self, line: &str) -> bool {
        self.serving.get("/metrics").1.lines().any(|own| own == line)
    }
}

#[test]
fn nobody_operates_a_server_that_was_not_opened() {
    let post = Post::new(&[]);
    let address = post.serving.grpc.to_string();
    for command in [&["guardrails"][..], &["stop", "list"], &["guardrails", "reset", "send-limit"]] {
        let unnamed = run(post.path(), command);
        assert_eq!((unnamed.code, unnamed.stderr.contains("--admin-uds")), (2, true), "{unnamed:?}");
        let closed = ["--admin-token-file", "token", "--address", &address];
        let refused = run(post.path(), &[command, &closed].concat());
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(
            refused.stderr.contains("there is no service `tollgate.v1.AdminService` here"),
            "{refused:?}"
        );
    }
}

#[test]
fn a_token_opens_it_and_no_other_does() {
    let post = Post::new(&["--admin-token-file", "token", "--admin-uds", "admin.sock"]);
    let address = post.serving.grpc.to_string();
    let list = |token: &str| {
        fs::write(post.path().join("own"), token).unwrap();
        run(post.path(), &["stop", "list", "--admin-token-file", "own", "--address", &address])
    };
    assert_eq!(list(TOKEN).code, 0);
    let wrong = list("another-horse-battery-staple");
    assert_eq!((wrong.code, wrong.stderr.contains("does not let you in")), (3, true), "{wrong:?}");
    let mode = fs::metadata(post.path().join("admin.sock")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, post.operate(&["stop", "list"]).code), (0o600, 0));
}

#[test]
fn a_breaker_is_opened_closed_and_disabled_by_hand() {
    let post = Post::open();
    assert_eq!(post.send(&["--tool", "sql"]), "ALLOW rule");
    let held = post.operated(&["guardrails", "force-open", "provider", "--reason", "drill", "--by", "ada"]);
    assert_eq!((&held["guardrail"], &held["held"]), (&"provider".into(), &"forced_open".into()), "{held}");
    assert_eq!(post.send(&["--tool", "sql", "--user", "b"]), "DENY forced_open");
    assert!(post.operate(&["guardrails"]).stdout.contains("forced_open"));
    post.operated(&["guardrails", "close", "provider"]);
    assert_eq!(post.send(&["--tool", "sql", "--user", "b"]), "ALLOW rule");
    let one = post.operated(&["guardrails", "force-open", "provider", "--key", "sql"]);
    assert_eq!(one["hottest"][0]["breaker_state"], "forced_open", "{one}");
    assert_eq!(post.send(&["--tool", "sql", "--user", "c"]), "DENY forced_open");
    assert_eq!(post.send(&["--tool", "web", "--user", "c"]), "ALLOW rule");
    post.operated(&["guardrails", "disable", "provider"]);
    assert_eq!(post.send(&["--tool", "sql", "--user", "d"]), "ALLOW rule");
    for (operation, count) in [("FORCE_OPEN", 2), ("CLOSE", 1), ("DISABLE", 1), ("RESET", 0)] {
        let line = format!("tollgate_operator_actions_total{{operation=\"{operation}\"}} {count}");
        assert!(post.metric(&line), "{line}");
    }
}

#[test]
fn a_limit_shows_its_hottest_keys_and_is_emptied() {
    let post = Post::open();
    for user in ["a", "b", "b"] {
        assert_eq!(post.send(&["--tenant", "acme", "--user", user]), "ALLOW rule");
    }
    let listed = post.operated(&["guardrails", "list", "send-limit", "--keys", "1"]);
    let limit = &listed["guardrails"][0];
    assert_eq!((&limit["keys"], &limit["type"]), (&2.into(), &"rate_limit".into()), "{listed}");
    let key = &limit["hottest"][0];
    assert_eq!(key["values"], serde_json::json!(["acme", "b"]));
    assert_eq!((&key["limits"][0]["used"], &key["limits"][0]["left"]), (&2.into(), &0.into()), "{key}");
    assert_eq!(post.send(&["--tenant", "acme", "--user", "b"]), "THROTTLE rate_limited");
    post.operated(&["guardrails", "reset", "send-limit", "--key", "acme,b"]);
    assert_eq!(post.send(&["--tenant", "acme", "--user", "b"]), "ALLOW rule");
    post.operated(&["guardrails", "reset", "send-limit"]);
    assert_eq!(post.operated(&["guardrails", "list", "send-limit"])["guardrails"][0]["keys"], 0);
}

#[test]
fn what_cannot_be_done_is_said_with_the_remedy() {
    let post = Post::open();
    for (args, want) in [
        (&["guardrails", "reset", "send-limt"][..], "did you mean `send-limit`?"),
        (&["guardrails", "list", "nothing-like-it"], "has no guardrail `nothing-like-it`"),
        (&["guardrails", "close", "send-limit"], "only circuit breakers can be opened, closed or disabled"),
        (&["guardrails", "reset", "send-limit", "--key", "acme"], "give these 2 values in that order"),
        (
            &["stop", "set", "--selector", "{agent: a}", "--ttl", "1h", "--reason", "drill"],
            "`agent` is no field of a target; write `agents`",
        ),
        (&["stop", "set", "--everything", "--ttl", "721h", "--reason", "drill"], "from `1s` to 30 days"),
        (&["stop", "set", "--everything", "--ttl", "1h", "--reason", ""], "callers are told why"),
        (&["stop", "set", "--ttl", "1h", "--reason", "drill"], "required arguments"),
        (&["stop", "clear", "no-id"], "is not the id of a stop"),
        (&["stop", "clear", "019a9e7c-0000-7000-8000-000000000000"], "no emergency stop"),
    ] {
        let refused = post.operate(args);
        assert_eq!((refused.code, refused.stderr.contains(want)), (2, true), "{args:?}: {refused:?}");
    }
}

#[test]
fn a_stop_denies_at_once_until_it_is_cleared() {
    let post = Post::open();
    let args = ["stop", "set", "--tenant", "ac*", "--action", "send", "--ttl", "1h", "--reason", "a loop"];
    let set = post.operated(&args);
    assert_eq!((&set["effect"], &set["reason"]), (&"DENY".into(), &"a loop".into()), "{set}");
    assert_eq!(post.send(&["--tenant", "acme"]), "DENY emergency_stop");
    assert_eq!(post.send(&["--tenant", "acme", "--phase", "ENQUEUE"]), "DENY emergency_stop");
    assert_eq!(post.send(&["--tenant", "other"]), "ALLOW rule");
    let address = post.serving.grpc.to_string();
    let asked = ["--address", &address, "--action", "send", "--tenant", "acme", "-o", "json"];
    let retried = ["retry", "--error-kind", "TRANSIENT", "--attempt", "0"];
    let retry = run(post.path(), &[&retried[..], &asked].concat()).json();
    assert_eq!((&retry["decision"], &retry["reason_code"]), (&"FAIL".into(), &"emergency_stop".into()));
    assert!(retry["reason"].as_str().unwrap().ends_with(": a loop"), "{retry}");
    let explained = run(post.path(), &[&["explain"], &asked[..]].concat()).json();
    assert_eq!(explained["decision"]["bundle"]["arm"], "BUILTIN", "{explained}");
    assert!(post.metric("tollgate_emergency_stops 1"));
    assert_eq!(post.operated(&["stop", "list"])["stops"][0], set);
    assert_eq!(post.operated(&["stop", "clear", set["id"].as_str().unwrap()])["cleared"][0]["id"], set["id"]);
    assert_eq!(post.send(&["--tenant", "acme"]), "ALLOW rule");
    assert!(post.metric("tollgate_emergency_stops 0"));
    assert!(post.metric("tollgate_operator_actions_total{operation=\"SET_STOP\"} 1"));
    assert!(post.metric("tollgate_operator_actions_total{operation=\"CLEAR_STOP\"} 1"));
}

#[test]
fn a_stop_that_allows_skips_the_rules_and_not_the_guardrails() {
    let post = Post::open();
    let args = ["stop", "set", "--allow", "--everything", "--ttl", "1h", "--reason", "hotfix"];
    post.operated(&args);
    assert_eq!(post.send(&["--user", "a"]), "ALLOW emergency_stop");
    post.operated(&["stop", "set", "--user", "b", "--ttl", "1h", "--reason", "not b"]);
    assert_eq!(post.send(&["--user", "b"]), "DENY emergency_stop", "deny beats allow");
    assert_eq!(post.send(&["--user", "a"]), "ALLOW emergency_stop");
    assert_eq!(post.send(&["--user", "a"]), "THROTTLE rate_limited");
    assert_eq!(post.operated(&["stop", "clear", "--all"])["cleared"].as_array().unwrap().len(), 2);
    assert_eq!(post.send(&["--user", "b"]), "ALLOW rule");
}

#[test]
fn a_stop_ends_by_itself() {
    let post = Post::open();
    post.operated(&["stop", "set", "--everything", "--ttl", "1s", "--reason", "a short one"]);
    assert_eq!(post.send(&[]), "DENY emergency_stop");
    eventually("its time is over", || (post.send(&["--dry-run"]) == "ALLOW rule").then_some(()));
    assert!(post.operate(&["stop", "list"]).stdout.contains("nothing is stopped"));
}

#[test]
fn what_operators_set_outlives_the_process() {
    let opened = ["--admin-uds", "admin.sock", "--state-dir", "state", "--state-interval-seconds", "0.1"];
    let mut post = Post::new(&opened);
    for signal in ["TERM", "KILL"] {
        let user = format!("{signal}-user");
        post.operated(&["stop", "set", "--user", &user, "--ttl", "1h", "--reason", "for a while"]);
        post.operated(&["guardrails", "force-open", "provider", "--key", signal]);
        // Written ten times a second.
        std::thread::sleep(std::time::Duration::from_millis(600));
        post.serving.signal(signal);
        post.serving.wait();
        post.serving = Serving::start(post.path(), &[&["b.yaml"], &opened[..]].concat());
        assert_eq!(post.send(&["--user", &user]), "DENY emergency_stop", "{signal}");
        assert_eq!(post.send(&["--tool", signal]), "DENY forced_open", "{signal}");
        assert_eq!(post.send(&["--user", "another", "--dry-run"]), "ALLOW rule", "{signal}");
    }
    assert_eq!(post.operated(&["stop", "clear", "--all"])["cleared"].as_array().unwrap().len(), 2);
}
