//! The exit codes that scripts rely on, and errors that know theirs.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// As wished.
    Fine = 0,
    /// With findings, or with a negative answer.
    Negative = 1,
    /// It was asked in a way that makes no sense.
    Usage = 2,
    /// Something could not be reached or read.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error with the code that the process ends with.
#[derive(Debug)]
pub struct Failure {
    /// The code.
    pub exit: Exit,
    /// What went wrong, and why.
    pub error: anyhow::Error,
    /// What a document is refused for, for programs; people have seen it on stderr.
    pub findings: Vec<serde_json::Value>,
}

/// What a command returns.
pub type Outcome = Result<Exit, Failure>;

/// Gives an error its exit code.
pub trait OrExit<T> {
    /// Ends with this code if it failed.
    ///
    /// # Errors
    /// The same error, with the code.
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure { exit, error: error.into(), findings: vec![] })
    }
}

impl Failure {
    /// Wrong use: `message` says what and what to do instead.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, error: anyhow::anyhow!("{message}"), findings: vec![] }
    }
}
