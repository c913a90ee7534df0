//! An answer for people. Asked of a server or decided here, it has one JSON form, and this shows it.

use super::output::{BAD, CARE, FAINT, GOOD, HEAD, styled};
use super::visible;
use anstyle::Style;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// The decision in a few lines.
pub fn text(answer: &Value) -> String {
    let answer = visible::json(answer);
    let field = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let effect = field("effect").unwrap_or_default();
    let mut head = styled(style_of(effect), effect);
    for part in [field("disposition"), field("rule_id"), field("guardrail")].into_iter().flatten() {
        let _ = write!(head, "  {part}");
    }
    let mut lines = format!("{head}\n");
    if let Some(reason) = field("reason") {
        let _ = writeln!(lines, "  {reason}");
    }
    for name in ["reason_code", "retry_after", "report_within", "next_action"] {
        row(&mut lines, name, field(name).map(String::from));
    }
    row(&mut lines, "obligations", answer.get("obligations").and_then(Value::as_object).map(flat));
    row(&mut lines, "approval", answer.get("approval").map(approval));
    row(&mut lines, "bundle", answer.get("bundle").map(bundle));
    for name in ["limits", "refusals"] {
        for item in answer.get(name).and_then(Value::as_array).into_iter().flatten() {
            row(&mut lines, name, item.as_object().map(flat));
        }
    }
    for name in ["request_id", "decision_id", "decided_at"] {
        row(&mut lines, name, field(name).map(String::from));
    }
    lines
}

/// What became of a report, in a line or two.
pub fn report(report: &Value) -> String {
    let report = &visible::json(report);
    let result = report.get("result").and_then(Value::as_str).unwrap_or_default();
    let (style, says) = match result {
        "APPLIED" => (GOOD, "it counts"),
        "RENEWED" => (GOOD, "its leases run anew"),
        "DUPLICATE" => (CARE, "it was reported before"),
        _ => (CARE, "nobody knows this decision, it was no ALLOW, or it is too long ago"),
    };
    let mut lines = format!("{}  {says}\n", styled(style, result));
    let within = report.get("report_within").and_then(Value::as_str);
    row(&mut lines, "report_within", within.map(String::from));
    lines
}

/// Whether and when to try again, in a few lines.
pub fn retry(retry: &Value) -> String {
    let retry = &visible::json(retry);
    let field = |name: &str| retry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let decision = field("decision").unwrap_or_default();
    let style = if decision == "FAIL" { BAD } else { GOOD };
    let mut lines = styled(style, decision);
    for part in [field("delay"), field("guardrail")].into_iter().flatten() {
        let _ = write!(lines, "  {part}");
    }
    lines.push('\n');
    if let Some(reason) = field("reason") {
        let _ = writeln!(lines, "  {reason}");
    }
    row(&mut lines, "reason_code", field("reason_code").map(String::from));
    row(&mut lines, "bundle", retry.get("bundle").map(bundle));
    lines
}

/// The limits in force, one a line.
pub fn budget(budget: &Value) -> String {
    let budget = &visible::json(budget);
    let mut lines = String::new();
    let limits = budget.get("limits").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for limit in limits {
        let field = |name: &str| limit.get(name).and_then(Value::as_str).unwrap_or_default();
        let amount = |name: &str| limit.get(name).map(ToString::to_string).unwrap_or_default();
        let _ = write!(lines, "{}  {}", styled(HEAD, field("guardrail")), field("measure"));
        let _ = write!(lines, "  {} of {} left", amount("left"), amount("limit"));
        let reserved = limit.get("reserved").and_then(Value::as_f64).is_some_and(|amount| amount > 0.0);
        if reserved {
            let _ = write!(lines, ", {} reserved", amount("reserved"));
        }
        if !field("reset_after").is_empty() {
            let _ =
                write!(lines, "  {}", styled(FAINT, format!("empty again after {}", field("reset_after"))));
        }
        lines.push('\n');
    }
    if limits.is_empty() {
        let _ = writeln!(lines, "no limit is about this request");
    }
    row(&mut lines, "bundle", budget.get("bundle").map(bundle));
    lines
}

/// The decision, then how every rule fared.
pub fn explanation(explanation: &Value) -> String {
    let mut lines = explanation.get("decision").map(text).unwrap_or_default();
    if let Some(question) = explanation.get("question").and_then(Value::as_str) {
        let units = explanation.get("units").map(|units| format!(" of {units}")).unwrap_or_default();
        row(&mut lines, "question", Some(format!("{question}{units}: no rule is asked, only guardrails")));
    }
    let rules = explanation.get("rules").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let _ = writeln!(lines, "\n{}", styled(HEAD, "rules"));
    rules.iter().for_each(|rule| trace(&visible::json(rule), &mut lines));
    if rules.is_empty() {
        let _ = writeln!(lines, "  none was considered");
    }
    let guardrails = explanation.get("guardrails").and_then(Value::as_array).map(Vec::as_slice);
    if let Some(guardrails) = guardrails.filter(|list| !list.is_empty()) {
        let _ = writeln!(lines, "\n{}", styled(HEAD, "guardrails"));
        guardrails.iter().for_each(|guardrail| guardrail_trace(guardrail, &mut lines));
    }
    lines
}

