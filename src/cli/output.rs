//! Where commands print: the answer to stdout, everything about it to stderr.

use super::exit::Outcome;
use super::visible;
use anstyle::{AnsiColor, Style};
use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// The outcome of a command that answers one question. A program that asked is told a failure
    /// on stdout too, as `error` and `findings`; what is wrong stands on stderr in any case.
    pub fn told(self, outcome: Outcome) -> Outcome {
        if let (true, Err(failure)) = (self.is_json(), &outcome) {
            let error = format!("{:#}", failure.error);
            print_json(&serde_json::json!({"error": error, "findings": failure.findings}));
        }
        outcome
    }

    /// Prints the answer: as it is for a program, else as `text` puts it for people.
    pub fn show(self, answer: &serde_json::Value, text: impl FnOnce(&serde_json::Value) -> String) {
        if self.is_json() {
            print_json(answer);
        } else {
            print(&text(answer));
        }
    }

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

/// The text in this style, and in no other.
pub fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{}{style:#}", visible::text(&text.to_string()))
}

/// Whether an answer could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// Prints to stdout, a line end added where there is none. A reader that went away is no error:
/// it has seen what it wanted. Any other failure is told once, and [`lost`] remembers it.
pub fn print(text: &str) {
    if let Err(error) = write(&mut anstream::stdout().lock(), text)
        && error.kind() != io::ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        note(&format!("{}: the answer cannot be written: {error}", styled(BAD, "error")));
    }
}

/// Whether some of what was printed went nowhere although somebody wanted it.
pub fn lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// The same to stderr.
pub fn note(text: &str) {
    // When this fails there is no place left to say so.
    let _ = write(&mut anstream::stderr().lock(), text);
}

/// Empties the terminal.
pub fn clear() {
    // A screen that keeps its old lines harms nobody.
    let _ = anstream::stdout().lock().write_all(b"\x1b[2J\x1b[H");
}

/// Prints a JSON document.
pub fn print_json(value: &impl serde::Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => note(&format!("{}: {error}", styled(BAD, "error"))),
    }
}

fn write(to: &mut impl io::Write, text: &str) -> io::Result<()> {
    let text = visible::printed(text);
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    to.write_all(text.as_bytes()).and_then(|()| to.write_all(end.as_bytes())).and_then(|()| to.flush())
}
