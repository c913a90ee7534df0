//! `tollgate guardrails`

use super::admin::Admin;
use super::exit::{Exit, Failure, OrExit as _, Outcome};
use super::output::{self, BAD, CARE, FAINT, GOOD, HEAD, Output, styled};
use super::reply::operators;
use crate::pb::{self, GuardrailOperation};
use anyhow::Context as _;
use serde_json::Value;
use std::fmt::Write as _;

/// What guardrails hold at a running server, and an operator's hand on them
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Exit codes: 0 done, 2 it cannot be done, 3 no server answers.

Examples:
  tollgate guardrails --admin-uds /run/tollgate-admin.sock
  tollgate guardrails force-open payments-breaker --reason 'the provider asked us to wait'
  tollgate guardrails close payments-breaker
  tollgate guardrails reset send-limit --key acme,inbox.triage"
)]
pub struct Guardrails {
    #[command(subcommand)]
    task: Option<Task>,
    #[command(flatten)]
    list: List,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    List(List),
    ForceOpen(ForceOpen),
    Close(Close),
    Disable(Disable),
    Reset(Reset),
}

/// Show guardrails with the keys that matter most: breakers that are not closed, limits nearly used up
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate guardrails list
  tollgate guardrails list send-limit --keys 100 --output json")]
struct List {
    /// Only this one
    #[arg(value_name = "NAME")]
    guardrail: Option<String>,
    /// How many keys of each, at most 100
    #[arg(long, value_name = "COUNT", default_value_t = 10)]
    keys: u32,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    admin: Admin,
}

/// Have a circuit breaker refuse everything until it is closed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate guardrails force-open payments-breaker --reason 'the provider asked us to wait'")]
struct ForceOpen {
    #[command(flatten)]
    operate: Operate,
}

/// Close a circuit breaker, whatever opened or held it, and forget its failures
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate guardrails close payments-breaker
  tollgate guardrails close payments-breaker --key stripe")]
struct Close {
    #[command(flatten)]
    operate: Operate,
}

/// Have a circuit breaker admit everything and count nothing until it is closed
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate guardrails disable payments-breaker --reason 'it trips on a known bug'")]
struct Disable {
    #[command(flatten)]
    operate: Operate,
}

/// Empty a guardrail, or one key of it, as if nobody had used it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate guardrails reset send-limit --key acme,inbox.triage
  tollgate guardrails reset send-limit --key '[\"a, b\", \"inbox.triage\"]'
  tollgate guardrails reset run-budget")]
struct Reset {
    #[command(flatten)]
    operate: Operate,
}

#[derive(Debug, clap::Args)]
struct Operate {
    /// The guardrail
    #[arg(value_name = "NAME")]
    guardrail: String,
    /// One key: its values in the order of `key_by`, between commas or as a JSON list; else all
    #[arg(long, value_name = "VALUES")]
    key: Option<String>,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,
    /// Who does it, for the log
    #[arg(
        long,
        value_name = "NAME",
        env = "USER",
        hide_env = true,
        default_value = "",
        hide_default_value = true
    )]
    by: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    admin: Admin,
}

impl Guardrails {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        match &self.task {
            None => self.list.run(),
            Some(Task::List(list)) => list.run(),
            Some(Task::ForceOpen(own)) => own.operate.run(GuardrailOperation::ForceOpen),
            Some(Task::Close(own)) => own.operate.run(GuardrailOperation::Close),
            Some(Task::Disable(own)) => own.operate.run(GuardrailOperation::Disable),
            Some(Task::Reset(own)) => own.operate.run(GuardrailOperation::Reset),
        }
    }
}

impl List {
    fn run(&self) -> Outcome {
        let (records, bundle) = self.fetch()?;
        if self.output.is_json() {
            output::print_json(&operators::guardrails(&records, bundle.as_ref()));
        } else if records.is_empty() {
            output::print(&styled(FAINT, "the bundle in force has no guardrails"));
        } else {
            records.iter().for_each(|record| output::print(&text(&operators::guardrail(record))));
        }
        Ok(Exit::Fine)
    }

