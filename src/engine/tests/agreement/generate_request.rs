//! Random requests over the pools: fields missing, of the wrong type, and shared with the context.

use serde_json::{Map, Value as Json, json};

use crate::pools::{self, FIELDS, Kind};
use crate::rng::Rng;

/// A request spelled like the proto, with `{"$nan": true}` and its like for what JSON cannot write.
/// `scale` is the number of distinct values that the fields of a big bundle have, zero for a small one.
pub fn request(rng: &mut Rng, scale: usize) -> Json {
    let mut request = json!({
        "subject": subject(rng),
        "action": action(rng),
        "context": context(rng, scale),
    });
    let mut put = |name: &str, value: Json| request[name] = value;
    if rng.chance(50) {
        put("environment", json!(rng.pick(&pools::ENVIRONMENTS)));
    }
    if rng.chance(60) {
        put("mode", json!(rng.pick(&pools::MODES)));
    }
    match rng.below(10) {
        0 => put("phase", json!("enqueue")),
        1..=5 => put("phase", json!("dispatch")),
        _ => {}
    }
    if rng.chance(60) {
        let priority = [-5, -1, 0, 1, 2, 5, 50, 85, 100, i32::MIN, i32::MAX][rng.below(11)];
        put("priority", json!(priority));
    }
    if rng.chance(40) {
        put("attempt", json!(rng.below(4)));
    }
    if rng.chance(60) {
        put("estimate", estimate(rng));
    }
    if rng.chance(25) {
        put("time_left", json!(rng.pick(&["0.5s", "3s", "10s", "60s"])));
    }
    request
}

/// One of `values` under `name`, in `percent` of the cases; an empty string, which is absent, in some.
fn maybe(map: &mut Map<String, Json>, name: &str, values: &[&str], percent: usize, rng: &mut Rng) {
    if rng.chance(percent) {
        let value = if rng.chance(4) { "" } else { rng.pick(values) };
        map.insert(name.to_owned(), json!(value));
    }
}

fn subset(of: &[&str], rng: &mut Rng) -> Json {
    let chosen = of.iter().filter(|_| rng.chance(35));
    Json::Array(chosen.map(|s| json!(s)).collect())
}

fn subject(rng: &mut Rng) -> Json {
    let mut map = Map::new();
    maybe(&mut map, "agent", &pools::AGENTS, 85, rng);
    maybe(&mut map, "user", &pools::USERS, 60, rng);
    maybe(&mut map, "tenant", &pools::TENANTS, 70, rng);
    maybe(&mut map, "app", &pools::APPS, 50, rng);
    maybe(&mut map, "workflow", &pools::WORKFLOWS, 40, rng);
    maybe(&mut map, "run", &pools::RUNS, 30, rng);
    if rng.chance(70) {
        map.insert("roles".to_owned(), subset(&pools::ROLES, rng));
    }
    Json::Object(map)
}

fn action(rng: &mut Rng) -> Json {
    let mut map = Map::new();
    map.insert("name".to_owned(), json!(rng.pick(&pools::ACTIONS)));
    if rng.chance(30) {
        map.insert("kind".to_owned(), json!(rng.pick(&pools::KINDS)));
    }
    maybe(&mut map, "tool", &pools::TOOLS, 45, rng);
    maybe(&mut map, "provider", &pools::PROVIDERS, 30, rng);
    maybe(&mut map, "model", &pools::MODELS, 30, rng);
    maybe(&mut map, "pipeline", &pools::PIPELINES, 30, rng);
    maybe(&mut map, "stage", &pools::STAGES, 30, rng);
    maybe(&mut map, "handler", &pools::HANDLERS, 30, rng);
    if rng.chance(70) {
        map.insert("tags".to_owned(), subset(&pools::TAGS, rng));
    }
    Json::Object(map)
}

fn estimate(rng: &mut Rng) -> Json {
    let mut map = Map::new();
    if rng.chance(70) {
        map.insert("cost".to_owned(), json!(pools::number(rng).max(0.0)));
    }
    if rng.chance(50) {
        map.insert("tokens".to_owned(), json!([0, 1, 5, 85, 100, 1_000_000][rng.below(6)]));
    }
    if rng.chance(50) {
        map.insert("compute".to_owned(), json!([0, 1, 2, 3, 10][rng.below(5)]));
    }
    if rng.chance(60) {
        map.insert("duration".to_owned(), json!(rng.pick(&["0.5s", "1s", "1.5s", "85s", "3600s"])));
    }
    Json::Object(map)
}

fn context(rng: &mut Rng, scale: usize) -> Json {
    let mut map = Map::new();
    for (at, (name, kind)) in FIELDS.iter().enumerate() {
        // The names that the request has too are rarer here.
        let share = if at < 18 { 78 } else { 25 };
        if !rng.chance(share) {
            continue;
        }
        let value = match kind {
            _ if rng.chance(16) => pools::any(rng),
            Kind::Text if rng.chance(60) && scale == 0 => json!(rng.pick(pools::texts_of(name))),
            _ => field(*kind, rng, scale),
        };
        map.insert((*name).to_owned(), value);
    }
    Json::Object(map)
}

/// A field's value; those of a big bundle have as many values as it has rules.
fn field(kind: Kind, rng: &mut Rng, scale: usize) -> Json {
    match kind {
        Kind::Num if scale > 0 && rng.chance(80) => json!(rng.below(scale)),
        Kind::Text if scale > 0 && rng.chance(70) => json!(format!("v{}", rng.below(scale))),
        _ => pools::value(kind, rng),
    }
}
