//! The naive interpreter: what a bundle answers to a request, written straight from pages 1.4 to 1.6.
//!
//! It reads the bundle's JSON anew for every request, looks at every rule and knows nothing of the engine.
//! Where the engine disagrees with it, one of the two has misread the page.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::naive_cel;
use crate::naive_conditions;
use crate::naive_glob;
use crate::naive_request::Facts;
use crate::naive_value::{Answer, Unknown, and};

/// The part of a decision that the bundle and the request determine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expected {
    pub effect: String,
    /// `RAISE` or `DROP` with `DENY`, else empty.
    pub disposition: String,
    /// Empty where a default decides.
    pub rule_id: String,
    pub reason_code: String,
    /// The obligations, of an `ALLOW` only.
    pub mode: String,
    pub limits: BTreeMap<String, f64>,
    pub timeout_seconds: Option<f64>,
}

impl Expected {
    pub fn to_json(&self) -> Json {
        json!({
            "effect": self.effect, "disposition": self.disposition, "rule_id": self.rule_id,
            "reason_code": self.reason_code, "mode": self.mode, "limits": self.limits,
            "timeout_seconds": self.timeout_seconds,
        })
    }
}

/// Decides on one request; `bundle` is the canonical document, checked before.
pub fn decide(bundle: &Json, request: &Json, now: jiff::Timestamp, server_environment: &str) -> Expected {
    let facts = Facts::new(bundle, request, now, server_environment);
    let rules = ranked(bundle);
    let found = rules
        .iter()
        .filter(|rule| effect(rule) != "modify")
        .find_map(|rule| matched(rule, &facts).map(|by_error| (*rule, by_error)));
    let mut answer = match found {
        Some((rule, by_error)) => by_rule(rule, by_error),
        None => by_default(bundle, &facts),
    };
    if answer.effect == "ALLOW" {
        let modifies = rules.iter().filter(|rule| effect(rule) == "modify");
        let modifies = modifies.filter(|rule| matched(rule, &facts).is_some());
        oblige(&mut answer, bundle, &facts, modifies.map(|rule| &rule["modify"]).collect());
    }
    answer
}

/// The enabled rules: highest priority first, then the stricter effect, then as written.
fn ranked(bundle: &Json) -> Vec<&Json> {
    let rules = bundle["rules"].as_array().into_iter().flatten();
    let mut rules: Vec<&Json> = rules.filter(|rule| rule["enabled"] != false).collect();
    rules.sort_by_key(|rule| {
        let strictness = match effect(rule) {
            "deny" => 0,
            "require_approval" => 1,
            _ => 2,
        };
        (-rule["priority"].as_i64().unwrap_or(50), strictness)
    });
    rules
}

fn effect(rule: &Json) -> &str {
    match rule["effect"].as_str() {
        Some("needs_approval") => "require_approval",
        other => other.unwrap_or_default(),
    }
}

/// Whether a rule counts as matched, and if so whether by an error.
fn matched(rule: &Json, facts: &Facts<'_>) -> Option<bool> {
    if !targeted(rule, facts) {
        return None;
    }
    let strict = matches!(effect(rule), "deny" | "require_approval");
    match conditions_hold(rule, facts) {
        Ok(true) => Some(false),
        Err(Unknown::Error) if strict => Some(true),
        _ => None,
    }
}

fn conditions_hold(rule: &Json, facts: &Facts<'_>) -> Answer<bool> {
    let conditions = rule["conditions"].as_object().map(|c| naive_conditions::hold(c, facts));
    let when = rule["when"].as_str().map(|source| naive_cel::holds(source, facts));
    and(conditions.into_iter().chain(when))
}

/// Agent, action, scope, phase and the fields of `target`, all required.
fn targeted(rule: &Json, facts: &Facts<'_>) -> bool {
    all_or_listed(&rule["agent"], facts.text("agent"))
        && all_or_listed(&rule["action"], facts.text("action"))
        && in_scope(&rule["scope"], facts)
        && in_phase(rule, facts)
        && rule["target"]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(field, patterns)| in_target(field, patterns, facts))
}

/// A rule's `agent` or `action`: left out, or `*`, it matches all, an absent value too.
fn all_or_listed(patterns: &Json, value: Option<&str>) -> bool {
    patterns.is_null() || one_or_many(patterns).any(|p| p == "*") || listed(patterns, value)
}

fn in_scope(scope: &Json, facts: &Facts<'_>) -> bool {
    let axes = scope.as_object().into_iter().flatten();
    axes.into_iter().all(|(axis, value)| axis == "global" || listed(value, facts.text(axis)))
}