    /// All pages.
    fn fetch(&self) -> Result<(Vec<pb::GuardrailRecord>, Option<pb::BundleInfo>), Failure> {
        let mut sent = pb::ListGuardrailsRequest {
            guardrail: self.guardrail.clone().unwrap_or_default(),
            keys: Some(self.keys),
            ..Default::default()
        };
        let mut records = Vec::new();
        loop {
            let page = sent.clone();
            let reply = self.admin.ask(async |mut client| client.list_guardrails(page).await)?;
            records.extend(reply.guardrails);
            if reply.next_page_token.is_empty() {
                return Ok((records, reply.bundle));
            }
            sent.page_token = reply.next_page_token;
        }
    }
}

impl Operate {
    fn run(&self, operation: GuardrailOperation) -> Outcome {
        let sent = pb::OperateGuardrailRequest {
            guardrail: self.guardrail.clone(),
            key: self.key.as_deref().map(values).transpose()?.map(|values| pb::GuardrailKey { values }),
            operation: operation.into(),
            by: self.by.clone(),
            reason: self.reason.clone(),
        };
        let reply = self.admin.ask(async |mut client| client.operate_guardrail(sent).await)?;
        let record = operators::guardrail(&reply.guardrail.unwrap_or_default());
        self.output.show(&record, text);
        Ok(Exit::Fine)
    }
}

/// The values of a key: a JSON list, or what stands between commas.
fn values(key: &str) -> Result<Vec<String>, Failure> {
    if key.trim_start().starts_with('[') {
        let read = serde_json::from_str(key);
        return read.with_context(|| format!("--key {key}: is no list of texts")).or_exit(Exit::Usage);
    }
    Ok(key.split(',').map(str::to_owned).collect())
}

/// A guardrail on a line, its keys below.
fn text(record: &Value) -> String {
    let at = |name: &str| record.get(name).and_then(Value::as_str).unwrap_or_default();
    let count = |name: &str| record.get(name).and_then(Value::as_u64).unwrap_or_default();
    let mut lines = format!("{}  {}", styled(HEAD, at("guardrail")), at("type"));
    if at("state") != "ENABLED" {
        let _ = write!(lines, "  {}", styled(CARE, at("state")));
    }
    if record.get("shadow") == Some(&true.into()) {
        let _ = write!(lines, "  {}", styled(CARE, "shadow"));
    }
    if !at("held").is_empty() {
        let _ = write!(lines, "  {}", styled(BAD, at("held")));
    }
    let _ = writeln!(lines, "  keys {}  refusals {}", count("keys"), count("refusals"));
    for key in record.get("hottest").and_then(Value::as_array).into_iter().flatten() {
        key_line(key, &mut lines);
    }
    lines
}

fn key_line(key: &Value, lines: &mut String) {
    let at = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = if at("text").is_empty() { "(all)" } else { at("text") };
    let _ = write!(lines, "  {name}");
    let state = at("breaker_state");
    if !state.is_empty() {
        let style = match state {
            "closed" => GOOD,
            "half_open" | "disabled" => CARE,
            _ => BAD,
        };
        let _ = write!(lines, "  {}", styled(style, state));
    }
    if !at("next_probe").is_empty() {
        let _ = write!(lines, "  next probe in {}", at("next_probe"));
    }
    for limit in key.get("limits").and_then(Value::as_array).into_iter().flatten() {
        let shown = |name: &str| limit.get(name).map(Value::to_string).unwrap_or_default();
        let measure = limit.get("measure").and_then(Value::as_str).unwrap_or_default();
        let _ = write!(lines, "  {measure} {} of {} left", shown("left"), shown("limit"));
    }
    lines.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_a_list_or_stands_between_commas() {
        assert_eq!(values("acme,inbox").unwrap(), ["acme", "inbox"]);
        assert_eq!(values("").unwrap(), [""]);
        assert_eq!(values(r#"["a, b", ""]"#).unwrap(), ["a, b", ""]);
        assert_eq!(values("[1]").unwrap_err().exit, Exit::Usage);
    }
}
