//! Random `conditions`: every operator, every spelling, paths of every kind.

use serde_json::{Map, Value as Json, json};

use crate::generate_target::glob_for;
use crate::pools::{self, FIELDS, Kind};
use crate::rng::Rng;

/// A map of one to three conditions, no operator twice on a field.
pub fn conditions(rng: &mut Rng) -> Json {
    let mut map = Map::new();
    let mut used = Vec::new();
    for _ in 0..=rng.weighted(&[68, 24, 8]) {
        let (path, kind) = path(rng);
        let (operator, operand) = test(&path, kind, rng);
        // `x` and `context.x` may be one field, and a field is asked by an operator once.
        let name = path.rsplit('.').next().unwrap_or(&path).to_owned();
        let alone = used.iter().all(|(known, _)| *known != name);
        if !used.contains(&(name.clone(), operator)) && !map.contains_key(&path) {
            // The first test on a field may bring these two along.
            used.extend([operator, "exists", "!="].map(|asked| (name.clone(), asked)));
            spell(&mut map, &path, operator, operand, alone, rng);
        }
    }
    Json::Object(map)
}

/// A path and what it mostly leads to.
fn path(rng: &mut Rng) -> (String, Kind) {
    match rng.weighted(&[50, 12, 20, 6, 5, 5, 2]) {
        0 => {
            let (name, kind) = FIELDS[rng.below(FIELDS.len())];
            (name.to_owned(), kind)
        }
        1 => nested(rng),
        2 => own(rng),
        3 => {
            let (name, kind) = own(rng);
            (format!("request.{name}"), kind)
        }
        4 => {
            let (name, kind) = FIELDS[rng.below(FIELDS.len())];
            (format!("context.{name}"), kind)
        }
        5 => {
            let of = [
                ("data.threshold", Kind::Num),
                ("data.flags.new_checkout", Kind::Flag),
                ("data.prefix", Kind::Text),
                ("data.vip_domains", Kind::Texts),
                ("data.limits", Kind::Meta),
            ];
            let (name, kind) = of[rng.below(of.len())];
            (name.to_owned(), kind)
        }
        _ => {
            let name = rng.pick(&["tool_calls", "llm_calls", "llm_tokens", "cost", "compute"]);
            (format!("usage.{name}"), Kind::Num)
        }
    }
}

/// A path into a map, or through something that is none.
fn nested(rng: &mut Rng) -> (String, Kind) {
    let of = [
        ("email.sender.domain", Kind::Text),
        ("email.sender.verified", Kind::Flag),
        ("email.sender.score", Kind::Num),
        ("email.sender", Kind::Meta),
        ("email.size", Kind::Num),
        ("context.email.sender.score", Kind::Num),
        ("meta.a", Kind::Num),
        ("meta.limit", Kind::Num),
        ("meta.a.b", Kind::Num),
        ("risk_score.a", Kind::Num),
        ("category.a", Kind::Text),
        ("labels.a", Kind::Text),
        ("nowhere.at.all", Kind::Num),
        ("agent.name", Kind::Text),
    ];
    let (name, kind) = of[rng.below(of.len())];
    (name.to_owned(), kind)
}

/// A name that the request has, mostly set there, sometimes in the context too.
fn own(rng: &mut Rng) -> (String, Kind) {
    let text =
        ["agent", "user", "tenant", "app", "workflow", "run", "action", "kind", "tool", "provider", "model"];
    let more = ["pipeline", "stage", "handler", "environment", "mode", "phase"];
    let number =
        ["priority", "attempt", "estimate.cost", "estimate.tokens", "estimate.compute", "estimate.duration"];
    match rng.below(10) {
        0..=2 => (rng.pick(&text).to_owned(), Kind::Text),
        3 | 4 => (rng.pick(&more).to_owned(), Kind::Text),
        5..=7 => (rng.pick(&number).to_owned(), Kind::Num),
        _ => (rng.pick(&["roles", "tags"]).to_owned(), Kind::Texts),
    }
}

/// An operator and its operand, of the path's type or now and then of another.
fn test(path: &str, kind: Kind, rng: &mut Rng) -> (&'static str, Json) {
    let kind = if rng.chance(8) { [Kind::Num, Kind::Text, Kind::Flag][rng.below(3)] } else { kind };
    let order = rng.pick(&[">=", "<=", ">", "<"]);
    let equality = rng.pick(&["==", "==", "!="]);
    let member = rng.pick(&["in", "not_in"]);
    match (kind, rng.weighted(&[44, 22, 12, 10, 6, 6])) {
        (_, 4) => ("exists", json!(rng.chance(65))),
        (Kind::Num, 0) => (order, literal(path, kind, rng)),
        (Kind::Num, 3) | (Kind::Num, 5) => {
            let (a, b) = (pools::number(rng), pools::number(rng));
            ("between", json!([a.min(b), a.max(b)]))
        }
        (Kind::Text, 3) => {
            let (a, b) = (text(path, rng), text(path, rng));
            ("between", json!([a.min(b), a.max(b)]))
        }
        (Kind::Num | Kind::Text | Kind::Flag, 2) | (Kind::Text, 5) => {
            let length = if rng.chance(5) { 0 } else { rng.between(1, 4) };
            let mixed = rng.chance(15);
            let items = (0..length).map(|_| if mixed { plain(rng) } else { literal(path, kind, rng) });
            (member, Json::Array(items.collect()))
        }
        (Kind::Text, 0) if rng.chance(40) => ("matches", json!(glob_for(text(path, rng), rng))),
        (Kind::Text, 0) if rng.chance(30) => (order, literal(path, kind, rng)),
        _ => (equality, literal(path, kind, rng)),
    }
}

