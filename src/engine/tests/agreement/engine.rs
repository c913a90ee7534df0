//! The engine's side of the comparison: the one file that names its functions.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value as Json;
use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Answer, Decision, Obligations, Scratch, authorize};
use tollgate_engine::model::{Disposition, Finding};
use tollgate_engine::read::request::{RequestBounds, RequestDocument};
use tollgate_engine::read::{self, Bounds, SourceFile};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::{Const, ConstMap};

use crate::naive::Expected;
use crate::naive_value::special_number;

/// What the engine answers to each request, or why it refuses the bundle.
///
/// `{"$nan": true}`, `{"$inf": true}` and `{"$ninf": true}` in a context stand for doubles that JSON cannot
/// write. Nothing is known of `usage`.
pub fn decide(
    bundle_text: &str,
    asked: &[(Json, Timestamp)],
    server_environment: &str,
) -> Result<Vec<Expected>, String> {
    let compiled = compiled(bundle_text)?;
    let mut scratch = Scratch::default();
    let answers = asked.iter().map(|(request, now)| {
        let document = document(request)?;
        let now = WallTime::from_nanos(i64::try_from(now.as_nanosecond()).map_err(|e| e.to_string())?);
        let decision = authorize(&compiled, &document.request(), server_environment, now, None, &mut scratch);
        Ok(expected(&decision))
    });
    answers.collect()
}

fn compiled(bundle_text: &str) -> Result<Compiled, String> {
    let files = [SourceFile { name: "bundle.json", bytes: bundle_text.as_bytes() }];
    let reading = read::bundle(&files, &Bounds::default());
    let bundle = reading.bundle.ok_or_else(|| words(&reading.findings))?;
    compile::bundle(bundle).map_err(|findings| words(&findings))
}

fn words(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|f| f.is_format_error());
    errors.map(|f| format!("{}: {}", f.code.name(), f.message)).collect::<Vec<_>>().join("; ")
}

/// The request as its reader gives it; the context beside it, since the reader takes JSON's numbers only.
fn document(request: &Json) -> Result<RequestDocument, String> {
    let fields = request.as_object().into_iter().flatten().filter(|(name, _)| *name != "context");
    let without: serde_json::Map<_, _> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    let text = Json::Object(without).to_string();
    let file = SourceFile { name: "request.json", bytes: text.as_bytes() };
    let reading = read::request::read(&file, &RequestBounds::default());
    let mut document = reading.request.ok_or_else(|| words(&reading.findings))?;
    document.context = entries(&request["context"]);
    Ok(document)
}

fn entries(json: &Json) -> ConstMap {
    let fields = json.as_object().into_iter().flatten();
    fields.map(|(name, value)| (name.as_str().into(), constant(value))).collect()
}

fn constant(json: &Json) -> Const {
    match json {
        Json::Null => Const::Null,
        Json::Bool(b) => Const::Bool(*b),
        Json::Number(n) => Const::Number(n.as_f64().unwrap_or(f64::NAN)),
        Json::String(s) => Const::Str(s.as_str().into()),
        Json::Array(items) => Const::List(items.iter().map(constant).collect()),
        Json::Object(_) => special_number(json).map_or_else(|| Const::Map(entries(json)), Const::Number),
    }
}

fn expected(decision: &Decision<'_>) -> Expected {
    let (effect, disposition, obligations) = match &decision.answer {
        Answer::Allow(obligations) => ("ALLOW", "", *obligations),
        Answer::Deny(Disposition::Raise) => ("DENY", "RAISE", Obligations::default()),
        Answer::Deny(Disposition::Drop) => ("DENY", "DROP", Obligations::default()),
        Answer::RequireApproval(_) => ("REQUIRE_APPROVAL", "", Obligations::default()),
        Answer::Throttle(_) => unreachable!("no guardrail is asked here"),
    };
    let caps = obligations.limits;
    let count = |n: Option<u64>| n.map(|n| n as f64);
    let limits = [
        ("max_tool_calls", count(caps.max_tool_calls)),
        ("max_llm_calls", count(caps.max_llm_calls)),
        ("max_llm_tokens", count(caps.max_llm_tokens)),
        ("max_cost", caps.max_cost.map(|money| money.units())),
        ("max_compute", count(caps.max_compute)),
        ("max_duration_seconds", caps.max_duration.map(|span| span.seconds())),
    ];
    let limits = limits.into_iter().filter_map(|(name, cap)| Some((name.to_owned(), cap?)));
    Expected {
        effect: effect.to_owned(),
        disposition: disposition.to_owned(),
        rule_id: decision.rule.map(|id| id.as_str().to_owned()).unwrap_or_default(),
        reason_code: decision.reason_code.name().to_owned(),
        mode: obligations.mode.to_owned(),
        limits: limits.collect::<BTreeMap<_, _>>(),
        timeout_seconds: obligations.timeout.map(|span| span.seconds()),
    }
}
