//! Random targets: agents and actions, scope, phase, every field of `target`, and globs of every syntax.

use serde_json::{Map, Value as Json, json};

use crate::naive_glob;
use crate::pools;
use crate::rng::Rng;

const FIELDS: [(&str, &[&str]); 16] = [
    ("agents", &pools::AGENTS),
    ("actions", &pools::ACTIONS),
    ("kinds", &pools::KINDS),
    ("tools", &pools::TOOLS),
    ("providers", &pools::PROVIDERS),
    ("models", &pools::MODELS),
    ("tenants", &pools::TENANTS),
    ("apps", &pools::APPS),
    ("users", &pools::USERS),
    ("workflows", &pools::WORKFLOWS),
    ("pipeline_ids", &pools::PIPELINES),
    ("stage_names", &pools::STAGES),
    ("stage_handler_names", &pools::HANDLERS),
    ("environments", &pools::ENVIRONMENTS),
    ("modes", &pools::MODES),
    ("roles", &pools::ROLES),
];

/// Adds what a rule applies to. `wild` is the share in percent of agents and actions that match all.
pub fn add(rule: &mut Json, wild: usize, rng: &mut Rng) {
    // An agent or action is written in the rule or in its target, not in both.
    let (mut in_target, mut target) = (Vec::new(), Map::new());
    for (key, values, field) in [("agent", pools::AGENTS, "agents"), ("action", pools::ACTIONS, "actions")] {
        match rule_patterns(&values, wild, rng) {
            Some(patterns) => rule[key] = patterns,
            None => in_target.push(field),
        }
    }
    if rng.chance(35) {
        for _ in 0..=rng.weighted(&[70, 30]) {
            let (field, values) = FIELDS[rng.below(FIELDS.len())];
            if !matches!(field, "agents" | "actions") || in_target.contains(&field) {
                insert(&mut target, field, values, rng);
            }
        }
        if rng.chance(20) {
            target.insert("tags".to_owned(), tags(rng));
        }
    }
    if rng.chance(8) {
        let axes: [(&str, &[&str]); 5] = [
            ("tenant", &pools::TENANTS),
            ("app", &pools::APPS),
            ("tool", &pools::TOOLS),
            ("workflow", &pools::WORKFLOWS),
            ("agent", &["kyc", "ops.bot", "inbox.triage"]),
        ];
        let (axis, values) = axes[rng.below(axes.len())];
        rule["scope"] = if rng.chance(15) { json!("global") } else { json!({axis: rng.pick(values)}) };
    }
    match rng.below(20) {
        0 => rule["phase"] = json!("enqueue"),
        1..=4 => rule["phase"] = json!("any"),
        6 => rule["phase"] = json!("dispatch"),
        5 => {
            let phases = [json!(["enqueue"]), json!(["dispatch", "enqueue"]), json!(["*"]), json!(["en*"])];
            target.insert("phases".to_owned(), phases[rng.below(4)].clone());
        }
        _ => {}
    }
    if !target.is_empty() {
        rule["target"] = Json::Object(target);
    }
}

/// The value of a rule's `agent` or `action`; none where it is left out.
fn rule_patterns(values: &[&str], wild: usize, rng: &mut Rng) -> Option<Json> {
    if rng.chance(wild) {
        return match rng.below(6) {
            0..=2 => None,
            3 => Some(json!([pattern(values, rng), "*"])),
            _ => Some(json!("*")),
        };
    }
    let many = rng.chance(20);
    Some(if many { patterns(values, rng) } else { string_pattern(values, rng) })
}

fn insert(target: &mut Map<String, Json>, field: &str, values: &[&str], rng: &mut Rng) {
    let alias = match field {
        "environments" if rng.chance(20) => "environment",
        "apps" if rng.chance(20) => "application",
        _ => field,
    };
    if ["environments", "environment", "apps", "application", field].iter().all(|f| !target.contains_key(*f))
    {
        let written = if rng.chance(15) { string_pattern(values, rng) } else { patterns(values, rng) };
        target.insert(alias.to_owned(), written);
    }
}

fn tags(rng: &mut Rng) -> Json {
    match rng.below(3) {
        0 => json!({"include": patterns(&pools::TAGS, rng)}),
        1 => json!({"exclude": patterns(&pools::TAGS, rng)}),
        _ => {
            json!({"include": patterns(&pools::TAGS, rng), "exclude": patterns(&pools::TAGS, rng)})
        }
    }
}

fn patterns(values: &[&str], rng: &mut Rng) -> Json {
    let count = rng.between(1, 3);
    Json::Array((0..count).map(|_| pattern(values, rng)).collect())
}

/// An exact value, a glob, `*`, or a literal.
fn pattern(values: &[&str], rng: &mut Rng) -> Json {
    let value = rng.pick(values);
    match rng.below(16) {
        0 => json!({"eq": value}),
        // What would be a glob elsewhere is a literal here, and matches nothing.
        1 if !pools::KINDS.contains(&value) => json!({"eq": glob_for(value, rng)}),
        _ => string_pattern(values, rng),
    }
}

fn string_pattern(values: &[&str], rng: &mut Rng) -> Json {
    let value = rng.pick(values);
    let glob = glob_for(value, rng);
    // A glob that no kind matches is refused at load, like a kind that there is not.
    let fits = !pools::KINDS.contains(&value) || pools::KINDS.iter().any(|k| naive_glob::matches(&glob, k));
    match rng.below(12) {
        0 => json!("*"),
        1..=4 if fits => json!(glob),
        _ => json!(escaped(value)),
    }
}

/// The value as a glob that matches it alone.
fn escaped(value: &str) -> String {
    value.chars().map(escape).collect()
}

fn escape(c: char) -> String {
    if "*?[]{}\\".contains(c) { format!("\\{c}") } else { c.to_string() }
}

/// A glob made from a value, which mostly matches it and something else too.
pub fn glob_for(value: &str, rng: &mut Rng) -> String {
    let chars: Vec<char> = value.chars().collect();
    if chars.is_empty() {
        return rng.pick(&["*", "?", "{a,b}"]).to_owned();
    }
    let at = rng.below(chars.len());
    let part = |from: usize, to: usize| chars[from..to].iter().copied().map(escape).collect::<String>();
    let (head, tail, c) = (part(0, at), part(at + 1, chars.len()), chars[at]);
    let next = char::from_u32(c as u32 + 1).filter(char::is_ascii_alphanumeric).unwrap_or(c);
    let plain = c.is_ascii_alphanumeric();
    match rng.below(11) {
        0 => format!("{head}*"),
        1 => format!("*{}", part(at, chars.len())),
        2 => format!("{head}*{tail}"),
        3 => format!("{head}?{tail}"),
        4 if plain => format!("{head}[{c}xyz]{tail}"),
        5 if plain => format!("{head}[{}-{next}]{tail}", if c == 'a' { 'a' } else { '0' }),
        6 if plain => format!("{head}[!{c}]{tail}"),
        7 => format!("{{{},other}}", escaped(value)),
        8 => format!("{{x,{head}{{{},q}}{tail}}}*", escape(c)),
        9 => format!("{head}\\{c}{tail}"),
        _ => format!("*{}*", escape(c)),
    }
}
