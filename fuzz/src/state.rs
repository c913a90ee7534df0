//! State files: one that is read serves, and what is written after it can be read; any other is refused whole.
//!
//! Each input is tried as it is and with its checksum mended, without which nearly all of them would end there.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::config::value::OnBadState;
use tollgate::data_plane::{DataPlane, Offer, Options, Outcome};

use crate::requests::{self, GUARDED, NOW};
use crate::scratch;

/// Longer than any input is tried: nothing is written but at the end.
const NEVER: Duration = Duration::from_secs(86_400);

pub(crate) fn run(input: &[u8]) {
    let is_whole = input.split_last_chunk().is_some_and(|(before, crc)| checksum(before) == *crc);
    let taken = try_one(input);
    assert!(is_whole || !taken, "a file with a wrong checksum was taken");
    if let (false, Some((before, _))) = (is_whole, input.split_last_chunk::<4>()) {
        try_one(&[before, &checksum(before)].concat());
    }
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    crc32fast::hash(bytes).to_le_bytes()
}

/// Starts on a state file, decides, ends, starts again; whether the file was taken.
fn try_one(state: &[u8]) -> bool {
    let dir = scratch::folder().join("state-dir");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("the folder takes a folder");
    fs::write(dir.join("state"), state).expect("the folder takes a file");
    let Some(plane) = start(&dir) else {
        let kept = fs::read(dir.join("state")).expect("a file that is refused stays");
        assert_eq!(kept, state, "a file that is refused was changed");
        return false;
    };
    work(&plane, false);
    plane.close();
    drop(plane);
    let again = start(&dir).expect("what this program writes it reads");
    work(&again, true);
    true
}

fn start(dir: &Path) -> Option<Arc<DataPlane>> {
    let options = Options {
        state_dir: Some(dir.to_owned()),
        state_interval: NEVER,
        on_bad_state: OnBadState::Refuse,
        max_open_decisions: 1_000,
        ..Options::default()
    };
    DataPlane::new(options, Clock::manual(NOW)).ok()
}

fn work(plane: &DataPlane, is_known: bool) {
    let offer =
        Offer { name: "bundle".to_owned(), files: vec![("b.yaml".to_owned(), GUARDED.as_bytes().to_vec())] };
    let outcome = plane.offer(&offer);
    let fits =
        if is_known { matches!(outcome, Outcome::Unchanged) } else { matches!(outcome, Outcome::Applied) };
    assert!(fits, "{outcome:?}");
    for document in requests::all() {
        plane.authorize(&document.request(), |answer| answer.verdict.limits.len());
        let _ = plane.budget(&document.request(), |answer| answer.limits.len());
        plane.clock().advance(1_000_000_000);
    }
    for _ in 0..4 {
        plane.sweep();
        plane.clock().advance(3_600_000_000_000);
    }
    let _ = plane.status();
}