/// A string that the path mostly holds.
fn text(path: &str, rng: &mut Rng) -> &'static str {
    if rng.chance(80) { rng.pick(pools::texts_of(path)) } else { pools::text(rng) }
}

/// A literal of a bundle: no NaN, nothing beyond 2^53.
fn literal(path: &str, kind: Kind, rng: &mut Rng) -> Json {
    match kind {
        Kind::Num => {
            let number = pools::number(rng);
            pools::whole_as_integer(number, rng)
        }
        Kind::Text => json!(text(path, rng)),
        Kind::Flag => json!(rng.chance(50)),
        Kind::Time => json!(rng.pick(&pools::TIMES)),
        Kind::Span => json!(rng.pick(&pools::SPANS)),
        Kind::Address => json!(rng.pick(&pools::ADDRESSES)),
        Kind::Zone => json!(rng.pick(&pools::ZONES)),
        Kind::Texts => match rng.below(3) {
            0 => json!([]),
            1 => json!([text(path, rng)]),
            _ => json!([text(path, rng), text(path, rng)]),
        },
        Kind::Numbers => json!([pools::number(rng)]),
        Kind::Maps => json!([]),
        Kind::Meta | Kind::Email => json!({(rng.pick(&pools::META_KEYS)): pools::number(rng)}),
    }
}

/// A scalar of whatever type, null included.
fn plain(rng: &mut Rng) -> Json {
    match rng.below(4) {
        0 => Json::Null,
        1 => literal("", Kind::Num, rng),
        2 => literal("", Kind::Flag, rng),
        _ => literal("", Kind::Text, rng),
    }
}

/// Writes one test in one of its spellings, with others beside it where it stands `alone` on its field.
fn spell(map: &mut Map<String, Json>, path: &str, operator: &str, operand: Json, alone: bool, rng: &mut Rng) {
    let symbol = operator.starts_with(['<', '>', '=', '!']);
    let scalar = if symbol { scalar_text(&operand, rng) } else { None };
    let (key, value) = match rng.below(6) {
        0 if symbol => (format!("{operator}{path}"), operand),
        1 if symbol => (format!("{path}{operator}"), operand),
        2 if scalar.is_some() => {
            let space = rng.pick(&[" ", ""]);
            (path.to_owned(), json!(format!("{operator}{space}{}", scalar.unwrap_or_default())))
        }
        3 | 4 if operator == "==" && says_itself(&operand) => (path.to_owned(), operand),
        3 | 4 if operator == "in" && joinable(&operand) => (path.to_owned(), joined(&operand, rng)),
        _ => {
            let name = if operator == "==" { rng.pick(&["eq", "=="]) } else { operator };
            let mut tests = json!({name: operand});
            if alone && rng.chance(12) {
                tests["exists"] = json!(true);
            }
            if alone && rng.chance(8) && operator != "!=" {
                tests["!="] = plain(rng);
            }
            (path.to_owned(), tests)
        }
    };
    map.insert(key, value);
}

/// A scalar as YAML reads it back after an operator; none for lists and maps.
fn scalar_text(operand: &Json, rng: &mut Rng) -> Option<String> {
    match operand {
        Json::Null => Some(rng.pick(&["null", "~"]).to_owned()),
        Json::Bool(b) => Some(b.to_string()),
        Json::Number(n) if n.as_f64() == Some(85.0) && rng.chance(20) => {
            Some(rng.pick(&["0x55", "0o125"]).to_owned())
        }
        Json::Number(n) => Some(n.to_string()),
        Json::String(s) => {
            let plain = s.starts_with(|c: char| c.is_ascii_alphabetic())
                && s.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@'))
                && !matches!(s.as_str(), "true" | "null" | "false");
            Some(match rng.below(3) {
                _ if plain && rng.chance(60) => s.clone(),
                0 => format!("'{}'", s.replace('\'', "''")),
                _ => json!(s).to_string(),
            })
        }
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// Whether a bare value means equality with itself.
fn says_itself(operand: &Json) -> bool {
    match operand {
        Json::String(s) => !s.contains('|') && !s.starts_with(['<', '>', '=', '!', '~']),
        Json::Object(_) => false,
        _ => true,
    }
}

/// Whether a list can be written as `a|b`.
fn joinable(operand: &Json) -> bool {
    let items = operand.as_array().map_or(&[][..], Vec::as_slice);
    items.len() > 1
        && items.iter().all(|item| {
            item.as_str().is_some_and(|s| {
                let odd = s.contains('|') || s.starts_with(['<', '>', '=', '!', '~']);
                !s.is_empty() && s.trim() == s && !odd
            })
        })
}

fn joined(operand: &Json, rng: &mut Rng) -> Json {
    let items = operand.as_array().into_iter().flatten().filter_map(Json::as_str);
    json!(items.collect::<Vec<_>>().join(rng.pick(&["|", " | "])))
}
