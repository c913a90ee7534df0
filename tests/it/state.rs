//! What outlives a process: limits, budgets and open decisions, over clean ends, kills, damage and
//! disks that fail.

mod bad_disk;
pub mod client;
mod kills;

use std::fs;
use std::path::Path;

use client::{Client, bundle};
use serde_json::Value;
use tempfile::TempDir;
use tollgate::pb::{Effect, ReportResult};

use crate::binary::{Serving, eventually, run};

const ARGS: [&str; 3] = ["b.yaml", "--state-dir", "state"];

fn folder(few: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), bundle(few)).unwrap();
    folder
}

fn status(serving: &Serving) -> Value {
    serde_json::from_str(&serving.get("/status").1).unwrap()
}

fn writes(serving: &Serving) -> u64 {
    status(serving)["state_file"]["writes"].as_u64().unwrap()
}

/// Everything that was answered before is on the disk.
fn written(serving: &Serving) {
    let before = writes(serving);
    // The first of them may have begun before.
    eventually("two writes", || (writes(serving) >= before + 2).then_some(()));
}

#[tokio::test]
async fn limits_budgets_and_open_decisions_go_on_after_a_clean_end_and_a_kill() {
    let folder = folder(3);
    let mut serving = Serving::start(folder.path(), &ARGS);
    let mut client = Client::connect(&serving).await;
    for want in [Effect::Allow, Effect::Allow] {
        assert_eq!(client.ask("few").await.effect(), want);
    }
    let job = client.ask("job").await;
    assert_eq!(client.used("job").await, 1.0, "{job:?}");

    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
    let mut serving = Serving::start(folder.path(), &ARGS);
    let mut client = Client::connect(&serving).await;
    assert_eq!((client.used("few").await, client.used("job").await), (2.0, 1.0));
    assert_eq!(client.ask("few").await.effect(), Effect::Allow);
    assert_eq!(client.ask("few").await.effect(), Effect::Throttle);
    assert_eq!(client.report(&job.decision_id).await, ReportResult::Applied);
    let open = client.ask("job").await;
    let free = client.ask("free").await;

    written(&serving);
    serving.signal("KILL");
    serving.wait();
    let serving = Serving::start(folder.path(), &ARGS);
    let mut client = Client::connect(&serving).await;
    assert_eq!((client.used("few").await, client.used("job").await), (3.0, 2.0));
    assert_eq!(client.ask("few").await.effect(), Effect::Throttle);
    for (id, want) in [
        (&job.decision_id, ReportResult::Duplicate),
        (&open.decision_id, ReportResult::Applied),
        (&open.decision_id, ReportResult::Duplicate),
        (&free.decision_id, ReportResult::Applied),
        (&free.decision_id, ReportResult::Duplicate),
    ] {
        assert_eq!(client.report(id).await, want, "{id}");
    }
    assert_eq!(client.used("job").await, 2.0);
    let restored = &status(&serving)["state_file"]["restored"];
    assert_eq!((&restored["open_decisions"], &restored["keys_left_out"]), (&1.into(), &0.into()));
}

#[tokio::test]
async fn what_was_kept_waits_for_a_bundle() {
    let folder = folder(3);
    let mut serving = Serving::start(folder.path(), &ARGS);
    assert_eq!(Client::connect(&serving).await.ask("few").await.effect(), Effect::Allow);
    serving.signal("TERM");
    serving.wait();
    // Neither the last good bundle nor that of the source can be read.
    fs::remove_file(folder.path().join("state/last-good-bundle.json")).unwrap();
    fs::write(folder.path().join("b.yaml"), "rules: what").unwrap();
    let kept = fs::read(folder.path().join("state/state")).unwrap();
    for end in ["KILL", "TERM"] {
        let mut waiting =
            Serving::start(folder.path(), &[&ARGS[..], &["--state-interval-seconds", "0.01"]].concat());
        std::thread::sleep(std::time::Duration::from_millis(100));
        waiting.signal(end);
        waiting.wait();
        assert_eq!(fs::read(folder.path().join("state/state")).unwrap(), kept, "after {end}");
    }
    let serving = Serving::start(folder.path(), &ARGS);
    assert_eq!(status(&serving)["state_file"]["restored"], Value::Null);
    fs::write(folder.path().join("b.yaml"), bundle(3)).unwrap();
    serving.signal("HUP");
    eventually("it is ready", || (serving.get("/readyz").0 == 200).then_some(()));
    assert_eq!(Client::connect(&serving).await.used("few").await, 1.0);
}