fn in_phase(rule: &Json, facts: &Facts<'_>) -> bool {
    let phase = facts.text("phase");
    match rule["phase"].as_str() {
        Some("any") => true,
        Some(named) => phase == Some(named),
        None if rule["target"]["phases"].is_null() => phase == Some("dispatch"),
        None => true,
    }
}

fn in_target(field: &str, patterns: &Json, facts: &Facts<'_>) -> bool {
    let name = match field {
        "agents" => "agent",
        "actions" => "action",
        "kinds" => "kind",
        "tools" => "tool",
        "providers" => "provider",
        "models" => "model",
        "tenants" => "tenant",
        "apps" | "application" => "app",
        "users" => "user",
        "workflows" => "workflow",
        "pipeline_ids" => "pipeline",
        "stage_names" => "stage",
        "stage_handler_names" => "handler",
        "environments" | "environment" => "environment",
        "modes" => "mode",
        "phases" => "phase",
        "roles" => {
            return facts.texts("roles").into_iter().any(|role| listed(patterns, Some(role)));
        }
        "tags" => {
            let any_of = |list: &Json| facts.texts("tags").into_iter().any(|tag| listed(list, Some(tag)));
            let included = patterns["include"].is_null() || any_of(&patterns["include"]);
            return included && (patterns["exclude"].is_null() || !any_of(&patterns["exclude"]));
        }
        _ => return false,
    };
    listed(patterns, facts.text(name))
}

/// Whether a value is one of a list of globs and literals; an absent one is of none.
fn listed(patterns: &Json, value: Option<&str>) -> bool {
    let Some(value) = value else { return false };
    one_or_many(patterns).any(|pattern| match pattern {
        Json::String(glob) => naive_glob::matches(glob, value),
        literal => literal["eq"] == value,
    })
}

fn one_or_many(patterns: &Json) -> impl Iterator<Item = &Json> {
    patterns.as_array().map_or_else(|| std::slice::from_ref(patterns), Vec::as_slice).iter()
}

fn by_rule(rule: &Json, by_error: bool) -> Expected {
    let (effect, code) = match effect(rule) {
        "deny" => ("DENY", "rule"),
        "require_approval" => ("REQUIRE_APPROVAL", "approval_required"),
        _ => ("ALLOW", "rule"),
    };
    let drop = rule["disposition"] == "drop";
    let disposition = if drop { "DROP" } else { "RAISE" };
    Expected {
        effect: effect.to_owned(),
        disposition: if effect == "DENY" { disposition.to_owned() } else { String::new() },
        rule_id: rule["id"].as_str().unwrap_or_default().to_owned(),
        reason_code: if by_error { "condition_error" } else { code }.to_owned(),
        ..Expected::default()
    }
}

fn by_default(bundle: &Json, facts: &Facts<'_>) -> Expected {
    let (effect, disposition, code) = if facts.text("phase") == Some("enqueue") {
        ("ALLOW", "", "default_enqueue")
    } else if bundle["defaults"]["effect"] == "allow" {
        ("ALLOW", "", "default_allow")
    } else {
        ("DENY", "RAISE", "default_deny")
    };
    Expected {
        effect: effect.to_owned(),
        disposition: disposition.to_owned(),
        reason_code: code.to_owned(),
        ..Expected::default()
    }
}

/// The obligations of an allowed action: the strictest mode, the smallest numbers.
fn oblige(answer: &mut Expected, bundle: &Json, facts: &Facts<'_>, modifies: Vec<&Json>) {
    let written = bundle["defaults"]["mode_order"].as_array();
    let mode_order: Vec<&str> = match written {
        Some(modes) => modes.iter().filter_map(Json::as_str).collect(),
        None => vec!["draft", "auto"],
    };
    let modes = facts.text("mode").into_iter().chain(modifies.iter().filter_map(|m| m["mode"].as_str()));
    // An unlisted mode is stricter than the first listed one; of equals the first stays.
    let strictest = modes.min_by_key(|mode| mode_order.iter().position(|m| m == mode).map_or(0, |at| at + 1));
    answer.mode = strictest.unwrap_or_default().to_owned();
    for (name, limit) in modifies.iter().filter_map(|m| m["limits"].as_object()).flatten() {
        let limit = limit.as_f64().unwrap_or(f64::INFINITY);
        let smallest = answer.limits.entry(name.clone()).or_insert(limit);
        *smallest = smallest.min(limit);
    }
    let timeout = modifies.iter().filter_map(|m| m["timeout_seconds"].as_f64()).reduce(f64::min);
    answer.timeout_seconds = timeout.map(|t| facts.time_left().map_or(t, |left| left.min(t)));
}
