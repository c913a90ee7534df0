//! `when` beside the `cel` crate's own evaluator, where both define an answer.
//!
//! Compared are answers that are a boolean on both sides. That leaves out, without naming them here: NaN,
//! infinite results, arithmetic between an integer and a double and `%` or an index of doubles (the crate
//! has an error), `ip()` and `cidr()` (it has none), and an empty `subject.roles` or `action.tags` (it has no
//! key). Four differences are left out by name: see `apart`.
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::objects::{Key, Map};
use cel::{Context, Env, IdedExpr, Value};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use crate::compare::{self, Tally};
use crate::engine;
use crate::generate::{data, moment};
use crate::generate_request::request;
use crate::generate_when::when;
use crate::naive_cel;
use crate::naive_request::Facts;
use crate::naive_time;
use crate::naive_value::{Unknown, Val};
use crate::rng::Rng;
use crate::shrink::Pair;

const REQUESTS: usize = 4;
const ACCESSORS: [&str; 9] = [
    ".getFullYear()",
    ".getMonth()",
    ".getDate()",
    ".getDayOfMonth()",
    ".getDayOfWeek()",
    ".getDayOfYear()",
    ".getHours()",
    ".getMinutes()",
    ".getSeconds()",
];

/// Compares one expression on a few requests.
pub fn case(seed: u64, index: u64) -> Result<Tally, String> {
    let mut rng = Rng::new(seed.rotate_left(32), index);
    let (source, data) = (when(&mut rng), data(&mut rng));
    let mut tally = Tally { whens: 1, ..Tally::default() };
    let asked: Vec<_> = (0..REQUESTS).map(|_| (request(&mut rng, 0), moment(&mut rng))).collect();
    let bundle = both_ways(&source, &data);
    let answers = match engine::decide(&bundle.to_string(), &asked, "default") {
        Ok(answers) => answers,
        Err(words) => {
            tally.refused = 1;
            tally.refusals.push(format!("`{source}`: {words}"));
            return Ok(tally);
        }
    };
    let parser = ENV.parser().enable_ident_escape_syntax(true);
    let program = parser.parse(&source).ok().filter(|_| !apart(&source));
    for ((request, now), answer) in asked.iter().zip(answers) {
        let naive = truth(&source, &bundle, request, *now);
        let engine = match (answer.effect.as_str(), answer.reason_code.as_str()) {
            ("ALLOW", "rule") => "true",
            ("REQUIRE_APPROVAL", "approval_required") => "false",
            ("REQUIRE_APPROVAL", "condition_error") => "error",
            _ => "absent",
        };
        let peer = program
            .as_ref()
            .and_then(|p| evaluate(p, &source, &Facts::new(&bundle, request, *now, "default")));
        let peer = peer.map_or("no boolean", |b| if b { "true" } else { "false" });
        let comparable = matches!(naive, "true" | "false") && peer != "no boolean";
        if naive != engine {
            let (bundle, request) = (bundle.clone(), request.clone());
            let pair = Pair { bundle, request, now: *now, server_environment: "default" };
            return Err(compare::report(pair, seed, index));
        }
        if comparable && peer != naive {
            return Err(format!(
                "`{source}`\nnaive: {naive}, engine: {engine}, cel: {peer}\nnow: {now}\ndata: {data}\nrequest: {request:#}\n\
                 seed {seed}; repeat with TOLLGATE_SEED={seed} TOLLGATE_BUNDLE={index}"
            ));
        }
        tally.count(format!("naive {naive}, cel {peer}"));
    }
    Ok(tally)
}

pub fn assert_worth(tally: &Tally) {
    assert!(tally.refused * 5 <= tally.whens, "{} of {} refused", tally.refused, tally.whens);
    let both = ["naive true, cel true", "naive false, cel false"];
    let booleans: u64 = both.iter().filter_map(|answer| tally.answers.get(*answer)).sum();
    assert!(
        booleans * 10 >= tally.compared() * 3,
        "{booleans} of {} are booleans on both sides",
        tally.compared()
    );
}

/// Whether the crate is known to do otherwise than the specification.
fn apart(source: &str) -> bool {
    // Of the milliseconds of a duration it gives all, not what is left of the second.
    let milliseconds = source.contains(".getMilliseconds(");
    // Without a zone it reads the offset that a timestamp was written with, not UTC.
    let no_zone = source.contains("timestamp(") && ACCESSORS.iter().any(|name| source.contains(name));
    // It takes an integer beyond 2^53 for the double next to it.
    let beyond = source.contains("9007199254740993") || source.contains("9223372036854775807");
    // It writes doubles in its own way.
    milliseconds || no_zone || beyond || source.contains("string(")
}

