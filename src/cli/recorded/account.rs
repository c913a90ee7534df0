//! Why a decision of the log came out so: the answer as it was given, each rule as it fares with what was
//! read then, and the guardrails as they stood.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde_json::{Map, Value, json};
use tollgate_engine::compile::Compiled;
use tollgate_engine::condition::slots::UsedSoFar;
use tollgate_engine::decide::{Grant, Request, Scratch, explain};
use tollgate_engine::model::ReasonCode;
use tollgate_engine::read::request::{self, RequestBounds, RequestDocument};
use tollgate_engine::read::{Bounds, SourceFile};
use tollgate_engine::simulate::answer;
use tollgate_engine::time::WallTime;

use crate::cli::bundle;
use crate::decision_log::{AUTHORIZE, BUNDLES, WITHIN_LIMITS};

/// The account of a recorded decision, in the form of `tollgate explain`, and why its rules could not be
/// looked at, where they could not.
pub fn account(record: &Value, log: &Path, from: Option<&Path>) -> (Value, Option<String>) {
    let (rules, why) = match rules(record, log, from) {
        Ok(rules) => (rules, None),
        Err(error) => (json!([]), Some(format!("{error:#}"))),
    };
    let decision = record.get("decision").cloned().unwrap_or_default();
    let mut told = json!({"decision": decision, "rules": rules, "guardrails": guardrails(record)});
    if let Value::Object(all) = &mut told {
        let known = |name: &str| Some((name.to_owned(), record.get(name)?.clone()));
        all.extend(["question", "units"].into_iter().filter_map(known));
    }
    (told, why)
}

/// What was asked. Records that do not say were asked whether the action may run.
pub fn question(record: &Value) -> &str {
    record.get("question").and_then(Value::as_str).unwrap_or(AUTHORIZE)
}

fn text<'r>(record: &'r Value, pointer: &str) -> &'r str {
    record.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn rules(record: &Value, log: &Path, from: Option<&Path>) -> anyhow::Result<Value> {
    let code = text(record, "/decision/reason_code");
    if text(record, "/decision/bundle/arm") == "BUILTIN" || code == ReasonCode::EmergencyStop.name() {
        return Ok(json!([]));
    }
    match question(record) {
        AUTHORIZE => {}
        WITHIN_LIMITS => return Ok(json!([])),
        other => bail!("`{other}` was asked, which this version does not know"),
    }
    let Some(asked) = record.get("request") else { bail!("the request was malformed, so no rule was asked") };
    let compiled = compiled(text(record, "/decision/bundle/digest"), log, from)?;
    let document = document(asked)?;
    let rule = compiled
        .source()
        .rules
        .iter()
        .find(|rule| rule.id.as_str() == text(record, "/read/grant/accepted_for"));
    let grant = rule.map_or(Grant::None, |rule| Grant::Accepted(&rule.id));
    let request = Request { grant, dry_run: true, ..document.request() };
    let now = text(record, "/time").parse::<jiff::Timestamp>().context("the record has no time")?;
    let usage = usage(record);
    // What the request names itself wins over it, as it did then.
    let environment = text(record, "/decision/bundle/environment");
    let told = explain(
        &compiled,
        &request,
        environment,
        WallTime::from(now),
        usage.as_ref(),
        &mut Scratch::default(),
    );
    Ok(answer::traces(&told.rules))
}

/// The bundle that decided: the one that is given, or what is kept beside the log.
fn compiled(digest: &str, log: &Path, from: Option<&Path>) -> anyhow::Result<Compiled> {
    let compiled = match from {
        Some(path) => match bundle::check(path) {
            Ok(checked) => checked.compiled.with_context(|| format!("{}: it is refused", path.display()))?,
            Err(failure) => return Err(failure.error),
        },
        None => kept(digest, log)?,
    };
    let own = compiled.digest().to_string();
    ensure!(own == digest, "the bundle that is given is {own}, and `{digest}` decided");
    Ok(compiled)
}

