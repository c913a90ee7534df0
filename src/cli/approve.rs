//! `tollgate approve`

use super::admin::Admin;
use super::approvals;
use super::exit::{Exit, Failure, Outcome};
use super::grant::Asked;
use super::keys;
use super::output::{self, Output};
use super::reply;
use crate::pb;
use std::path::PathBuf;
use tollgate_engine::sign::Verdict;

/// Approve, or deny, what a running server asks people
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It fetches the approval, shows what it signs, signs it here with your key and sends the
signature: the key never leaves this machine. What is signed is the digest of what is shown.

Exit codes: 0 decided, 1 more people have to approve, 2 the answer is not taken, 3 no server answers.

Examples:
  tollgate approve 01a1b2c3-… --key ann.key --admin-uds /run/tollgate-admin.sock
  tollgate approve 01a1b2c3-… --key ann.key --deny --comment 'not on a Friday'"
)]
pub struct Approve {
    /// The id of the approval
    #[arg(value_name = "ID")]
    id: String,
    /// Your private key, as `tollgate keygen` made it
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Say no; one denial is enough
    #[arg(long)]
    deny: bool,
    /// Why, for who asks
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    comment: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    admin: Admin,
}

impl Approve {
    /// Fetches, signs, sends.
    pub fn run(&self) -> Outcome {
        let key = keys::private(&self.key)?;
        let records = approvals::fetch(&self.admin, &self.id, true)?;
        let Some(record) = records.first() else {
            return Err(Failure::usage(format!(
                "there is no approval `{}` at this server; list them with `tollgate approvals --all`",
                self.id
            )));
        };
        let shown = reply::approval_record(record);
        if !self.output.is_json() {
            output::note(&approvals::text(&shown));
        }
        let asked = Asked::read(&shown)?;
        asked.is_what_is_shown(record)?;
        let verdict = if self.deny { Verdict::Denial } else { Verdict::Grant };
        let sent = pb::DecideApprovalRequest {
            approval_id: self.id.clone(),
            envelope: asked.grant.sign(verdict, &key).to_text(),
            comment: self.comment.clone(),
        };
        let reply = self.admin.ask(async |mut client| client.decide_approval(sent).await)?;
        let after = reply.approval.unwrap_or_default();
        if self.output.is_json() {
            output::print_json(&reply::approval_record(&after));
        } else {
            output::print(&said(&after));
        }
        let open = after.state() == pb::ApprovalState::Pending;
        Ok(if open { Exit::Negative } else { Exit::Fine })
    }
}

fn said(record: &pb::ApprovalRecord) -> String {
    let wanted = record.approval.as_ref().map_or(0, |approval| approval.approvers);
    match record.state() {
        pb::ApprovalState::Granted => "granted: who waits has the grant".into(),
        pb::ApprovalState::Denied => "denied".into(),
        pb::ApprovalState::Pending => {
            format!("signed by {} of {wanted}: more people have to approve", record.signed_by.len())
        }
        pb::ApprovalState::Expired | pb::ApprovalState::Void | pb::ApprovalState::Unspecified => {
            "it is not open any longer".into()
        }
    }
}
