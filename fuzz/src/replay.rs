//! Every input of `corpus/` on its target: seeds, inputs that reach far, and whatever once was a defect.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{TARGETS, check};

/// A debug build on a busy machine is slower than a fuzzer; what stalls takes minutes.
const SECONDS: u64 = 20;
/// What is kept is read by people and by every clone: an input that needs more says why here.
const MOST_BYTES: u64 = 64 << 10;

fn corpus() -> PathBuf {
    // The library is also a test of the package above.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("corpus");
    if own.is_dir() { own } else { here.join("fuzz/corpus") }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("the target exists");
    let folder = corpus().join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{}: there is no input in it", folder.display());
    for path in paths {
        println!("{}", path.display());
        let input = fs::read(&path).expect("an input is a file");
        assert!(
            input.len() as u64 <= MOST_BYTES,
            "{}: {} bytes are too many to keep",
            path.display(),
            input.len()
        );
        check(target, &input, SECONDS);
    }
    check(target, &[], SECONDS);
}

#[test]
fn every_target_has_inputs_and_a_test() {
    let folders = fs::read_dir(corpus()).expect("there is a corpus");
    let folders: BTreeSet<String> =
        folders.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    let targets: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    assert_eq!(folders, targets, "the folders of `corpus/` and the targets");
    assert_eq!(TESTED.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), targets);
}

/// A test for each target, so that they run side by side.
macro_rules! tests {
    ($($name:ident)*) => {
        const TESTED: &[&str] = &[$(stringify!($name)),*];
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*
    };
}
tests! {
    admin agreement authzen bundle cases conditions config decision_log document envelope envoy_check envoy_limits glob
    state when wire
}
