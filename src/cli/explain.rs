//! `tollgate explain`

use super::authorize::exit_of;
use super::client::Server;
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, CARE, HEAD, Output, styled};
use super::recorded::{self, Following, LogPlace, Step};
use super::request::RequestFlags;
use super::{answer, reply};
use crate::pb;
use serde_json::Value;
use std::path::PathBuf;

/// Ask a running server why it decides as it does, or a decision log why it did; nothing is charged
#[derive(Debug, clap::Args)]
#[command(
    after_help = "With --decision a past decision is looked up in the decision log: its answer, its rules as they fare with
what was read then, its guardrails as they stood. The bundle that decided is found beside the log.
Exit codes: 0 ALLOW, 1 another effect or no such decision, 2 the request is not valid, 3 no server answers
or the log cannot be read.

Examples:
  tollgate explain --agent inbox.triage --action quarantine --context risk_score=84
  tollgate explain --request request.yaml --output json
  tollgate explain --decision 01a1c0de-7aa8-7c51-8000-4f2f6e1d9b3a --log /var/log/tollgate"
)]
pub struct Explain {
    #[command(flatten)]
    server: Server,
    /// A past decision, by its id
    #[arg(long, value_name = "ID", help_heading = "Past decision")]
    decision: Option<String>,
    #[command(flatten)]
    log: LogPlace,
    /// The bundle that decided, where it is not kept beside the log
    #[arg(long, value_name = "PATH", help_heading = "Past decision")]
    bundle: Option<PathBuf>,
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
        if let Some(id) = &self.decision {
            return self.past(id);
        }
        let request = pb::ExplainRequest { request: Some(self.request.to_send()?) };
        let reply = self.server.ask(async |mut client| client.explain(request).await)?;
        let explanation = reply::explanation(&reply);
        self.output.show(&explanation, answer::explanation);
        Ok(exit_of(explanation.get("decision").unwrap_or(&Value::Null)))
    }

    fn past(&self, id: &str) -> Outcome {
        let id = id.to_ascii_lowercase();
        let (mut found, mut reports) = (None, Vec::new());
        self.log.read(Some(&id), Following::No, &mut |step| {
            if let Step::Record(record) = step {
                let is = |pointer: &str| record.pointer(pointer).and_then(Value::as_str) == Some(&*id);
                if is("/decision/decision_id") {
                    found = Some(record);
                } else if is("/decision_id") {
                    reports.push(record);
                }
            }
            true
        })?;
        let log = self.log.path()?;
        let Some(record) = found else {
            let remedy = "was it sampled out, dropped, or written elsewhere?";
            let error = anyhow::anyhow!("{}: no decision `{id}` is recorded; {remedy}", log.display());
            return Err(Failure { exit: Exit::Negative, error, findings: vec![] });
        };
        let (mut told, why) = recorded::account(&record, log, self.bundle.as_deref());
        if let Some(why) = why {
            output::note(&format!("{}: its rules cannot be looked at: {why}", styled(CARE, "note")));
        }
        if record.get("masked").is_some() {
            let what = "values of the request are masked: rules that read them fared otherwise then";
            output::note(&format!("{}: {what}", styled(CARE, "note")));
        }
        let rows: String = reports.iter().map(|report| format!("  {}\n", recorded::row(report))).collect();
        if let Value::Object(all) = &mut told {
            all.insert("reports".into(), reports.into());
            all.insert("record".into(), record);
        }
        let exit = exit_of(told.get("decision").unwrap_or(&Value::Null));
        self.output.show(&told, |told| {
            let reports = if rows.is_empty() {
                String::new()
            } else {
                format!("\n{}\n{rows}", styled(HEAD, "reports"))
            };
            answer::explanation(told) + &reports
        });
        Ok(exit)
    }
}