fn kept(digest: &str, log: &Path) -> anyhow::Result<Compiled> {
    let dir: PathBuf = if log.is_dir() { log.into() } else { log.parent().unwrap_or(log).into() };
    let path = dir.join(BUNDLES).join(format!("{}.json", digest.replace(':', "-")));
    let missing =
        || format!("{}: the bundle that decided is not there; name it with `--bundle`", path.display());
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).with_context(missing)?)?;
    let file =
        |file: &Value| Some((file.get("name")?.as_str()?.to_owned(), file.get("text")?.as_str()?.into()));
    let files = kept.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let files: Vec<(String, Vec<u8>)> = files.iter().filter_map(file).collect();
    let compiled = bundle::check_files(&files, &generous()).compiled;
    compiled.with_context(|| format!("{}: the bundle cannot be read any longer", path.display()))
}

/// It was within the bounds of its server, which may be ten times the usual ones.
fn generous() -> Bounds {
    let usual = Bounds::default();
    Bounds {
        bytes: usual.bytes.saturating_mul(10),
        depth: usual.depth.saturating_mul(10),
        rules: usual.rules.saturating_mul(10),
        guardrails: usual.guardrails.saturating_mul(10),
        nodes: usual.nodes.saturating_mul(10),
        alias_nodes: usual.alias_nodes.saturating_mul(10),
        string_bytes: usual.string_bytes.saturating_mul(10),
    }
}

fn document(asked: &Value) -> anyhow::Result<RequestDocument> {
    let bytes = serde_json::to_vec(asked)?;
    let usual = RequestBounds::default();
    let bounds = RequestBounds {
        bytes: usual.bytes.saturating_mul(20),
        context_values: usual.context_values.saturating_mul(10),
        context_depth: usual.context_depth.saturating_mul(10),
        string_bytes: usual.string_bytes.saturating_mul(10),
        name_bytes: usual.name_bytes.saturating_mul(10),
        list_items: usual.list_items.saturating_mul(10),
        grants: usual.grants.saturating_mul(10),
    };
    let reading = request::read(&SourceFile { name: "the record", bytes: &bytes }, &bounds);
    let why = || reading.findings.first().map(|found| found.message.to_string()).unwrap_or_default();
    let Some(document) = reading.request.clone() else {
        bail!("the request of the record cannot be read: {}", why())
    };
    Ok(document)
}

fn usage(record: &Value) -> Option<UsedSoFar> {
    let read = record.pointer("/read/usage")?;
    let amount = |name: &str| read.get(name).and_then(Value::as_f64).unwrap_or_default();
    Some(UsedSoFar {
        tool_calls: amount("tool_calls"),
        llm_calls: amount("llm_calls"),
        llm_tokens: amount("llm_tokens"),
        cost: amount("cost"),
        compute: amount("compute"),
    })
}

/// How the guardrails stood, by name: what they counted after this decision, and which refused.
fn guardrails(record: &Value) -> Value {
    let list = |pointer: &str| record.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let name = |one: &Value| one.get("guardrail").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut all: std::collections::BTreeMap<String, Map<String, Value>> = std::collections::BTreeMap::new();
    for limit in list("/decision/limits") {
        let limits = all.entry(name(&limit)).or_default().entry("limits").or_insert_with(|| json!([]));
        limits.as_array_mut().into_iter().for_each(|limits| limits.push(limit.clone()));
    }
    for (pointer, shadow) in [("/read/refusals", false), ("/read/shadow_refusals", true)] {
        for refusal in list(pointer) {
            let one = all.entry(name(&refusal)).or_default();
            one.insert("would_refuse".into(), true.into());
            one.insert("shadow".into(), shadow.into());
            for field in ["retry_after", "reason_code", "key"] {
                one.extend(refusal.get(field).map(|value| (field.to_owned(), value.clone())));
            }
        }
    }
    let whole = |(name, mut one): (String, Map<String, Value>)| {
        one.insert("guardrail".into(), name.into());
        for flag in ["would_refuse", "shadow"] {
            one.entry(flag).or_insert_with(|| false.into());
        }
        Value::Object(one)
    };
    all.into_iter().map(whole).collect()
}
