//! `tollgate eval`

use super::authorize::exit_of;
use super::exit::{Failure, Outcome};
use super::output::{self, CARE, Output, styled};
use super::request::RequestFlags;
use super::{answer as view, bundle};
use crate::clock::{self, Clock};
use serde_json::{Value, json};
use std::path::PathBuf;
use tollgate_engine::compile::Compiled;
use tollgate_engine::decide::{Explained, Tools};
use tollgate_engine::simulate::{World, answer};
use tollgate_engine::time::WallTime;

/// Decide on files, without a server
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The counts of guardrails start empty: a limit of 0 refuses, a budget may be too small, nothing else is used up.
Exit codes: 0 ALLOW, 1 another effect or a refused bundle, 2 the request is not valid, 3 a file cannot be read.

Examples:
  tollgate eval examples/inbox-triage --agent inbox.triage --action quarantine --context risk_score=90
  tollgate eval policies/deploy.yaml --request request.json --now 2026-11-21T03:00:00Z --explain"
)]
pub struct Eval {
    /// A bundle: a YAML or JSON file, or a folder of them
    #[arg(value_name = "BUNDLE")]
    bundle: PathBuf,
    /// Say how every rule fared
    #[arg(long)]
    explain: bool,
    /// What time it is, such as 2026-11-21T09:30:00Z, instead of now
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    request: RequestFlags,
}

/// The environment of requests that name none, as a server has it by default.
const ENVIRONMENT: &str = "default";

impl Eval {
    /// Decides and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let document = self.request.read()?;
        let now = self.now()?;
        let compiled = bundle::load(&self.bundle)?;
        say_that_counts_are_empty(&compiled);
        let (world, request) = (World::new(&compiled, ENVIRONMENT, now), document.request());
        let mut tools = Tools::seeded(clock::any_seed());
        let Explained { decided, rules, guardrails } = match self.explain {
            true => world.explain(&request, &mut tools),
            false => {
                let decided = world.decide(&request, &mut tools);
                Explained { decided, rules: vec![], guardrails: vec![] }
            }
        };
        if let Some(bad) = decided.decision.bad_cost {
            let what = "a rate limit reads its cost here; send a whole number from 0 to 2^53";
            return Err(Failure::usage(format!("{}: {what}", bad.path)));
        }
        let decision = answer::json(&decided, &request, &compiled, now);
        let exit = exit_of(&decision);
        let shown = match self.explain {
            true => json!({
                "decision": decision,
                "rules": answer::traces(&rules),
                "guardrails": answer::account(&guardrails),
            }),
            false => decision,
        };
        self.show(&shown);
        Ok(exit)
    }

    fn show(&self, shown: &Value) {
        match (self.output.is_json(), self.explain) {
            (true, _) => output::print_json(shown),
            (false, true) => output::print(&view::explanation(shown)),
            (false, false) => output::print(&view::text(shown)),
        }
    }

    fn now(&self) -> Result<WallTime, Failure> {
        let Some(text) = &self.now else { return Ok(Clock::system().wall()) };
        let time = text.parse::<jiff::Timestamp>().map(WallTime::from);
        time.map_err(|_| {
            Failure::usage(format!("--now: `{text}` is no time; write one such as `2026-11-21T09:30:00Z`"))
        })
    }
}

/// What is true of a server that has just started is not true of one that has been asked before.
fn say_that_counts_are_empty(bundle: &Compiled) {
    let names: Vec<String> = bundle.enabled_guardrails().map(|one| format!("`{}`", one.name.value)).collect();
    let word = styled(CARE, "note");
    if !names.is_empty() {
        output::note(&format!("{word}: the counts of guardrails start empty here: {}", names.join(", ")));
    }
    if bundle.reads_usage() {
        output::note(&format!("{word}: rules read `usage`, which is 0 here"));
    }
}
