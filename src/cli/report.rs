//! `tollgate report`

use super::client::Server;
use super::exit::{Exit, Failure, Outcome};
use super::output::Output;
use super::{amount, answer, reply};
use crate::pb;

/// Tell a running server how an allowed action ended
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 APPLIED or RENEWED, 1 DUPLICATE or UNKNOWN, 2 the report is not valid,
3 no server answers.

Examples:
  tollgate report 019a3c5e-6f1d-7c4e-9b1a-2f0d8a7b6c5d
  tollgate report \"$ID\" --status FAILURE --error-kind RATE_LIMITED
  tollgate report \"$ID\" --cost 0.12 --tokens 1800 --duration 4.2s
  tollgate report \"$ID\" --status IN_PROGRESS")]
pub struct Report {
    /// The `decision_id` of the answer
    #[arg(value_name = "DECISION_ID")]
    decision_id: String,
    /// How it ended: SUCCESS, FAILURE, CANCELLED (it never ran), or IN_PROGRESS to renew its leases
    #[arg(long, value_name = "STATUS", default_value = "SUCCESS", value_parser = status)]
    status: pb::Status,
    /// What went wrong: TRANSIENT, RATE_LIMITED, TIMEOUT, PERMANENT
    #[arg(long, value_name = "KIND", value_parser = error_kind)]
    error_kind: Option<pb::ErrorKind>,
    /// The code of the error, as the other side names it
    #[arg(long, value_name = "CODE", default_value = "", hide_default_value = true)]
    error_code: String,
    /// What it cost
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
    cost: Option<f64>,
    /// How many tokens it used
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    tokens: Option<i64>,
    /// How much compute it used
    #[arg(long, value_name = "COUNT", allow_negative_numbers = true)]
    compute: Option<i64>,
    /// How long it took, such as `4.2s`; else the time since the decision
    #[arg(long, value_name = "TIME", value_parser = amount::span)]
    duration: Option<prost_types::Duration>,
    #[command(flatten)]
    server: Server,
    #[command(flatten)]
    output: Output,
}

impl Report {
    /// Reports and shows what became of it.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        if self.error_kind.is_some() && self.status != pb::Status::Failure {
            return Err(Failure::usage("--error-kind is for --status FAILURE"));
        }
        let request = pb::ReportRequest {
            decision_id: self.decision_id.clone(),
            status: self.status.into(),
            error_kind: self.error_kind.unwrap_or_default().into(),
            error_code: self.error_code.clone(),
            cost: self.cost,
            tokens: self.tokens,
            compute: self.compute,
            duration: self.duration,
        };
        let reply = self.server.ask(async |mut client| client.report(request).await)?;
        let shown = reply::report(&reply);
        self.output.show(&shown, answer::report);
        Ok(match reply.result() {
            pb::ReportResult::Applied | pb::ReportResult::Renewed => Exit::Fine,
            _ => Exit::Negative,
        })
    }
}

fn status(text: &str) -> Result<pb::Status, String> {
    let name = format!("STATUS_{}", text.to_uppercase());
    let known = pb::Status::from_str_name(&name).filter(|status| *status != pb::Status::Unspecified);
    known.ok_or_else(|| "write SUCCESS, FAILURE, CANCELLED or IN_PROGRESS".to_owned())
}

/// A kind of error by its name.
pub fn error_kind(text: &str) -> Result<pb::ErrorKind, String> {
    let name = format!("ERROR_KIND_{}", text.to_uppercase());
    let known = pb::ErrorKind::from_str_name(&name).filter(|kind| *kind != pb::ErrorKind::Unspecified);
    known.ok_or_else(|| "write TRANSIENT, RATE_LIMITED, TIMEOUT or PERMANENT".to_owned())
}
