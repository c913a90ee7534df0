//! `tollgate explain`

use super::authorize::exit_of;
use super::client::Server;
use super::exit::Outcome;
use super::output::Output;
use super::request::RequestFlags;
use super::{answer, reply};
use crate::pb;
use serde_json::Value;

/// Ask a running server why it decides as it does; nothing is charged
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 ALLOW, 1 another effect, 2 the request is not valid, 3 no server answers.

Examples:
  tollgate explain --agent inbox.triage --action quarantine --context risk_score=84
  tollgate explain --request request.yaml --output json"
)]
pub struct Explain {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    request: RequestFlags,
}

impl Explain {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let request = pb::ExplainRequest { request: Some(self.request.to_send()?) };
        let reply = self.server.ask(async |mut client| client.explain(request).await)?;
        let explanation = reply::explanation(&reply);
        self.output.show(&explanation, answer::explanation);
        Ok(exit_of(explanation.get("decision").unwrap_or(&Value::Null)))
    }
}
