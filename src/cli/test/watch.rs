//! Runs the tests again whenever something changes.

use super::super::exit::Outcome;
use super::super::output::{self, FAINT, styled};
use super::files;
use crate::source::content;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files are looked at this often; that costs less than following every kind of file system.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs, and again after each change, until the process is ended.
pub fn run(paths: &[PathBuf], once: impl Fn() -> Outcome) -> Outcome {
    loop {
        let bundles = bundles(paths);
        let before = look(paths, &bundles);
        if std::io::stdout().is_terminal() {
            output::clear();
        }
        if let Err(failure) = once() {
            output::note(&super::super::explain(&failure));
        }
        output::note(&styled(FAINT, "waiting for a change; Ctrl-C ends"));
        while look(paths, &bundles) == before {
            std::thread::sleep(PAUSE);
        }
    }
}

/// The bundles that the tests at these paths are about.
fn bundles(paths: &[PathBuf]) -> Vec<PathBuf> {
    let suites = files::find(paths).unwrap_or_default();
    suites.iter().filter_map(|suite| files::bundle_of(suite)).collect()
}

/// A file, and what tells one content of it from another.
type Seen = (PathBuf, Option<SystemTime>, u64);

/// Everything that can change a result: the tests, and the documents of their bundles.
fn look(paths: &[PathBuf], bundles: &[PathBuf]) -> Vec<Seen> {
    let mut seen = vec![];
    for suite in files::find(paths).unwrap_or_default() {
        add(&suite, &mut seen);
    }
    for bundle in bundles {
        add(bundle, &mut seen);
        documents(bundle, 0, &mut seen);
    }
    seen.sort();
    seen
}

/// The documents of a bundle that is a folder.
fn documents(folder: &Path, depth: usize, seen: &mut Vec<Seen>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth < content::MAX_FOLDER_DEPTH {
            documents(&path, depth + 1, seen);
        } else if content::belongs(&entry.file_name().to_string_lossy()) {
            add(&path, seen);
        }
    }
}

fn add(path: &Path, seen: &mut Vec<Seen>) {
    if let Ok(metadata) = std::fs::metadata(path) {
        // A folder changes with every file in it, whatever that is.
        let (modified, len) =
            if metadata.is_dir() { (None, 0) } else { (metadata.modified().ok(), metadata.len()) };
        seen.push((path.into(), modified, len));
    }
}
