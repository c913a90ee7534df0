//! The small pools from which bundles and requests both draw, so that exact hits and both sides of every
//! boundary are common.

use serde_json::{Value as Json, json};

use crate::rng::Rng;

pub const AGENTS: [&str; 7] =
    ["inbox.triage", "inbox.reply", "ops.bot", "ops.deploy", "kyc", "Inbox.triage", "a*b"];
pub const ACTIONS: [&str; 7] =
    ["quarantine", "reply", "sql.read", "sql.write", "kyc-check", "deploy/now", "é[x]"];
pub const USERS: [&str; 4] = ["ann", "bob", "eve", "Ann"];
pub const TENANTS: [&str; 4] = ["acme", "globex", "umbrella", "initech"];
pub const APPS: [&str; 3] = ["mail", "shop", "bank"];
pub const WORKFLOWS: [&str; 3] = ["onboard", "offboard", "nightly"];
pub const RUNS: [&str; 3] = ["run-1", "run-2", "run-3"];
pub const ROLES: [&str; 4] = ["admin", "operator", "auditor", "intern"];
pub const TOOLS: [&str; 4] = ["sql.query", "sql.exec", "http.get", "shell"];
pub const PROVIDERS: [&str; 3] = ["openai", "azure", "local"];
pub const MODELS: [&str; 4] = ["gpt-4o", "gpt-4o-mini", "llama-3", "o1"];
pub const PIPELINES: [&str; 2] = ["billing", "signup"];
pub const STAGES: [&str; 3] = ["load", "check", "store"];
pub const HANDLERS: [&str; 3] = ["kyc-1", "kyc-2", "audit"];
pub const TAGS: [&str; 4] = ["security", "slow", "pii", "beta"];
pub const KINDS: [&str; 7] = ["tool", "llm", "stage", "task", "sleep", "wait_signal", "other"];
pub const ENVIRONMENTS: [&str; 4] = ["production", "staging", "default", "dev"];
pub const MODES: [&str; 4] = ["draft", "auto", "live", "turbo"];
pub const PHASES: [&str; 2] = ["dispatch", "enqueue"];

/// What a context field mostly holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Num,
    Text,
    Flag,
    Time,
    Span,
    Address,
    Zone,
    Texts,
    Numbers,
    Maps,
    Meta,
    Email,
}

/// The context's fields. The last ones share a name with a field of the request.
pub const FIELDS: [(&str, Kind); 27] = [
    ("risk_score", Kind::Num),
    ("amount", Kind::Num),
    ("n", Kind::Num),
    ("category", Kind::Text),
    ("sender", Kind::Text),
    ("status", Kind::Text),
    ("digits", Kind::Text),
    ("urgent", Kind::Flag),
    ("vip", Kind::Flag),
    ("at", Kind::Time),
    ("wait", Kind::Span),
    ("ip", Kind::Address),
    ("tz", Kind::Zone),
    ("labels", Kind::Texts),
    ("scores", Kind::Numbers),
    ("items", Kind::Maps),
    ("meta", Kind::Meta),
    ("email", Kind::Email),
    ("agent", Kind::Text),
    ("tool", Kind::Text),
    ("mode", Kind::Text),
    ("environment", Kind::Text),
    ("kind", Kind::Text),
    ("priority", Kind::Num),
    ("roles", Kind::Texts),
    ("tags", Kind::Texts),
    ("estimate", Kind::Meta),
];

pub const NUMBERS: [f64; 16] =
    [-5.0, -1.0, 0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 84.99, 85.0, 85.5, 86.0, 100.0, 1e6];
/// Seen in requests only, now and then.
pub const ODD_NUMBERS: [f64; 7] = [-0.0, 1e300, -1e300, 9_007_199_254_740_992.0, 1e19, 5e-324, 2.5];
pub const TEXTS: [&str; 12] = [
    "",
    "a",
    "b",
    "ab",
    "phishing",
    "newsletter",
    "spam",
    "x@partner.com",
    "eve@evil.org",
    "draft",
    "é",
    "acme",
];
/// Strings that look like something else, or would be an operator in a condition's value.
pub const ODD_TEXTS: [&str; 10] = ["5", "85", "true", "null", "a|b", ">= 85", "*", " a ", "A", "日本"];
pub const DIGITS: [&str; 9] = ["5", "85", "-1", "0.5", "1e3", "007", "true", "9223372036854775808", "abc"];
pub const TIMES: [&str; 14] = [
    "2026-11-21T08:00:00Z",
    "2026-11-21T09:00:00+01:00",
    "2026-03-29T00:59:59.999Z",
    "2026-03-29T01:00:00Z",
    "2026-10-25T00:30:00Z",
    "2024-02-29T23:59:59.123456789-09:30",
    "2026-12-31T23:30:00-02:00",
    "1969-12-31T23:59:59.5Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "2026-02-29T00:00:00Z",
    "2026-11-21 08:00:00Z",
    "2026-11-21T08:00:00",
    "soon",
];
/// How many of `TIMES` are times; of the next ones likewise.
pub const GOOD_TIMES: usize = 10;
pub const SPANS: [&str; 12] =
    ["1h", "90m", "1h30m", "-5m", "1.5s", "100ms", "1h0.085s", "24h", "720h", "5", "1d", ""];
