//! `tollgate authorize`

use super::client::Server;
use super::exit::{Exit, Outcome};
use super::output::Output;
use super::request::RequestFlags;
use super::{answer, reply};
use serde_json::Value;

/// Ask a running server whether an action may run
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 ALLOW, 1 another effect, 2 the request is not valid, 3 no server answers.

Examples:
  tollgate authorize --agent inbox.triage --action quarantine --context risk_score=90
  tollgate authorize --address unix:/run/tollgate.sock --request request.yaml --output json
  tollgate authorize --request '{\"action\": {\"name\": \"pay\"}, \"context\": {\"amount\": 5}}'"
)]
pub struct Authorize {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    request: RequestFlags,
}

impl Authorize {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let request = self.request.to_send()?;
        let reply = self.server.ask(async |mut client| client.authorize(request).await)?;
        let decision = reply::decision(&reply);
        self.output.show(&decision, answer::text);
        Ok(exit_of(&decision))
    }
}

/// 0 for ALLOW, 1 for every other effect.
pub fn exit_of(decision: &Value) -> Exit {
    let allowed = decision.get("effect").and_then(Value::as_str) == Some("ALLOW");
    if allowed { Exit::Fine } else { Exit::Negative }
}
