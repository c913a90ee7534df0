//! One schema for the configuration file, `TOLLGATE_*` variables and flags.
//!
//! Flags win over the environment, that over the file, that over the defaults. Everything that
//! is wrong is reported, each at its place; nothing is guessed.

mod consistent;
pub mod decision_log;
pub mod environment;
mod file;
pub mod flags;
pub mod identity;
mod log_place;
pub mod options;
pub mod page;
pub mod problem;
pub mod settings;
pub mod value;

pub use flags::Flags;
pub use options::{Config, OPTIONS, Spec};
pub use problem::{Origin, Problem, Problems};
pub use settings::{Setting, Settings};

use std::ffi::OsString;
use std::path::Path;

/// A configuration that stands.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the process runs with.
    pub config: Config,
    /// The same as text, with where each value came from.
    pub settings: Settings,
    /// What looks like a mistake and changes nothing.
    pub warnings: Vec<Problem>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: the configuration file cannot be read")]
    Unreadable {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It does not stand.
    #[error(transparent)]
    Wrong(#[from] Problems),
}

/// Reads the file that the flags name, and lays the environment and the flags over it.
///
/// # Errors
/// The file cannot be read, or something in one of the layers is wrong.
pub fn load(
    flags: &Flags,
    variables: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Error> {
    let (mut settings, mut problems, mut warnings) = (Settings::defaults(), vec![], vec![]);
    if let Some(path) = &flags.config {
        file::apply(path, &read(path)?, &mut settings, &mut problems);
    }
    environment::apply(variables, &mut settings, &mut problems, &mut warnings);
    for (spec, text) in &flags.given {
        settings.set(spec, text, Origin::Flag(flags::spelling(spec)), &mut problems);
    }
    let config = Config::from_settings(&settings).and_then(|config| consistent::check(config, &settings));
    match config {
        Ok(config) if problems.is_empty() => Ok(Loaded { config, settings, warnings }),
        Ok(_) => Err(Problems(problems).into()),
        Err(problem) => {
            problems.push(problem);
            Err(Problems(problems).into())
        }
    }
}

/// A configuration is small; a file beyond this is some other file.
const MOST_BYTES: u64 = 1 << 20;

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    use std::io::Read as _;
    let unreadable = |source| Error::Unreadable { path: path.display().to_string(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}
