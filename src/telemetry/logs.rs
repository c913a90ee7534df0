//! Log lines: for people on a terminal, one JSON object a line elsewhere. They go to stderr.

use std::io::{self, IsTerminal as _};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Form {
    /// Whether lines are for people, where stderr leads now.
    #[must_use]
    pub fn is_text(self) -> bool {
        match self {
            Self::Auto => io::stderr().is_terminal(),
            Self::Text => true,
            Self::Json => false,
        }
    }
}

/// Sends the log lines of this process to stderr, from `level` up; those of the libraries below
/// it only from warnings up, since theirs are about connections that come and go.
///
/// # Errors
/// Log lines already go somewhere.
pub fn install(form: Form, level: LevelFilter) -> anyhow::Result<()> {
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("tollgate", level);
    let lines = tracing_subscriber::registry().with(filter);
    if form.is_text() {
        let colours = io::stderr().is_terminal()
            && anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        let people =
            tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(colours).with_target(false);
        lines.with(people).try_init()?;
    } else {
        let programs = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(io::stderr);
        lines.with(programs).try_init()?;
    }
    Ok(())
}
