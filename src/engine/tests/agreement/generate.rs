//! Random bundles with the requests to ask them: small ones of every feature, big ones for an index.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::generate_conditions::conditions;
use crate::generate_request::request;
use crate::generate_target;
use crate::generate_when::when;
use crate::pools;
use crate::rng::Rng;

/// A bundle and what it is asked.
#[derive(Clone)]
pub struct Case {
    pub bundle: Json,
    /// Requests and the moments at which they are asked.
    pub asked: Vec<(Json, Timestamp)>,
    pub server_environment: &'static str,
}

/// Case `index` under `seed`, with that many requests.
pub fn case(seed: u64, index: u64, requests: usize) -> Case {
    drawn(&mut Rng::new(seed, index), requests)
}

/// A case of these choices.
pub fn drawn(rng: &mut Rng, requests: usize) -> Case {
    let (bundle, scale) = bundle(rng);
    let asked = (0..requests).map(|_| (request(rng, scale), moment(rng))).collect();
    Case { bundle, asked, server_environment: ["default", "production", "staging"][rng.below(3)] }
}

/// Some instants around changes of the clock and of the year, and any of this century.
pub fn moment(rng: &mut Rng) -> Timestamp {
    let known = [
        "2026-11-21T08:00:00Z",
        "2026-03-29T00:59:59.999Z",
        "2026-03-29T01:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-12-31T23:30:00Z",
    ];
    if rng.chance(60) {
        return rng.pick(&known).parse().expect("the list holds timestamps");
    }
    let second = 946_684_800 + rng.below(3_000_000_000) as i64;
    Timestamp::new(second, rng.below(1_000_000_000) as i32).expect("a second of this century")
}

/// A bundle, and how many distinct values the requests' fields should have for it.
fn bundle(rng: &mut Rng) -> (Json, usize) {
    let (count, scale) = match rng.weighted(&[900, 60, 40]) {
        0 => (rng.between(1, 12), 0),
        1 => (rng.between(15, 60), 0),
        _ => {
            let count = rng.between(100, 300);
            (count, count)
        }
    };
    let rules: Vec<Json> =
        if scale > 0 { big(count, rng) } else { (0..count).map(|at| rule(at, rng)).collect() };
    let bundle = json!({
        "format": "tollgate/v1",
        "version": "1.0.0",
        "defaults": defaults(rng),
        "data": data(rng),
        "rules": rules,
    });
    (bundle, scale)
}

fn defaults(rng: &mut Rng) -> Json {
    let mut defaults = json!({});
    match rng.below(4) {
        0 => {}
        1 => defaults["effect"] = json!("deny"),
        _ => defaults["effect"] = json!("allow"),
    }
    if rng.chance(40) {
        let mut order = pools::MODES.to_vec();
        order.rotate_left(rng.below(4));
        order.truncate(rng.between(1, 4));
        defaults["mode_order"] = json!(order);
    }
    defaults
}

pub fn data(rng: &mut Rng) -> Json {
    let mut limits = json!({"a": pools::number(rng), "b": pools::number(rng)});
    for tenant in pools::TENANTS {
        if rng.chance(60) {
            limits[tenant] = json!(pools::number(rng));
        }
    }
    json!({
        "threshold": pools::number(rng),
        "flags": {"new_checkout": rng.chance(50)},
        "prefix": pools::text(rng),
        "pattern": rng.pick(&["^a", "partner", "[a-z]+$"]),
        "vip_domains": [pools::text(rng), pools::text(rng)],
        "limits": limits,
    })
}

/// What a rule decides, without its target and conditions. Few priorities, so that ties are common.
fn effect(at: usize, rng: &mut Rng) -> Json {
    let mut rule = json!({"id": format!("rule-{at}"), "reason": "made by the generator"});
    match rng.weighted(&[27, 30, 17, 3, 23]) {
        0 => rule["effect"] = json!("allow"),
        1 => {
            rule["effect"] = json!("deny");
            if rng.chance(40) {
                rule["disposition"] = json!(rng.pick(&["drop", "raise"]));
            }
        }
        2 => rule["effect"] = json!("require_approval"),
        3 => rule["effect"] = json!("needs_approval"),
        _ => {
            rule["effect"] = json!("modify");
            rule["modify"] = modify(rng);
        }
    }
    if rng.chance(55) {
        let priorities = [0, 1, 49, 50, 51, 100, 100, 100, -5, i32::MIN, i32::MAX];
        rule["priority"] = json!(priorities[rng.below(priorities.len())]);
    }
    if rng.chance(12) {
        rule["enabled"] = json!(rng.chance(40));
    }
    rule
}

