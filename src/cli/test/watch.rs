//! Runs the tests again whenever something changes.

use super::super::exit::{Failure, Outcome};
use super::super::output::{self, FAINT, styled};
use super::files;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files are looked at this often; that costs less than following every kind of file system.
const PAUSE: Duration = Duration::from_millis(300);

/// Runs, and again after each change, until the process is ended.
pub fn run(paths: &[PathBuf], once: impl Fn() -> Outcome) -> Outcome {
    loop {
        let before = look(paths);
        if std::io::stdout().is_terminal() {
            output::print("\x1b[2J\x1b[H");
        }
        if let Err(failure) = once() {
            output::note(&super::super::explain(&failure));
        }
        output::note(&styled(FAINT, "waiting for a change; Ctrl-C ends"));
        while look(paths) == before {
            std::thread::sleep(PAUSE);
        }
    }
}

type Seen = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// Everything that can change a result: all documents beside the tests and below them.
fn look(paths: &[PathBuf]) -> Result<Seen, Vec<PathBuf>> {
    let suites = files::find(paths).map_err(|_: Failure| paths.to_vec())?;
    let mut folders: Vec<&Path> = suites.iter().filter_map(|suite| suite.parent()).collect();
    folders.dedup();
    let mut seen = vec![];
    for folder in folders {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if let Ok(metadata) = entry.metadata() {
                seen.push((entry.path(), metadata.modified().ok(), metadata.len()));
            }
        }
    }
    seen.sort();
    Ok(seen)
}
