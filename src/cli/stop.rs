//! `tollgate stop`

use super::admin::Admin;
use super::amount;
use super::exit::{Exit, Outcome};
use super::output::{self, BAD, CARE, FAINT, HEAD, Output, styled};
use super::reply::operators;
use crate::pb::{self, StopEffect};
use clap::ArgGroup;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// Stop actions at once, or let them pass, whatever the rules say: set, list and clear such stops
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 2 it cannot be done, 3 no server answers.

Examples:
  tollgate stop set --agent 'inbox.*' --ttl 1h --reason 'it sends mail in a loop'
  tollgate stop list --admin-uds /run/tollgate-admin.sock
  tollgate stop clear --all")]
pub struct Stop {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    Set(Box<Set>),
    List(List),
    Clear(Clear),
}

/// Deny whatever is named from the next request on, before any rule, until the time is over
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("about").required(true).multiple(true),
    after_help = "What is named together must all be so; a flag that is repeated names alternatives. Values may be \
                  globs.

Examples:
  tollgate stop set --agent 'inbox.*' --ttl 1h --reason 'it sends mail in a loop'
  tollgate stop set --tool sql.write --environment production --ttl 30m --reason 'the database is being restored'
  tollgate stop set --everything --ttl 10m --reason 'drill'
  tollgate stop set --allow --action deploy --ttl 15m --reason 'hotfix 812, agreed with the duty officer'"
)]
struct Set {
    /// Let them pass instead: no rule is asked and no people; guardrails still hold
    #[arg(long)]
    allow: bool,
    /// After how long it ends by itself, such as `30m`, `1h30m`, at most `720h`
    #[arg(long, value_name = "TIME", value_parser = amount::span)]
    ttl: prost_types::Duration,
    /// Why: callers are told
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Who sets it
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
    about: About,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    admin: Admin,
}

/// What a stop is about.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "What it is about")]
struct About {
    /// A target as rules have it, in YAML or JSON, instead of the flags below
    #[arg(long, value_name = "TARGET", group = "about", conflicts_with_all = NAMES)]
    selector: Option<String>,
    /// Everything
    #[arg(long, group = "about", conflicts_with_all = NAMES, conflicts_with = "selector")]
    everything: bool,
    /// Who acts
    #[arg(long, value_name = "NAME", group = "about")]
    agent: Vec<String>,
    /// What they want to do
    #[arg(long, value_name = "NAME", group = "about")]
    action: Vec<String>,
    /// The kind of the action, such as `tool` or `llm`
    #[arg(long, value_name = "KIND", group = "about")]
    kind: Vec<String>,
    /// The tool
    #[arg(long, value_name = "NAME", group = "about")]
    tool: Vec<String>,
    /// The provider of the model
    #[arg(long, value_name = "NAME", group = "about")]
    provider: Vec<String>,
    /// The model
    #[arg(long, value_name = "NAME", group = "about")]
    model: Vec<String>,
    /// The tenant
    #[arg(long, value_name = "NAME", group = "about")]
    tenant: Vec<String>,
    /// The application
    #[arg(long, value_name = "NAME", group = "about")]
    app: Vec<String>,
    /// The user
    #[arg(long, value_name = "NAME", group = "about")]
    user: Vec<String>,
    /// The workflow
    #[arg(long, value_name = "NAME", group = "about")]
    workflow: Vec<String>,
    /// The pipeline
    #[arg(long, value_name = "NAME", group = "about")]
    pipeline: Vec<String>,
    /// The environment
    #[arg(long, value_name = "NAME", group = "about")]
    environment: Vec<String>,
    /// A tag of the action
    #[arg(long, value_name = "TAG", group = "about")]
    tag: Vec<String>,
}

const NAMES: [&str; 13] = [
    "agent",
    "action",
    "kind",
    "tool",
    "provider",
    "model",
    "tenant",
    "app",
    "user",
    "workflow",
    "pipeline",
    "environment",
    "tag",
];

/// Show the stops in force
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tollgate stop list
  tollgate stop list --output json | jq -r '.stops[].id'")]
struct List {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    admin: Admin,
}

