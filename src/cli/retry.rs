//! `tollgate retry`

use super::client::Server;
use super::exit::{Exit, Outcome};
use super::output::Output;
use super::report::error_kind;
use super::request::RequestFlags;
use super::{amount, answer, reply};
use crate::pb;

/// Ask a running server whether and when to try a failed action again
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 RETRY or RETRY_AFTER, 1 FAIL, 2 the request is not valid, 3 no server answers.

Examples:
  tollgate retry --action pay --attempt 0 --error-kind TRANSIENT
  tollgate retry --action summarize --provider acme --error-kind RATE_LIMITED --retry-after 20s
  tollgate retry --request request.yaml --attempt 2 --error-kind TIMEOUT --time-left 30s"
)]
pub struct Retry {
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    output: Output,
    /// What went wrong: TRANSIENT, RATE_LIMITED, TIMEOUT, PERMANENT
    #[arg(long, value_name = "KIND", value_parser = error_kind)]
    error_kind: pb::ErrorKind,
    /// The code of the error, as the other side names it
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    error_code: String,
    /// After how long the other side said to come again, such as `20s`
    #[arg(long, value_name = "TIME", value_parser = amount::span, allow_hyphen_values = true)]
    retry_after: Option<prost_types::Duration>,
    /// The `decision_id` of the answer that allowed the attempt
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    decision_id: String,
    #[command(flatten)]
    request: RequestFlags,
}

impl Retry {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let facts = self.request.to_send()?;
        let request = pb::RetryDecisionRequest {
            subject: facts.subject,
            action: facts.action,
            context: facts.context,
            environment: facts.environment,
            mode: facts.mode,
            phase: facts.phase,
            priority: facts.priority,
            estimate: facts.estimate,
            request_id: facts.request_id,
            attempt: facts.attempt,
            error: Some(pb::ActionError {
                kind: self.error_kind.into(),
                code: self.error_code.clone(),
                message: String::new(),
                retry_after: self.retry_after,
            }),
            decision_id: self.decision_id.clone(),
            time_left: facts.time_left,
        };
        let reply = self.server.ask(async |mut client| client.retry_decision(request).await)?;
        let shown = reply::retry_decision(&reply);
        self.output.show(&shown, answer::retry);
        let fails = reply.decision() == pb::RetryVerdict::Fail;
        Ok(if fails { Exit::Negative } else { Exit::Fine })
    }
}