/// Two rules that tell true, false, absent and error apart by what they decide.
fn both_ways(source: &str, data: &Json) -> Json {
    json!({
        "format": "tollgate/v1", "version": "1.0.0", "data": data,
        "rules": [
            {"id": "holds", "effect": "allow", "phase": "any", "priority": 2, "when": source, "reason": "the expression is true"},
            {"id": "fails", "effect": "require_approval", "phase": "any", "when": format!("!({source})"), "priority": 1,
             "reason": "the expression is false"},
        ],
    })
}

fn truth(source: &str, bundle: &Json, request: &Json, now: Timestamp) -> &'static str {
    match naive_cel::holds(source, &Facts::new(bundle, request, now, "default")) {
        Ok(true) => "true",
        Ok(false) => "false",
        Err(Unknown::Absent) => "absent",
        Err(Unknown::Error) => "error",
    }
}

/// The crate's standard library and its strings.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    env.add_extension(cel::extensions::strings).expect("the strings fit the standard library");
    Arc::new(env)
});

/// The crate's answer, where it is a boolean.
fn evaluate(program: &IdedExpr, source: &str, facts: &Facts<'_>) -> Option<bool> {
    let mut context = Context::with_env(Arc::clone(&ENV));
    for (name, of) in variables(facts).into_iter().filter(|(name, _)| source.contains(name)) {
        context.add_variable_from_value(name, value(&of));
    }
    match Value::resolve(program, &context) {
        Ok(Value::Bool(b)) => Some(b),
        _ => None,
    }
}

/// The variables of page 1.5 as far as the request sets them.
fn variables(facts: &Facts<'_>) -> Vec<(&'static str, Val)> {
    let subject = ["agent", "user", "tenant", "app", "workflow", "run", "roles"];
    let action = ["kind", "tool", "provider", "model", "pipeline", "stage", "handler", "tags"];
    let group = |names: &[&str], prefix: &str| {
        let set = names.iter().filter_map(|n| Some((Val::str(n), facts.own(&format!("{prefix}{n}"))?)));
        set.collect::<Vec<_>>()
    };
    let mut action = group(&action, "");
    action.extend(facts.own("action").map(|name| (Val::str("name"), name)));
    let mut estimate = group(&["cost", "tokens", "compute"], "estimate.");
    estimate.extend(facts.estimated_nanos().map(|n| (Val::str("duration"), Val::Duration(n))));
    let map = |entries| Val::map(entries, true);
    let mut variables = vec![
        ("context", facts.context.clone()),
        ("data", facts.data().clone()),
        ("now", Val::Time(facts.now)),
        ("subject", map(group(&subject, ""))),
        ("action", map(action)),
        ("estimate", map(estimate)),
        ("usage", map(Vec::new())),
    ];
    for name in ["environment", "mode", "phase", "priority", "attempt"] {
        variables.extend(facts.own(name).map(|v| (name, v)));
    }
    variables
}

/// A value as the crate's own.
fn value(of: &Val) -> Value {
    match of {
        Val::Null | Val::Ip(_) | Val::Cidr(..) => Value::Null,
        Val::Bool(b) => Value::Bool(*b),
        Val::Int(i) => Value::Int(*i),
        Val::Double(d) => Value::Float(*d),
        Val::Str(s) => Value::String(Arc::new(s.to_string())),
        Val::List(items) => Value::List(Arc::new(items.iter().map(value).collect())),
        Val::Map(map) => {
            let text = |key: &Val| {
                if let Val::Str(s) = key { s.to_string() } else { String::new() }
            };
            let entries = map.entries.iter().map(|(k, v)| (Key::String(Arc::new(text(k))), value(v)));
            Value::Map(Map { map: Arc::new(entries.collect::<HashMap<_, _>>()) })
        }
        // The crate's types of time are not ours to name; its own functions make them.
        Val::Time(at) => made(&format!("timestamp(\"{}\")", naive_time::write_timestamp(*at))),
        Val::Duration(n) => made(&format!("duration(\"{n}ns\")")),
    }
}

fn made(source: &str) -> Value {
    let program = ENV.compile(source).expect("a constant parses");
    program.execute(&Context::with_env(Arc::clone(&ENV))).expect("a constant has a value")
}