fn modify(rng: &mut Rng) -> Json {
    let mut modify = json!({});
    if rng.chance(60) {
        modify["mode"] = json!(rng.pick(&pools::MODES));
    }
    if rng.chance(50) {
        let names = ["max_tool_calls", "max_llm_calls", "max_llm_tokens", "max_compute"];
        let mut limits = json!({});
        for name in names {
            if rng.chance(40) {
                limits[name] = json!(rng.between(1, 9));
            }
        }
        if rng.chance(40) {
            limits["max_cost"] = json!([0.05, 1.5, 3.0][rng.below(3)]);
        }
        if rng.chance(30) {
            limits["max_duration_seconds"] = json!([0.5, 30.0, 60.0][rng.below(3)]);
        }
        if limits != json!({}) {
            modify["limits"] = limits;
        }
    }
    if rng.chance(50) || modify == json!({}) {
        modify["timeout_seconds"] = json!([0.25, 2.0, 5.0, 30.0][rng.below(4)]);
    }
    modify
}

/// A rule of a small bundle: loose targets, so that most conditions are looked at.
fn rule(at: usize, rng: &mut Rng) -> Json {
    let mut rule = effect(at, rng);
    generate_target::add(&mut rule, 70, rng);
    if rng.chance(65) {
        rule["conditions"] = conditions(rng);
    }
    if rng.chance(28) {
        rule["when"] = json!(when(rng));
    }
    rule
}

/// Many rules on few agents and actions, each with a threshold or an equality of its own on a few fields.
fn big(count: usize, rng: &mut Rng) -> Vec<Json> {
    let wild = [100, 90, 60][rng.below(3)];
    let shape = rng.below(4);
    let spread = [1, 5, count][rng.below(3)];
    let mut rules = Vec::new();
    for at in 0..count {
        let mut rule = effect(at, rng);
        // Mostly one effect, so that an index may prune; the strict ones must see every error.
        if rule["effect"] != "modify" && rng.chance(60) {
            rule["effect"] = json!(["allow", "deny", "require_approval"][shape % 3]);
            if let Some(fields) = rule.as_object_mut() {
                fields.remove("disposition");
            }
        }
        rule["priority"] = json!(rng.below(spread));
        match rng.below(100) {
            0..=4 => generate_target::add(&mut rule, wild, rng),
            n if n < wild => {
                if rng.chance(30) {
                    rule["agent"] = json!("*");
                }
            }
            _ => {
                rule["agent"] = json!(rng.pick(&pools::AGENTS[..3]));
                rule["action"] = json!(rng.pick(&pools::ACTIONS[..2]));
            }
        }
        match rng.below(100) {
            0..=3 => rule["conditions"] = conditions(rng),
            4..=6 if rng.chance(40) => rule["when"] = json!(when(rng)),
            _ => rule["conditions"] = selective(shape, count, rng),
        }
        rules.push(rule);
    }
    rules
}

/// Conditions that few requests meet.
fn selective(shape: usize, scale: usize, rng: &mut Rng) -> Json {
    let numbers = ["risk_score", "amount", "n"];
    let texts = ["category", "sender", "status"];
    let (number, text) = (rng.pick(&numbers[..=shape.min(2)]), rng.pick(&texts));
    let (threshold, value) = (rng.below(scale), format!("v{}", rng.below(scale)));
    let sparse = |rng: &mut Rng| scale - rng.below(scale.div_ceil(12));
    match (shape, rng.below(8)) {
        (0, 0..=3) => json!({format!(">={number}"): sparse(rng)}),
        (0, 4) => json!({format!("{number}<"): rng.below(scale / 12)}),
        (1, 0..=4) => json!({(*text): value}),
        (1, 5) => json!({(*text): value, format!(">{number}"): threshold}),
        (_, 0) => json!({(*number): {"between": [threshold, threshold + rng.below(6)]}}),
        (_, 1) => {
            json!({format!(">={number}"): threshold, format!("<={number}"): threshold + rng.below(6)})
        }
        (_, 2) => json!({(*text): {"in": [value, format!("v{}", rng.below(scale))]}}),
        (_, 3) => json!({(*number): threshold}),
        (_, 4) => {
            json!({"tenant": rng.pick(&pools::TENANTS), (*number): format!("== {threshold}")})
        }
        (_, 5) => json!({format!(">={number}"): sparse(rng), "email.size": {"<": threshold}}),
        (_, 6) => json!({"tool": rng.pick(&pools::TOOLS), (*text): value}),
        _ => json!({(*text): value, (*number): {"!=": threshold}}),
    }
}
