//! Following a file or a folder, through everything that editors and Kubernetes do to it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};
use tollgate::clock::Clock;
use tollgate::data_plane::{DataPlane, Options, State, Status};
use tollgate::source::{self, Handle};

struct Followed {
    folder: TempDir,
    plane: Arc<DataPlane>,
    handle: Handle,
    _stop: DropGuard,
}

fn bundle(version: &str) -> String {
    format!("format: tollgate/v1\nversion: {version}\nrules: []\n")
}

/// Follows `name` in a folder that `prepare` has filled.
fn follow(name: &str, prepare: impl FnOnce(&Path)) -> Followed {
    let folder = tempfile::tempdir().unwrap();
    prepare(folder.path());
    let plane = DataPlane::new(Options::default(), Clock::system()).unwrap();
    let stop = CancellationToken::new();
    let path = folder.path().join(name);
    let handle = source::file::watch(path, Arc::clone(&plane), stop.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(handle.first_look());
    Followed { folder, plane, handle, _stop: stop.drop_guard() }
}

impl Followed {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Long before the next poll.
    fn wait(&self, what: &str, reached: impl Fn(&Status) -> bool) -> Status {
        let begin = Instant::now();
        loop {
            let status = self.plane.status();
            if reached(&status) {
                return status;
            }
            assert!(begin.elapsed() < Duration::from_secs(10), "{what}: {status:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait_for_version(&self, version: &str) {
        self.wait(version, |status| status.state == State::Ready && self::version(status) == Some(version));
    }
}

fn version(status: &Status) -> Option<&str> {
    status.bundle.as_ref().map(|bundle| bundle.version.as_str())
}

#[test]
fn a_file_written_in_place_is_followed() {
    let followed = follow("b.yaml", |at| fs::write(at.join("b.yaml"), bundle("1.0.0")).unwrap());
    followed.wait_for_version("1.0.0");
    fs::write(followed.path("b.yaml"), bundle("1.0.1")).unwrap();
    followed.wait_for_version("1.0.1");
}

#[test]
fn an_editor_that_writes_by_rename_is_followed() {
    let followed = follow("b.yaml", |at| fs::write(at.join("b.yaml"), bundle("1.0.0")).unwrap());
    for version in ["1.0.1", "1.0.2", "1.0.3"] {
        fs::write(followed.path(".b.yaml.swp"), bundle(version)).unwrap();
        fs::rename(followed.path(".b.yaml.swp"), followed.path("b.yaml")).unwrap();
        followed.wait_for_version(version);
    }
}

/// As the kubelet does: files are links through `..data`, which is a link that is renamed.
#[test]
fn a_config_map_is_followed_as_file_and_as_folder() {
    for name in ["map", "map/b.yaml"] {
        let publish = |at: &Path, version: &str| {
            let map = at.join("map");
            let generation = format!("..{version}");
            fs::create_dir_all(map.join(&generation)).unwrap();
            fs::write(map.join(&generation).join("b.yaml"), bundle(version)).unwrap();
            symlink(&generation, map.join("..data_tmp")).unwrap();
            fs::rename(map.join("..data_tmp"), map.join("..data")).unwrap();
        };
        let followed = follow(name, |at| {
            publish(at, "1.0.0");
            symlink("..data/b.yaml", at.join("map/b.yaml")).unwrap();
        });
        followed.wait_for_version("1.0.0");
        for version in ["1.0.1", "1.0.2"] {
            publish(followed.folder.path(), version);
            followed.wait_for_version(version);
        }
    }
}

/// As git-sync does: a link above the folder is renamed.
#[test]
fn a_link_far_above_is_followed() {
    for name in ["gs/current/policies", "gs/current/policies/team", "gs/current/policies/team/b.yaml"] {
        let publish = |at: &Path, version: &str| {
            let gs = at.join("gs");
            let folder = gs.join(version).join("policies/team");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("b.yaml"), bundle(version)).unwrap();
            symlink(version, gs.join("next")).unwrap();
            fs::rename(gs.join("next"), gs.join("current")).unwrap();
        };
        let followed = follow(name, |at| publish(at, "1.0.0"));
        followed.wait_for_version("1.0.0");
        for version in ["1.0.1", "1.0.2"] {
            publish(followed.folder.path(), version);
            followed.wait_for_version(version);
        }
    }
}

#[test]
fn what_is_missing_is_waited_for() {
    for name in ["b.yaml", "deep/er/b.yaml", "deep/folder"] {
        let followed = follow(name, |_| ());
        let status = followed.plane.status();
        assert_eq!((status.state, status.updates.rejected), (State::NotReady, 0));
        let error = status.last_error.unwrap().refusal.findings.join("\n");
        let want = "no such file or folder; it is read as soon as it appears";
        assert!(error.ends_with(want), "{error}");
        let target = followed.path(name);
        let target = if name.ends_with("folder") { target.join("b.yaml") } else { target };
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bundle("1.0.0")).unwrap();
        followed.wait_for_version("1.0.0");
    }
}

#[test]
fn a_folder_that_is_replaced_as_a_whole_is_followed() {
    let fill = |at: &Path, name: &str, version: &str| {
        fs::create_dir(at.join(name)).unwrap();
        fs::write(at.join(name).join("b.yaml"), bundle(version)).unwrap();
    };
    let followed = follow("live", |at| fill(at, "live", "1.0.0"));
    followed.wait_for_version("1.0.0");
    fill(followed.folder.path(), "next", "1.0.1");
    fs::rename(followed.path("live"), followed.path("old")).unwrap();
    fs::rename(followed.path("next"), followed.path("live")).unwrap();
    followed.wait_for_version("1.0.1");
    fs::write(followed.path("live/b.yaml"), bundle("1.0.2")).unwrap();
    followed.wait_for_version("1.0.2");
}

#[test]
fn files_of_a_folder_come_and_go() {
    let rules = "rules:\n  - {id: one-more, effect: deny, reason: There is one more now}\n";
    let followed = follow("folder", |at| {
        fs::create_dir(at.join("folder")).unwrap();
        fs::write(at.join("folder/a.yaml"), bundle("1.0.0")).unwrap();
    });
    let rules_are =
        |n: usize| move |status: &Status| status.bundle.as_ref().is_some_and(|bundle| bundle.rules == n);
    followed.wait("one file", rules_are(0));
    fs::create_dir(followed.path("folder/team")).unwrap();
    fs::write(followed.path("folder/team/b.yaml"), rules).unwrap();
    followed.wait("two files", rules_are(1));
    fs::write(followed.path("folder/c.test.yaml"), "not: a bundle").unwrap();
    fs::remove_file(followed.path("folder/team/b.yaml")).unwrap();
    let status = followed.wait("one file again", rules_are(0));
    assert_eq!(status.state, State::Ready);
}

#[test]
fn a_broken_update_keeps_the_last_good_one_until_it_is_mended() {
    let followed = follow("b.yaml", |at| fs::write(at.join("b.yaml"), bundle("1.0.0")).unwrap());
    fs::write(followed.path("b.yaml"), "format: tollgate/v1\nversion: 1.0.1\nrulez: []\n").unwrap();
    let status = followed.wait("refused", |status| status.state == State::ReadyLkg);
    assert_eq!((version(&status), status.ready, status.stale), (Some("1.0.0"), true, true));
    let error = status.last_error.unwrap().refusal.findings.join("\n");
    assert!(error.contains("b.yaml:3:1: "), "{error}");
    assert!(error.contains("`rulez`") && error.contains("`rules`"), "{error}");
    assert_eq!((status.updates.applied, status.updates.rejected), (1, 1));

    // The same content as before is the newest again.
    fs::write(followed.path("b.yaml"), bundle("1.0.0")).unwrap();
    let status = followed.wait("mended", |status| status.state == State::Ready);
    assert!(status.last_error.is_none() && !status.stale);
    assert_eq!(status.updates.unchanged, 1);
    fs::write(followed.path("b.yaml"), bundle("1.0.2")).unwrap();
    followed.wait_for_version("1.0.2");
}

#[test]
fn a_file_that_goes_away_leaves_the_last_good_one() {
    let followed = follow("b.yaml", |at| fs::write(at.join("b.yaml"), bundle("1.0.0")).unwrap());
    fs::remove_file(followed.path("b.yaml")).unwrap();
    followed.wait("gone", |status| status.state == State::ReadyLkg && status.ready);
    fs::write(followed.path("b.yaml"), bundle("1.0.0")).unwrap();
    followed.wait_for_version("1.0.0");
}

#[test]
fn a_file_of_100_mb_is_refused_unread() {
    let followed = follow("b.yaml", |at| {
        fs::File::create(at.join("b.yaml")).unwrap().set_len(100 << 20).unwrap();
    });
    let status = followed.plane.status();
    let error = status.last_error.unwrap().refusal.findings.join("\n");
    let want = "b.yaml: 104857600 bytes; the files of a bundle have at most 16777216 together";
    assert!(error.ends_with(want), "{error}");
}

#[test]
fn a_reload_offers_the_same_again() {
    let followed = follow("b.yaml", |at| fs::write(at.join("b.yaml"), bundle("1.0.0")).unwrap());
    followed.handle.reload();
    followed.wait("offered again", |status| status.updates.unchanged == 1);
    followed.handle.reload();
    let status = followed.wait("and again", |status| status.updates.unchanged == 2);
    assert_eq!((status.updates.applied, status.updates.rejected), (1, 0));
}

#[test]
fn reading_the_bundle_does_not_wake_its_reader() {
    let followed = follow("folder", |at| {
        fs::create_dir(at.join("folder")).unwrap();
        fs::write(at.join("folder/a.yaml"), bundle("1.0.0")).unwrap();
    });
    followed.wait_for_version("1.0.0");
    std::thread::sleep(Duration::from_millis(500));
    let updates = followed.plane.status().updates;
    assert_eq!((updates.applied, updates.unchanged, updates.rejected), (1, 0, 0));
}
