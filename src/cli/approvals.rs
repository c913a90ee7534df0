//! `tollgate approvals`

use super::admin::Admin;
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, BAD, CARE, FAINT, GOOD, HEAD, Output, styled};
use super::reply;
use crate::pb;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What people are asked to approve at a running server
#[derive(Debug, clap::Args)]
#[command(after_help = "Exit codes: 0 it could be listed, 2 the request is not valid, 3 no server answers.

Examples:
  tollgate approvals --admin-uds /run/tollgate-admin.sock
  tollgate approvals --admin-token-file token --output json | jq -r '.approvals[0]' > asked.json
  tollgate approvals --all")]
pub struct Approvals {
    /// Only this one
    #[arg(value_name = "ID")]
    id: Option<String>,
    /// Also those that ended not long ago
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    admin: Admin,
}

impl Approvals {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        let id = self.id.as_deref().unwrap_or_default();
        let records = fetch(&self.admin, id, self.all || self.id.is_some())?;
        let shown: Vec<Value> = records.iter().map(reply::approval_record).collect();
        if self.output.is_json() {
            output::print_json(&json!({"approvals": shown}));
        } else if shown.is_empty() {
            output::print(&styled(FAINT, "nothing waits for approval"));
        } else {
            shown.iter().for_each(|record| output::print(&text(record)));
        }
        Ok(Exit::Fine)
    }
}

/// The approvals of a server, all pages: the open ones, or all; of this id where one is given.
///
/// # Errors
/// As [`Admin::ask`].
pub fn fetch(admin: &Admin, id: &str, all: bool) -> Result<Vec<pb::ApprovalRecord>, Failure> {
    let states = if all { vec![] } else { vec![pb::ApprovalState::Pending.into()] };
    let mut sent = pb::ListApprovalsRequest { approval_id: id.into(), states, ..Default::default() };
    let mut records = Vec::new();
    loop {
        let page = sent.clone();
        let reply = admin.ask(async |mut client| client.list_approvals(page).await)?;
        records.extend(reply.approvals);
        if reply.next_page_token.is_empty() {
            return Ok(records);
        }
        sent.page_token = reply.next_page_token;
    }
}

/// One approval in a few lines.
pub fn text(record: &Value) -> String {
    let at = |path: &str| record.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let state = at("/state");
    let style = match state {
        "PENDING" => CARE,
        "GRANTED" => GOOD,
        "DENIED" => BAD,
        _ => FAINT,
    };
    let mut lines =
        format!("{}  {}  {}\n", styled(HEAD, at("/approval/id")), styled(style, state), at("/rule_id"));
    let mut row = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(lines, "  {} {}", styled(FAINT, format!("{name:<9}")), harmless(&value));
        }
    };
    let asked = record.get("asked");
    for (name, part) in [("subject", "subject"), ("action", "action"), ("context", "context")] {
        row(name, asked.and_then(|asked| asked.get(part)).map(Value::to_string).unwrap_or_default());
    }
    let environment = asked.and_then(|asked| asked.get("environment")).and_then(Value::as_str);
    row("where", environment.unwrap_or_default().into());
    let count = record.pointer("/approval/approvers").and_then(Value::as_u64).unwrap_or_default();
    let uses = record.pointer("/approval/uses").and_then(Value::as_u64).unwrap_or_default();
    let uses = if uses == 1 { "once".into() } else { format!("{uses} times") };
    row("needs", format!("{count} with the role {}, to run it {uses}", at("/approval/role")));
    let signed = record.get("signed_by").and_then(Value::as_array).into_iter().flatten();
    row("signed by", signed.filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    row("until", at("/approval/expires_at").into());
    row("comment", at("/comment").into());
    lines
}

/// What callers wrote, without what could make a terminal show something else than was asked.
fn harmless(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let shown = |c: char| if c.is_control() || turns(c) { c.escape_unicode().to_string() } else { c.into() };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_cannot_write_over_what_is_shown() {
        let record = json!({
            "state": "PENDING",
            "rule_id": "ask-first",
            "asked": {"context": {"to": "a\u{1b}[2Jb"}, "environment": "x\u{202e}y\rz"},
            "comment": "one\ntwo",
        });
        let shown = text(&record);
        for want in ["a\\u001b[2Jb", "x\\u{202e}y\\u{d}z", "one\\u{a}two"] {
            assert!(shown.contains(want), "{want}: {shown}");
        }
    }
}
