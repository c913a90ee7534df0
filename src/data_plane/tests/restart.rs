//! A process after a process, with clocks and disks in between.

use std::fs;

use super::guarding::{FEW, ask_plain};
use super::*;
use crate::data_plane::stops::{NewStop, StopView};
use tollgate_engine::decide::StopEffect;
use tollgate_engine::unit::Span;

const START: i64 = 1_700_000_000_000_000_000;
const MORE: &str = "  - {name: more, type: rate_limit, rules: {limit: 1, window_seconds: 9}}\n";

/// The next process, whose wall clock says so many seconds after the first one's start.
fn life(dir: &Path, seconds: i64) -> Arc<DataPlane> {
    let clock = Clock::manual(WallTime::from_nanos(START + seconds * 1_000_000_000));
    DataPlane::new(in_dir(dir), clock).unwrap()
}

fn bundle(guardrails: &str) -> String {
    format!("{RULES}guardrails:\n{guardrails}")
}

#[test]
fn time_that_it_was_down_counts_and_a_clock_that_went_back_gives_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = life(dir.path(), 0);
    install(&first, &bundle(FEW));
    assert_eq!(ask_plain(&first), "ALLOW rule");
    assert_eq!(ask_plain(&first), "ALLOW rule");
    first.close();
    drop(first);
    for (seconds, want) in [
        (4, "THROTTLE rate_limited 5000 ms"),
        (-100, "THROTTLE rate_limited 5000 ms"),
        (-97, "THROTTLE rate_limited 2000 ms"),
        (-95, "ALLOW rule"),
    ] {
        let next = life(dir.path(), seconds);
        assert_eq!(ask_plain(&next), want, "at {seconds} s");
        next.close();
    }
}

#[test]
fn guardrails_that_only_the_source_names_go_on_with_its_bundle() {
    for (between, want) in [(None, "THROTTLE rate_limited 9000 ms"), (Some(bundle(FEW)), "ALLOW rule")] {
        let dir = tempfile::tempdir().unwrap();
        let first = life(dir.path(), 0);
        install(&first, &bundle(FEW));
        // The last good bundle stays the one before: its place is taken.
        fs::create_dir_all(dir.path().join("last-good-bundle.json.new/x")).unwrap();
        install(&first, &bundle(&format!("{FEW}{MORE}")));
        assert_eq!(ask_plain(&first), "ALLOW rule");
        first.close();
        drop(first);

        let next = life(dir.path(), 0);
        if let Some(text) = &between {
            assert!(matches!(next.offer(&offer(text)), Outcome::Unchanged), "the last good one");
        }
        assert_eq!(ask_plain(&next), "ALLOW rule", "`few` has one left");
        assert_eq!(ask_plain(&next), "THROTTLE rate_limited 9000 ms");
        install(&next, &bundle(&format!("{}{MORE}", FEW.replace("limit: 2", "limit: 3"))));
        assert_eq!(ask_plain(&next), want, "{between:?}");
    }
}

#[test]
fn an_instance_lives_on_with_its_state_only() {
    let dir = tempfile::tempdir().unwrap();
    let instance = |plane: &DataPlane| plane.status().instance;
    let first = life(dir.path(), 0);
    let one = instance(&first);
    first.close();
    drop(first);
    let kept = fs::read(dir.path().join("state")).unwrap();
    let second = life(dir.path(), 0);
    assert_eq!(instance(&second), one);
    second.close();
    drop(second);

    fs::remove_file(dir.path().join("state")).unwrap();
    let third = life(dir.path(), 0);
    let three = instance(&third);
    assert_ne!(three, one, "what it had spent is gone");
    third.close();
    drop(third);
    // Somebody has brought back an old file.
    fs::write(dir.path().join("state"), kept).unwrap();
    assert!(![one, three].contains(&instance(&life(dir.path(), 0))));
}

#[test]
fn an_end_that_could_not_be_written_is_no_clean_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = life(dir.path(), 0);
    let one = first.status().instance;
    fs::create_dir_all(dir.path().join("state.new/x")).unwrap();
    first.close();
    drop(first);
    assert!(!dir.path().join("instance").exists());
    fs::remove_dir_all(dir.path().join("state.new")).unwrap();
    assert_ne!(life(dir.path(), 0).status().instance, one);
}

#[test]
fn what_an_operator_stops_before_the_first_bundle_is_known_after_a_restart() {
    let stop = |plane: &DataPlane, selector: &str| {
        let ttl = Span::from_nanos(600_000_000_000);
        let new = NewStop { selector, effect: StopEffect::Deny, reason: "drill", by: "ada", ttl };
        plane.set_stop(&new).unwrap()
    };
    let ids = |stops: Vec<StopView>| stops.into_iter().map(|stop| stop.id).collect::<Vec<_>>();
    let dir = tempfile::tempdir().unwrap();
    let first = life(dir.path(), 0);
    install(&first, &bundle(FEW));
    assert_eq!(ask_plain(&first), "ALLOW rule");
    let gone = stop(&first, "{tenants: gone}").id;
    first.close();
    drop(first);
    fs::remove_file(dir.path().join("last-good-bundle.json")).unwrap();

    let second = life(dir.path(), 1);
    assert_eq!(ids(second.clear_stops(None, "ada")), [gone]);
    let stays = stop(&second, "{tenants: stays}").id;
    second.close();
    drop(second);
    let third = life(dir.path(), 2);
    assert_eq!(ids(third.list_stops()), [stays]);
    install(&third, &bundle(FEW));
    assert_eq!(ask_plain(&third), "ALLOW rule");
    assert_eq!(ask_plain(&third), "THROTTLE rate_limited 7000 ms", "what the first took waited on");
    third.close();
    drop(third);
    assert_eq!(ids(life(dir.path(), 3).list_stops()), [stays]);
}
