//! `tollgate budget`

use super::client::Server;
use super::exit::{Exit, Outcome};
use super::output::Output;
use super::request::RequestFlags;
use super::{answer, reply};
use crate::pb;

/// Ask a running server for the limits in force and what is left of them; nothing is charged
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 answered, 2 the request is not valid, 3 no server answers.

Examples:
  tollgate budget --run run-17
  tollgate budget --tenant acme --action summarize --provider acme --output json")]
pub struct Budget {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    request: RequestFlags,
}

impl Budget {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let facts = self.request.facts_to_send()?;
        let request = pb::BudgetRequest {
            subject: facts.subject,
            action: facts.action,
            context: facts.context,
            environment: facts.environment,
            mode: facts.mode,
            phase: facts.phase,
            priority: facts.priority,
            estimate: facts.estimate,
        };
        let reply = self.server.ask(async |mut client| client.budget(request).await)?;
        let shown = reply::budget(&reply);
        self.output.show(&shown, answer::budget);
        Ok(Exit::Fine)
    }
}
