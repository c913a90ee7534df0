//! `tollgate status`

use super::exit::{Exit, OrExit as _, Outcome};
use super::output::{BAD, CARE, GOOD, HEAD, Output, styled};
use super::visible;
use anyhow::{Context as _, bail};
use serde_json::Value;
use std::time::Duration;

/// Where a server answers probes.
#[derive(Debug, clap::Args)]
pub struct StatusAddress {
    /// The server's metrics address
    #[arg(
        long,
        value_name = "ADDR",
        env = "TOLLGATE_STATUS_ADDRESS",
        hide_env_values = true,
        default_value = "127.0.0.1:9464"
    )]
    pub address: String,
}

/// What a running server serves, since when, and what it last refused
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 a bundle serves, 1 none does, 3 nobody answers.

Examples:
  tollgate status
  tollgate status --address 10.0.0.7:9464 --output json")]
pub struct Status {
    #[command(flatten)]
    address: StatusAddress,
    #[command(flatten)]
    output: Output,
}

impl Status {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let status = self.ask().or_exit(Exit::Unreachable)?;
        self.output.show(&status, text);
        let ready = status.get("ready").and_then(Value::as_bool).unwrap_or(false);
        Ok(if ready { Exit::Fine } else { Exit::Negative })
    }

    fn ask(&self) -> anyhow::Result<Value> {
        let address = &self.address.address;
        let reply = super::probe::get(address, "/status", Duration::from_secs(5))?;
        if reply.status != 200 {
            bail!("{address}: `/status` answered {}: is this the metrics address of tollgate?", reply.status);
        }
        serde_json::from_str(&reply.body).with_context(|| {
            format!("{address}: `/status` is not JSON: is this the metrics address of tollgate?")
        })
    }
}

/// What people look for first.
const FIRST: [&str; 6] = ["state", "ready", "stale", "version", "bundle", "last_error"];

/// One line an entry, nested ones indented.
fn text(status: &Value) -> String {
    let mut lines = String::new();
    rows(&visible::json(status), 0, &mut lines);
    lines
}

fn rows(value: &Value, depth: usize, lines: &mut String) {
    let Some(entries) = value.as_object() else { return };
    let width = entries.keys().map(String::len).max().unwrap_or(0);
    let mut entries: Vec<(&String, &Value)> = entries.iter().collect();
    entries.sort_by_key(|(name, _)| {
        FIRST.iter().position(|first| *first == name.as_str()).unwrap_or(FIRST.len())
    });
    for (name, value) in entries {
        let indent = "  ".repeat(depth);
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                lines.push_str(&format!("{indent}{}\n", styled(HEAD, name)));
                rows(value, depth + 1, lines);
            }
            Value::Null => {}
            Value::Array(items) => {
                let each = items.iter().map(|item| format!("{indent}  {}\n", scalar(name, item)));
                lines.push_str(&format!("{indent}{name}\n{}", each.collect::<String>()));
            }
            value => lines.push_str(&format!("{indent}{name:width$}  {}\n", scalar(name, value))),
        }
    }
}

fn scalar(name: &str, value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), String::from);
    match (name, &*text) {
        ("state", "READY") | ("ready", "true") => styled(GOOD, text),
        ("state", "NOT_READY") | ("ready", "false") | ("findings", _) => styled(BAD, text),
        ("state", _) | ("stale", "true") => styled(CARE, text),
        _ => text,
    }
}