#[test]
fn a_directory_is_for_one_process() {
    let folder = folder(1);
    let first = Serving::start(folder.path(), &ARGS);
    let args = [&["serve", "--grpc", "127.0.0.1:0", "--metrics", "none"], &ARGS[..]].concat();
    let second = run(folder.path(), &args);
    assert_eq!(second.code, 3, "{second:?}");
    assert!(second.stderr.contains("state: another process uses this state directory"), "{second:?}");
    drop(first);
    drop(Serving::start(folder.path(), &ARGS));
}

fn in_state(folder: &Path, start: &str) -> Vec<String> {
    let names = fs::read_dir(folder.join("state")).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name.starts_with(start));
    names
}

#[tokio::test]
async fn a_damaged_file_is_refused_or_set_aside() {
    let folder = folder(1);
    let mut serving = Serving::start(folder.path(), &ARGS);
    assert_eq!(Client::connect(&serving).await.ask("few").await.effect(), Effect::Allow);
    let instance = status(&serving)["instance"].clone();
    serving.signal("TERM");
    serving.wait();
    let path = folder.path().join("state/state");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();

    // It refuses as often as it is asked, and changes nothing.
    let args = [&["serve", "--grpc", "127.0.0.1:0", "--metrics", "none"], &ARGS[..]].concat();
    for _ in 0..2 {
        let refused = run(folder.path(), &args);
        assert_eq!(refused.code, 3, "{refused:?}");
        for want in [
            "state/state: the state cannot be read: it is damaged: the checksum is wrong",
            "`--on-bad-state fresh`",
        ] {
            assert!(refused.stderr.contains(want), "{want}: {refused:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    let serving = Serving::start(folder.path(), &[&ARGS[..], &["--on-bad-state", "fresh"]].concat());
    let aside = in_state(folder.path(), "state.damaged-");
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(fs::read(folder.path().join("state").join(&aside[0])).unwrap(), bytes);
    assert_eq!(status(&serving)["state_file"]["set_aside"], Value::from(aside[0].as_str()));
    assert!(
        serving.log.iter().any(|line| line["level"] == "ERROR" && line["aside"] == aside[0]),
        "{:?}",
        serving.log
    );
    assert_ne!(status(&serving)["instance"], instance, "grants of before ended with their state");
    assert_eq!(Client::connect(&serving).await.ask("few").await.effect(), Effect::Allow);
}

#[tokio::test]
async fn a_disk_that_fails_stops_nothing() {
    let folder = folder(2);
    let serving = Serving::start(folder.path(), &[&ARGS[..], &["--state-interval-seconds", "0.02"]].concat());
    let mut client = Client::connect(&serving).await;
    written(&serving);
    // Whoever may write everywhere cannot write into a file as if it were a folder.
    let (state, away) = (folder.path().join("state"), folder.path().join("away"));
    fs::rename(&state, &away).unwrap();
    fs::write(&state, "no folder").unwrap();
    let failures = || status(&serving)["state_file"]["failures"].as_u64().unwrap();
    eventually("it fails", || (failures() > 3).then_some(()));
    assert_eq!(client.ask("few").await.effect(), Effect::Allow);
    assert_eq!(client.ask("few").await.effect(), Effect::Allow);
    assert_eq!(client.ask("few").await.effect(), Effect::Throttle);
    let shown = status(&serving);
    assert!(
        shown["state_file"]["error"].as_str().is_some_and(|error| error.contains("directory")),
        "{shown}"
    );
    let metrics = serving.get("/metrics").1;
    let failed =
        metrics.lines().find_map(|line| line.strip_prefix("tollgate_state_writes_total{result=\"failed\"} "));
    assert!(failed.is_some_and(|count| count.parse::<u64>().unwrap() > 3), "{metrics}");
    assert!(metrics.contains("\ntollgate_state_age_seconds "), "{metrics}");

    fs::remove_file(&state).unwrap();
    fs::rename(&away, &state).unwrap();
    eventually("it writes again", || status(&serving)["state_file"]["error"].is_null().then_some(()));
    drop(serving);
    let serving = Serving::start(folder.path(), &ARGS);
    assert_eq!(Client::connect(&serving).await.ask("few").await.effect(), Effect::Throttle);
}
