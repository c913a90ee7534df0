//! Real programs that tests talk to, installed by `tests/parts` when they are missing.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of a program. One that cannot be had fails the test.
pub fn part(name: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts");
    let output = Command::new(&script).arg(name).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} {name}: {told}", script.display());
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}
