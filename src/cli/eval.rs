//! `tollgate eval`

use super::authorize::exit_of;
use super::exit::{Failure, Outcome};
use super::output::{self, CARE, Output, styled};
use super::request::RequestFlags;
use super::{answer as view, bundle};
use crate::clock::Clock;
use serde_json::{Value, json};
use std::path::PathBuf;
use tollgate_engine::compile::Compiled;
use tollgate_engine::decide::{Scratch, explain};
use tollgate_engine::simulate::answer;
use tollgate_engine::time::WallTime;

/// Decide on files, without a server
#[derive(Debug, clap::Args)]
#[command(after_help = "Guardrails are not looked at: they need the state of a server.
Exit codes: 0 ALLOW, 1 another effect or a refused bundle, 2 the request is not valid, 3 a file cannot be read.

Examples:
  tollgate eval examples/inbox-triage --agent inbox.triage --action quarantine --context risk_score=90
  tollgate eval policies/deploy.yaml --request request.json --now 2026-11-21T03:00:00Z --explain")]
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
        warn_of_guardrails(&compiled);
        let request = document.request();
        let explanation = explain(&compiled, &request, ENVIRONMENT, now, None, &mut Scratch::default());
        let decision = answer::json(&explanation.decision, &compiled, now);
        let exit = exit_of(&decision);
        let shown = match self.explain {
            true => json!({"decision": decision, "rules": answer::traces(&explanation.rules)}),
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

/// No ALLOW ignores a limit in silence.
fn warn_of_guardrails(bundle: &Compiled) {
    let names: Vec<String> = bundle.enabled_guardrails().map(|one| format!("`{}`", one.name.value)).collect();
    let word = styled(CARE, "warning");
    if !names.is_empty() {
        output::note(&format!("{word}: guardrails are not looked at: {}", names.join(", ")));
    }
    if bundle.reads_usage() {
        output::note(&format!("{word}: rules read `usage`, which is absent here"));
    }
}
