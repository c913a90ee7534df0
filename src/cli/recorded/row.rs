//! One line for people about each record.

use anstyle::Style;
use serde_json::Value;

use crate::cli::output::{BAD, CARE, FAINT, GOOD, styled};
use crate::cli::visible;
use crate::decision_log::AUTHORIZE;

use super::question;

/// The record in one line.
#[must_use]
pub fn row(record: &Value) -> String {
    let record = &visible::json(record);
    let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = at("/kind");
    let (style, head, parts): (Style, &str, Vec<String>) = match kind {
        "decision" => {
            let effect = at("/decision/effect");
            let style = match effect {
                "ALLOW" => GOOD,
                "DENY" => BAD,
                _ => CARE,
            };
            let why = match (at("/decision/rule_id"), at("/decision/guardrail")) {
                ("", "") => at("/decision/reason_code").to_owned(),
                ("", guardrail) => format!("{guardrail}: {}", at("/decision/reason_code")),
                (rule, _) => rule.to_owned(),
            };
            let who = [at("/request/subject/agent"), at("/request/action/name")].map(str::to_owned);
            let [agent, action] = who;
            let asked = if question(record) == AUTHORIZE { "" } else { question(record) }.to_owned();
            (style, effect, vec![agent, action, why, asked, at("/decision/decision_id").to_owned()])
        }
        "report" => {
            let status = at("/report/status").to_owned();
            let of = at("/decision_id").to_owned();
            (FAINT, "report", vec![status, at("/reply/result").to_owned(), of])
        }
        "retry" => {
            let parts = ["/retry/decision", "/retry/delay", "/retry/reason_code", "/request/action/name"];
            (FAINT, "retry", parts.map(|pointer| at(pointer).to_owned()).into())
        }
        "lost" => {
            let count = record.get("count").map(ToString::to_string).unwrap_or_default();
            (BAD, "lost", vec![format!("{count} records"), at("/when_full").to_owned()])
        }
        other => (CARE, other, rest(record)),
    };
    let time: String = at("/time").chars().take(23).collect();
    let told: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    format!("{}  {}  {}", styled(FAINT, time), styled(style, format!("{head:<16}")), told.join("  "))
}

/// What a record of another kind says, field by field.
fn rest(record: &Value) -> Vec<String> {
    const HEAD: [&str; 8] = ["v", "seq", "kind", "time", "instance", "boot", "thread", "at_ns"];
    let fields = record.as_object().into_iter().flatten().filter(|(name, _)| !HEAD.contains(&name.as_str()));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    fields.map(|(name, value)| format!("{name} {}", text(value))).collect()
}
