//! `tollgate config check` and `tollgate config show`

use super::exit::{Exit, Failure, Outcome};
use super::output::{self, BAD, CARE, FAINT, GOOD, Output, styled};
use super::visible;
use crate::config::{self, Error, Flags, Loaded, Origin, Problem};
use serde_json::{Value, json};

/// Check or show the configuration that `serve` would run with
#[derive(Debug, clap::Args)]
pub struct Config {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    Check(Check),
    Show(Show),
}

/// Say what is wrong with the configuration: 0 if nothing, 1 if something
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate config check --config tollgate.yaml
  TOLLGATE_GRPC=0.0.0.0:4700 tollgate config check --output json")]
struct Check {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    flags: Flags,
}

/// Show the value of every option, and where it comes from
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate config show --config tollgate.yaml
  tollgate config show --environment production --output json")]
struct Show {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    flags: Flags,
}

impl Config {
    /// Checks or shows.
    pub fn run(&self) -> Outcome {
        match &self.task {
            Task::Check(check) => check.run(),
            Task::Show(show) => show.run(),
        }
    }
}

/// The configuration of this command line and environment; what is wrong is printed.
///
/// # Errors
/// With code 3 when the file cannot be read, else with `code`.
pub fn load(flags: &Flags, code: Exit) -> Result<Loaded, Failure> {
    config::load(flags, std::env::vars_os()).map_err(|error| {
        let exit = match error {
            Error::Unreadable { .. } => Exit::Unreachable,
            Error::Wrong(_) => code,
        };
        Failure { exit, error: error.into(), findings: vec![] }
    })
}

/// What looks like a mistake, to stderr.
pub fn warn(warnings: &[Problem]) {
    warnings.iter().for_each(|warning| output::note(&line(CARE, "warning", warning)));
}

fn line(style: anstyle::Style, word: &str, problem: &Problem) -> String {
    format!("{}: {}", styled(style, word), visible::text(&problem.to_string()))
}

impl Check {
    fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let (problems, warnings) = match config::load(&self.flags, std::env::vars_os()) {
            Ok(loaded) => (vec![], loaded.warnings),
            Err(Error::Wrong(problems)) => (problems.0, vec![]),
            Err(unreadable @ Error::Unreadable { .. }) => {
                return Err(Failure { exit: Exit::Unreachable, error: unreadable.into(), findings: vec![] });
            }
        };
        if self.output.is_json() {
            let all = |problems: &[Problem]| problems.iter().map(problem_json).collect::<Value>();
            output::print_json(&json!({
                "passed": problems.is_empty(),
                "errors": all(&problems),
                "warnings": all(&warnings),
            }));
        } else {
            warn(&warnings);
            problems.iter().for_each(|problem| output::print(&line(BAD, "error", problem)));
            if problems.is_empty() {
                output::print(&styled(GOOD, "the configuration stands"));
            }
        }
        Ok(if problems.is_empty() { Exit::Fine } else { Exit::Negative })
    }
}

impl Show {
    fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let loaded = load(&self.flags, Exit::Negative)?;
        warn(&loaded.warnings);
        if self.output.is_json() {
            let rows = loaded.settings.iter().map(|setting| {
                let value = Some(&setting.text).filter(|text| !text.is_empty());
                let row = json!({"value": value, "origin": setting.origin.to_string()});
                (setting.spec.key(), row)
            });
            output::print_json(&Value::Object(rows.collect()));
        } else {
            output::print(&table(&loaded));
        }
        Ok(Exit::Fine)
    }
}

fn table(loaded: &Loaded) -> String {
    let width = loaded.settings.iter().map(|s| s.spec.key().len()).max().unwrap_or(0);
    let values = loaded.settings.iter().map(|s| s.text.chars().count()).max().unwrap_or(0).min(48);
    let row = |setting: &config::Setting| {
        let value = if setting.text.is_empty() { "unset" } else { &setting.text };
        let row = format!("{:width$}  {value:values$}  ", setting.spec.key());
        match &setting.origin {
            Origin::Default => format!("{row}{}\n", styled(FAINT, "default")),
            origin => format!("{row}{origin}\n"),
        }
    };
    loaded.settings.iter().map(row).collect()
}

fn problem_json(problem: &Problem) -> Value {
    let (file, line, column) = match &problem.at {
        Origin::File { name, line, column } => (Some(name), Some(line), Some(column)),
        Origin::Default | Origin::Variable(_) | Origin::Flag(_) => (None, None, None),
    };
    json!({
        "origin": problem.at.to_string(),
        "message": problem.what,
        "suggestion": problem.remedy,
        "file": file,
        "line": line,
        "column": column,
    })
}
