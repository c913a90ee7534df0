//! Where commands print: the answer to stdout, everything about it to stderr.

use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io;

/// In what form a command answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON document.
    Json,
}

/// `--output`, for every command whose answer a program may read.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Output {
    /// In what form to answer
    #[arg(long = "output", short = 'o', value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

impl Output {
    /// Whether a program reads it.
    pub fn is_json(self) -> bool {
        self.format == Format::Json
    }
}

/// Styles; a terminal shows them, and nothing else gets them.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What refuses.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// What needs attention.
pub const CARE: Style = AnsiColor::Yellow.on_default().bold();
/// Headings.
pub const HEAD: Style = Style::new().bold();
/// What may be passed over.
pub const FAINT: Style = Style::new().dimmed();

/// The text in this style.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Prints to stdout, a line end added where there is none. A reader that went away is no error:
/// it has seen what it wanted.
pub fn print(text: &str) {
    write(&mut anstream::stdout().lock(), text);
}

/// The same to stderr.
pub fn note(text: &str) {
    write(&mut anstream::stderr().lock(), text);
}

/// Prints a JSON document.
pub fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => note(&format!("{}: {error}", styled(BAD, "error"))),
    }
}

fn write(to: &mut impl io::Write, text: &str) {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let _ =
        to.write_all(text.as_bytes()).and_then(|()| to.write_all(end.as_bytes())).and_then(|()| to.flush());
}
