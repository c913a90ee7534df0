//! Where a log is, and its records one after the other, with what is missing or broken told on the way.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use crate::cli::exit::{Exit, Failure, OrExit as _};
use crate::cli::output::{self, CARE, styled};
use crate::decision_log::reader::{self, Lines, Read};

/// Where the decision log is.
#[derive(Debug, clap::Args)]
pub struct LogPlace {
    /// The decision log: its directory, or one file of it
    #[arg(long, value_name = "DIR|FILE", env = "TOLLGATE_DECISION_LOG_DIR")]
    log: Option<PathBuf>,
}

/// How often it is looked for more.
const LOOK: Duration = Duration::from_millis(200);
/// So much of what cannot be read is told piece by piece.
const MOST_TOLD: u64 = 10;

impl LogPlace {
    /// The path.
    ///
    /// # Errors
    /// None was given.
    pub fn path(&self) -> Result<&Path, Failure> {
        self.log.as_deref().ok_or_else(|| {
            Failure::usage(
                "which decision log? name its directory with `--log`, or set TOLLGATE_DECISION_LOG_DIR",
            )
        })
    }

    /// All records, with what could not be read told on stderr. Goes on with what comes, if it is to
    /// follow, until `each` gives `false`.
    ///
    /// # Errors
    /// There is no such log.
    pub fn read(
        &self,
        needle: Option<&str>,
        following: Following,
        each: &mut dyn FnMut(Step) -> bool,
    ) -> Result<(), Failure> {
        let path = self.path()?;
        let mut pass = Pass { needle, is_new: true, told: 0, untold: 0, last: HashMap::new(), each };
        let ended =
            if path.is_dir() { folder(path, following, &mut pass) } else { file(path, following, &mut pass) };
        pass.summary();
        ended
    }
}

/// What reading comes upon.
#[derive(Debug)]
pub enum Step {
    /// A record.
    Record(Value),
    /// All that was there when reading began. Comes once.
    End,
}

/// Whether to wait for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Following {
    /// Until what is there was read.
    No,
    /// For ever.
    Yes,
}

struct Pass<'p> {
    /// Only lines with this text are looked at.
    needle: Option<&'p str>,
    /// Whether the end was not reached yet.
    is_new: bool,
    told: u64,
    untold: u64,
    /// The newest number of each run, to see what is missing.
    last: HashMap<String, u64>,
    each: &'p mut dyn FnMut(Step) -> bool,
}

impl Pass<'_> {
    fn note(&mut self, what: &str) {
        if self.told < MOST_TOLD {
            self.told += 1;
            output::note(&format!("{}: {what}", styled(CARE, "warning")));
        } else {
            self.untold += 1;
        }
    }

    fn summary(&self) {
        if self.untold > 0 {
            output::note(&format!("{}: and {} more", styled(CARE, "warning"), self.untold));
        }
    }

    /// Shows what a file holds now; whether to go on.
    fn lines(&mut self, path: &Path, lines: &mut Lines, grows: bool) -> bool {
        lines.go_on();
        loop {
            match lines.next_with(self.needle) {
                None => return true,
                Some(Read::Record(record)) => {
                    self.gap(path, &record);
                    if !(self.each)(Step::Record(record)) {
                        return false;
                    }
                }
                Some(Read::Bad { line, why }) => self.note(&format!("{}:{line}: {why}", path.display())),
                // Its writer may be at it.
                Some(Read::Torn { .. }) if grows => {}
                Some(Read::Torn { line, bytes }) => {
                    let what = format!(
                        "the file ends within a line, after {bytes} bytes of it: its writer was cut off"
                    );
                    self.note(&format!("{}:{line}: {what}", path.display()));
                }
            }
        }
    }

    /// All that is there was read; whether to go on.
    fn end(&mut self) -> bool {
        !std::mem::take(&mut self.is_new) || (self.each)(Step::End)
    }

    /// Numbers that are missing were in lines that are missing.
    fn gap(&mut self, path: &Path, record: &Value) {
        let (Some(boot), Some(seq)) =
            (record.get("boot").and_then(Value::as_str), record.get("seq").and_then(Value::as_u64))
        else {
            return;
        };
        let before = self.last.insert(boot.to_owned(), seq);
        // Of lines that are passed over the numbers are not known.
        if let Some(before) = before.filter(|before| self.needle.is_none() && seq > before + 1) {
            let (first, last) = (before + 1, seq - 1);
            self.note(&format!("{}: records {first} to {last} of this run are missing", path.display()));
        }
    }
}

fn open(path: &Path) -> Result<Lines, Failure> {
    let opened = Lines::open(path).with_context(|| path.display().to_string());
    opened.or_exit(Exit::Unreachable)
}

fn file(path: &Path, following: Following, pass: &mut Pass<'_>) -> Result<(), Failure> {
    let mut lines = open(path)?;
    let follows = following == Following::Yes;
    while pass.lines(path, &mut lines, follows) && pass.end() && follows {
        std::thread::sleep(LOOK);
    }
    Ok(())
}

fn folder(dir: &Path, following: Following, pass: &mut Pass<'_>) -> Result<(), Failure> {
    let list = || reader::files(dir).with_context(|| dir.display().to_string()).or_exit(Exit::Unreachable);
    let mut here: Option<(PathBuf, Lines)> = None;
    loop {
        let files = list()?;
        let stem = |path: &Path| reader::stem(path).to_owned();
        let after = here.as_ref().map(|(path, _)| stem(path));
        let next = files.iter().find(|path| after.as_ref().is_none_or(|after| stem(path) > *after)).cloned();
        if let Some((path, lines)) = &mut here {
            // Nothing is added to a file that another follows.
            let grows = next.is_none();
            if !pass.lines(path, lines, grows && following == Following::Yes) {
                return Ok(());
            }
        }
        match next {
            Some(path) => match Lines::open(&path) {
                Ok(lines) => here = Some((path, lines)),
                // It was compressed or deleted meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(error).with_context(|| path.display().to_string()).or_exit(Exit::Unreachable);
                }
            },
            None if pass.end() && following == Following::Yes => std::thread::sleep(LOOK),
            None => return Ok(()),
        }
    }
}
