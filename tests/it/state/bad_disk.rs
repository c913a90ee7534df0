//! Disks that are full and files that were damaged, wherever it hits them: decisions go on, and the operator is told.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tollgate::pb::Effect;

use super::client::Client;
use super::{ARGS, folder, in_state, status, written};
use crate::binary::{Serving, eventually, run};

/// A shell that lets no file grow over 4 KiB, as a full disk would not: half of a file is written, the rest is refused.
fn on_a_full_disk(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("limited");
    let script =
        format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f 8\nexec {} \"$@\"\n", env!("CARGO_BIN_EXE_tollgate"));
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_state_and_decisions() {
    let folder = folder(2);
    let limited = on_a_full_disk(folder.path());
    let args = [&ARGS[..], &["--state-interval-seconds", "0.02"]].concat();
    let mut serving = Serving::start_as(&limited, folder.path(), "127.0.0.1:0", &args, Stdio::inherit());
    let mut client = Client::connect(&serving).await;
    assert_eq!(client.ask("few").await.effect(), Effect::Allow);
    written(&serving);
    // Reservations, until they need more room than there is.
    for _ in 0..200 {
        assert_eq!(client.ask("job").await.effect(), Effect::Allow);
    }
    let failures = || status(&serving)["state_file"]["failures"].as_u64().unwrap();
    eventually("it fails", || (failures() > 3).then_some(()));
    assert_eq!(client.ask("few").await.effect(), Effect::Allow);
    assert_eq!(client.ask("few").await.effect(), Effect::Throttle);
    let shown = status(&serving);
    let error = shown["state_file"]["error"].as_str().unwrap_or_default();
    assert!(error.contains("too large"), "{shown}");
    assert!(shown["state_file"]["age_seconds"].as_f64().is_some_and(|age| age > 0.0), "{shown}");
    let metrics = serving.get("/metrics").1;
    let failed = "tollgate_state_writes_total{result=\"failed\"} ";
    assert!(metrics.lines().any(|line| line.starts_with(failed)), "{metrics}");
    // There is one for the moment of each attempt.
    let none = || in_state(folder.path(), "state.new").is_empty().then_some(());
    eventually("no half of a file stays on a full disk", none);

    // What was on the disk before is whole.
    serving.signal("KILL");
    serving.wait();
    let serving = Serving::start(folder.path(), &ARGS);
    let mut client = Client::connect(&serving).await;
    assert_eq!(client.used("few").await, 1.0, "{:?}", status(&serving)["state_file"]);
}

/// Where a file can be hit, and what it is then.
fn damaged(whole: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let flipped = |at: usize| {
        let mut bytes = whole.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let end = whole.len();
    vec![
        ("the first byte", flipped(0)),
        ("the major version", flipped(8)),
        ("the minor version", flipped(10)),
        ("the number of the first section", flipped(12)),
        ("the length of the first section", flipped(14)),
        ("the high byte of that length", flipped(17)),
        ("the first record", flipped(18)),
        ("the middle", flipped(end / 2)),
        ("the mark of the end", flipped(end - 10)),
        ("the length of the end", flipped(end - 8)),
        ("the checksum", flipped(end - 4)),
        ("the last byte", flipped(end - 1)),
        ("nothing is left", Vec::new()),
        ("half of it is gone", whole[..end / 2].to_vec()),
        ("the last byte is gone", whole[..end - 1].to_vec()),
        ("something follows", [whole, &[0]].concat()),
        ("twice the same", [whole, whole].concat()),
        ("zeros, as after a crash of a file system", vec![0; end]),
    ]
}

#[tokio::test]
async fn wherever_damage_hits_it_is_refused_or_set_aside_and_said() {
    let folder = folder(1);
    let mut serving = Serving::start(folder.path(), &ARGS);
    assert_eq!(Client::connect(&serving).await.ask("few").await.effect(), Effect::Allow);
    serving.signal("TERM");
    serving.wait();
    let path = folder.path().join("state/state");
    let whole = fs::read(&path).unwrap();
    let refusing = [&["serve", "--grpc", "127.0.0.1:0", "--metrics", "none"], &ARGS[..]].concat();
    for (hit, bytes) in damaged(&whole) {
        fs::write(&path, &bytes).unwrap();
        let refused = run(folder.path(), &refusing);
        let is_told = refused.stderr.contains("state/state: the state cannot be read")
            && refused.stderr.contains("`--on-bad-state fresh`");
        assert!(refused.code == 3 && is_told, "{hit}: {refused:?}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{hit}: it was changed");

        let serving = Serving::start(folder.path(), &[&ARGS[..], &["--on-bad-state", "fresh"]].concat());
        let asked = Client::connect(&serving).await.ask("few").await;
        assert_eq!(asked.effect(), Effect::Allow, "{hit}: half of it was taken");
        let aside = status(&serving)["state_file"]["set_aside"].clone();
        let kept = folder.path().join("state").join(aside.as_str().unwrap_or_default());
        assert_eq!(fs::read(&kept).unwrap(), bytes, "{hit}: {aside}");
        let says = |line: &Value| line["level"] == "ERROR" && line["aside"] == aside;
        assert!(serving.log.iter().any(says), "{hit}: {:?}", serving.log);
    }
    // The whole one is still read after all that.
    fs::write(&path, &whole).unwrap();
    let serving = Serving::start(folder.path(), &ARGS);
    assert_eq!(Client::connect(&serving).await.ask("few").await.effect(), Effect::Throttle);
}