pub const GOOD_SPANS: usize = 9;
pub const ADDRESSES: [&str; 10] = [
    "10.1.2.3",
    "10.0.0.1",
    "192.168.0.1",
    "::ffff:10.1.2.3",
    "2001:db8::1",
    "2001:DB8::1",
    "::1",
    "010.0.0.1",
    "10.0.0",
    "not an address",
];
pub const GOOD_ADDRESSES: usize = 7;
pub const NETS: [&str; 9] = [
    "10.0.0.0/8",
    "10.1.0.0/16",
    "192.168.0.1/32",
    "0.0.0.0/0",
    "2001:db8::/32",
    "::/0",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0",
];
pub const GOOD_NETS: usize = 6;
pub const ZONES: [&str; 10] = [
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kathmandu",
    "Australia/Sydney",
    "UTC",
    "+05:30",
    "-09:30",
    "Mars/Olympus",
    "+25:00",
    "",
];
pub const GOOD_ZONES: usize = 7;
pub const REGEXES: [&str; 8] =
    ["^a", "b$", "[0-9]+", "^(phishing|spam)$", "@partner\\\\.com$", "(?i)A", "^.$", "\\\\p{Greek}|é"];
pub const META_KEYS: [&str; 4] = ["a", "b", "limit", "cost"];

/// The strings that a path of this last name mostly holds, in the request and in the context.
pub fn texts_of(path: &str) -> &'static [&'static str] {
    match path.rsplit('.').next().unwrap_or(path) {
        "agent" => &AGENTS,
        "user" => &USERS,
        "tenant" => &TENANTS,
        "app" => &APPS,
        "workflow" => &WORKFLOWS,
        "run" => &RUNS,
        "roles" => &ROLES,
        "action" => &ACTIONS,
        "kind" => &KINDS,
        "tool" => &TOOLS,
        "provider" => &PROVIDERS,
        "model" => &MODELS,
        "pipeline" => &PIPELINES,
        "stage" => &STAGES,
        "handler" => &HANDLERS,
        "tags" => &TAGS,
        "environment" => &ENVIRONMENTS,
        "mode" => &MODES,
        "phase" => &PHASES,
        "digits" => &DIGITS,
        _ => &TEXTS,
    }
}

/// A number that bundles and requests share.
pub fn number(rng: &mut Rng) -> f64 {
    NUMBERS[rng.below(NUMBERS.len())]
}

/// A string that both share.
pub fn text(rng: &mut Rng) -> &'static str {
    if rng.chance(85) { rng.pick(&TEXTS) } else { rng.pick(&ODD_TEXTS) }
}

/// A value of a kind, as a request may hold it; sometimes not quite what the kind promises.
pub fn value(kind: Kind, rng: &mut Rng) -> Json {
    match kind {
        Kind::Num if rng.chance(3) => {
            json!({(rng.pick(&["$nan", "$nan", "$inf", "$ninf"])): true})
        }
        Kind::Num if rng.chance(6) => json!(ODD_NUMBERS[rng.below(ODD_NUMBERS.len())]),
        Kind::Num => whole_as_integer(number(rng), rng),
        Kind::Text => json!(text(rng)),
        Kind::Flag => json!(rng.chance(50)),
        Kind::Time => json!(rng.pick(&TIMES)),
        Kind::Span => json!(rng.pick(&SPANS)),
        Kind::Address if rng.chance(20) => json!(rng.pick(&NETS)),
        Kind::Address => json!(rng.pick(&ADDRESSES)),
        Kind::Zone => json!(rng.pick(&ZONES[..ZONES.len() - 1])),
        Kind::Texts => list(Kind::Text, rng),
        Kind::Numbers => list(Kind::Num, rng),
        Kind::Maps => list(Kind::Meta, rng),
        Kind::Meta => meta(rng),
        Kind::Email => email(rng),
    }
}

/// `5` and `5.0` mean the same; both are written.
pub fn whole_as_integer(number: f64, rng: &mut Rng) -> Json {
    let whole = number.fract() == 0.0 && number != 0.0 && rng.chance(60);
    if whole { json!(number as i64) } else { json!(number) }
}

fn list(of: Kind, rng: &mut Rng) -> Json {
    let length = rng.below(4);
    let mut items: Vec<Json> = (0..length).map(|_| value(of, rng)).collect();
    if !items.is_empty() && rng.chance(8) {
        let at = rng.below(items.len());
        items[at] = any(rng);
    }
    Json::Array(items)
}

fn meta(rng: &mut Rng) -> Json {
    let mut map = serde_json::Map::new();
    for key in META_KEYS {
        if rng.chance(55) {
            let kind =
                *[Kind::Num, Kind::Num, Kind::Text, Kind::Flag].get(rng.below(4)).unwrap_or(&Kind::Num);
            map.insert(key.to_owned(), value(kind, rng));
        }
    }
    Json::Object(map)
}

fn email(rng: &mut Rng) -> Json {
    let sender = match rng.below(10) {
        0 => any(rng),
        1 => json!({}),
        _ => {
            json!({"domain": text(rng), "verified": rng.chance(50), "score": value(Kind::Num, rng)})
        }
    };
    let mut map = serde_json::Map::new();
    if rng.chance(85) {
        map.insert("sender".to_owned(), sender);
    }
    if rng.chance(70) {
        map.insert("size".to_owned(), value(Kind::Num, rng));
    }
    Json::Object(map)
}

/// A value of whatever type, null included.
pub fn any(rng: &mut Rng) -> Json {
    match rng.below(9) {
        0 | 1 => Json::Null,
        2 | 3 => value(Kind::Num, rng),
        4 | 5 => json!(text(rng)),
        6 => json!(rng.chance(50)),
        7 => json!([text(rng)]),
        _ => json!({(rng.pick(&META_KEYS)): number(rng)}),
    }
}