fn guardrail_trace(trace: &Value, lines: &mut String) {
    let field = |name: &str| trace.get(name).and_then(Value::as_str).unwrap_or_default();
    let is = |name: &str| trace.get(name).and_then(Value::as_bool).unwrap_or(false);
    let (style, says) = match (is("would_refuse"), is("shadow")) {
        (true, true) => (CARE, "would refuse"),
        (true, false) => (BAD, "refuses"),
        (false, _) => (GOOD, "admits"),
    };
    let _ = write!(lines, "  {style}{says:<12}{style:#}  {}", field("guardrail"));
    for name in ["breaker_state", "retry_after"] {
        if !field(name).is_empty() {
            let _ = write!(lines, "  {} {}", name.replace('_', " "), field(name));
        }
    }
    for limit in trace.get("limits").and_then(Value::as_array).into_iter().flatten() {
        let amount = |name: &str| limit.get(name).map(ToString::to_string).unwrap_or_default();
        let measure = limit.get("measure").and_then(Value::as_str).unwrap_or_default();
        let _ = write!(lines, "  {measure} {} of {} left", amount("left"), amount("limit"));
    }
    lines.push('\n');
}

fn trace(rule: &Value, lines: &mut String) {
    let field = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
    let (style, says) = match field("outcome") {
        "DECIDED" => (GOOD, "decided"),
        "MATCHED" => (GOOD, "modified"),
        "FALSE" => (FAINT, "false"),
        "ABSENT" => (FAINT, "absent"),
        "ERROR" => (BAD, "error"),
        "OUTRANKED" => (CARE, "outranked"),
        "DISABLED" => (FAINT, "disabled"),
        other => (FAINT, other),
    };
    let _ = write!(lines, "  {style}{says:<9}{style:#}  {}", field("rule_id"));
    if !field("condition").is_empty() {
        let _ = write!(lines, ": {}", field("condition"));
    }
    if let Some(actual) = rule.get("actual").filter(|actual| !actual.is_null() || field("outcome") == "FALSE")
    {
        let _ = write!(lines, " {}", styled(FAINT, format!("(got {actual})")));
    }
    if !field("error").is_empty() {
        let _ = write!(lines, ": {}", field("error"));
    }
    lines.push('\n');
}

fn style_of(effect: &str) -> Style {
    match effect {
        "ALLOW" => GOOD,
        "DENY" => BAD,
        _ => CARE,
    }
}

fn row(lines: &mut String, name: &str, value: Option<String>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        let name = styled(FAINT, format!("{:<13}", name.replace('_', " ")));
        let _ = writeln!(lines, "  {name} {value}");
    }
}

/// `2 with the role treasurer, until 2026-11-22T09:25:40Z, id 01a1…`
fn approval(approval: &Value) -> String {
    let field = |name: &str| approval.get(name).and_then(Value::as_str);
    let count = approval.get("approvers").and_then(Value::as_u64).unwrap_or_default();
    let who = field("role").map(|role| format!("{count} with the role {role}"));
    let until = field("expires_at").map(|time| format!("until {time}"));
    let id = field("id").map(|id| format!("id {id}"));
    [who, until, id].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `1.4.0, STABLE, sha256:100afebf1835…, environment default`
fn bundle(bundle: &Value) -> String {
    let field = |name: &str| bundle.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let is_stale = bundle.get("stale").and_then(Value::as_bool).unwrap_or(false);
    let digest = field("digest").map(|digest| format!("{}…", digest.chars().take(19).collect::<String>()));
    let environment = field("environment").map(|name| format!("environment {name}"));
    let parts = [field("version").map(String::from), field("arm").map(String::from), digest, environment];
    let stale = is_stale.then(|| styled(CARE, "stale: newer content was refused"));
    parts.into_iter().flatten().chain(stale).collect::<Vec<_>>().join(", ")
}

/// `mode draft, limits max_tool_calls 5, timeout 30s`
fn flat(map: &Map<String, Value>) -> String {
    let entry = |(name, value): (&String, &Value)| match value {
        Value::Object(inner) => format!("{name} {}", flat(inner)),
        Value::String(text) => format!("{name} {text}"),
        value => format!("{name} {value}"),
    };
    map.iter().map(entry).collect::<Vec<_>>().join(", ")
}