/// End stops before their time
#[derive(Debug, clap::Args)]
#[command(
    group = ArgGroup::new("which").required(true),
    after_help = "Examples:
  tollgate stop clear 019a9e7c-0000-7000-8000-000000000000
  tollgate stop clear --all"
)]
struct Clear {
    /// The id of the stop
    #[arg(value_name = "ID", group = "which")]
    id: Option<String>,
    /// All of them
    #[arg(long, group = "which")]
    all: bool,
    /// Who ends them, for the log
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

impl Stop {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        match &self.task {
            Task::Set(set) => set.run(),
            Task::List(list) => list.run(),
            Task::Clear(clear) => clear.run(),
        }
    }
}

impl Set {
    fn run(&self) -> Outcome {
        let sent = pb::SetStopRequest {
            selector: self.about.selector(),
            effect: if self.allow { StopEffect::Allow } else { StopEffect::Deny }.into(),
            reason: self.reason.clone(),
            ttl: Some(self.ttl),
            by: self.by.clone(),
        };
        let reply = self.admin.ask(async |mut client| client.set_stop(sent).await)?;
        let stop = operators::stop(&reply.stop.unwrap_or_default());
        self.output.show(&stop, text);
        Ok(Exit::Fine)
    }
}

impl List {
    fn run(&self) -> Outcome {
        let reply = self.admin.ask(async |mut client| client.list_stops(pb::ListStopsRequest {}).await)?;
        show("stops", &reply.stops, self.output, "nothing is stopped");
        Ok(Exit::Fine)
    }
}

impl Clear {
    fn run(&self) -> Outcome {
        let id = self.id.clone().unwrap_or_default();
        let sent = pb::ClearStopRequest { id, all: self.all, by: self.by.clone() };
        let reply = self.admin.ask(async |mut client| client.clear_stop(sent).await)?;
        show("cleared", &reply.cleared, self.output, "nothing was stopped");
        Ok(Exit::Fine)
    }
}

impl About {
    /// The selector that the flags spell.
    fn selector(&self) -> String {
        if let Some(selector) = &self.selector {
            return selector.clone();
        }
        let lists = [
            ("agents", &self.agent),
            ("actions", &self.action),
            ("kinds", &self.kind),
            ("tools", &self.tool),
            ("providers", &self.provider),
            ("models", &self.model),
            ("tenants", &self.tenant),
            ("apps", &self.app),
            ("users", &self.user),
            ("workflows", &self.workflow),
            ("pipeline_ids", &self.pipeline),
            ("environments", &self.environment),
        ];
        let named = lists.into_iter().filter(|(_, values)| !values.is_empty());
        let mut all: Map<String, Value> = named.map(|(name, values)| (name.into(), json!(values))).collect();
        if !self.tag.is_empty() {
            all.insert("tags".into(), json!({"include": self.tag}));
        }
        Value::Object(all).to_string()
    }
}

fn show(name: &str, stops: &[pb::Stop], output: Output, none: &str) {
    if output.is_json() {
        output::print_json(&operators::stops(name, stops));
    } else if stops.is_empty() {
        output::print(&styled(FAINT, none));
    } else {
        stops.iter().for_each(|stop| output::print(&text(&operators::stop(stop))));
    }
}

/// A stop in a few lines.
fn text(stop: &Value) -> String {
    let at = |name: &str| stop.get(name).and_then(Value::as_str).unwrap_or_default();
    let style = if at("effect") == "DENY" { BAD } else { CARE };
    let mut lines =
        format!("{}  {}  {}\n", styled(HEAD, at("id")), styled(style, at("effect")), at("selector"));
    for name in ["reason", "by", "set_at", "expires_at"] {
        if !at(name).is_empty() {
            let _ = writeln!(lines, "  {} {}", styled(FAINT, format!("{name:<10}")), at(name));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_spell_a_target() {
        let about = About {
            agent: vec!["inbox.*".into(), "x".into()],
            tag: vec!["risky".into()],
            ..About::default()
        };
        let read = tollgate_engine::read::selector(&about.selector()).unwrap();
        assert_eq!((read.agents.unwrap().len(), read.tags_include.unwrap().len()), (2, 1));
        assert_eq!(About { everything: true, ..About::default() }.selector(), "{}");
    }
}
