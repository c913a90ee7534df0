//! What circuit breakers are, as expectations name them.

use super::expect::{Entry, Expected};
use super::world::World;
use crate::decide::{Scratch, Visit, find_guardrails};
use crate::guardrail::breaker::BreakerState;
use crate::guardrail::directory::Hold;
use crate::guardrail::guard::Rules;
use crate::guardrail::key::{Flush, Key};
use crate::guardrail::{Asks, Draw, Guard, Live};
use crate::model::guardrail::KeyDimension;
use crate::read::listed;
use crate::read::request::RequestDocument;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The breakers that these expectations name, by name. A breaker of which a state is expected is
/// looked at by the keys of the requests, else by all keys that it holds.
pub(super) fn states(world: &World<'_>, expected: &[Entry], requests: &[&RequestDocument]) -> Value {
    let mut all = Map::new();
    for (name, expected) in named(expected) {
        let Some(guard) = breaker(world, name) else { continue };
        let state = match expected {
            Expected::Fields(keys) => by_key(world, guard, keys),
            _ => of_requests(world, guard, requests).into(),
        };
        all.insert(name.into(), state);
    }
    Value::Object(all)
}

/// The circuit breakers that are looked at.
pub(super) fn named(expected: &[Entry]) -> impl Iterator<Item = (&str, &Expected)> {
    let breakers = expected.iter().filter(|entry| &*entry.name == "breaker");
    breakers.flat_map(|entry| match &entry.expected {
        Expected::Fields(all) => all.iter().map(|one| (&*one.name, &one.expected)).collect(),
        _ => vec![],
    })
}

fn breaker<'w>(world: &'w World<'_>, name: &str) -> Option<&'w Guard> {
    let all = world.all.iter().map(|guard| &**guard);
    all.into_iter().find(|guard| guard.name.as_str() == name && matches!(guard.rules, Rules::Breaker(_)))
}

/// The keys that are expected. What nobody has reported a failure of is closed.
fn by_key(world: &World<'_>, guard: &Guard, expected: &[Entry]) -> Value {
    let state = |name: &str| match guard.key_of(&key_values(name)) {
        Some(key) => state_of(world, guard, &key).into(),
        None => wrong_key(guard),
    };
    let all = expected.iter().map(|key| (key.name.to_string(), Value::from(state(&key.name))));
    Value::Object(all.collect())
}

/// The values of a key as an operator writes them: between commas, or as a JSON list.
pub(super) fn key_values(text: &str) -> Vec<String> {
    let list = text.starts_with('[').then(|| serde_json::from_str(text).ok()).flatten();
    list.unwrap_or_else(|| text.split(',').map(str::to_owned).collect())
}

/// Why a key does not fit.
pub(super) fn wrong_key(guard: &Guard) -> String {
    let dimensions = guard.key_by.iter().filter(|dimension| **dimension != KeyDimension::Global);
    let names: Vec<String> = dimensions.map(KeyDimension::name).collect();
    match names.as_slice() {
        [] => format!("no such key: `{}` has one for all; leave it out", guard.name),
        names => {
            let by = listed(names.iter().map(String::as_str));
            format!("no such key: write a value for each of {by}")
        }
    }
}

fn state_of(world: &World<'_>, guard: &Guard, key: &Key) -> &'static str {
    let state = world.live.ledger.breaker_state(guard, key.as_bytes(), world.at);
    state.unwrap_or(BreakerState::Closed).name()
}

/// The state of the keys of these requests, else of all keys; several states where they differ.
fn of_requests(world: &World<'_>, guard: &Guard, requests: &[&RequestDocument]) -> String {
    let mut keys: Vec<Key> = requests.iter().filter_map(|request| key(world, guard, request)).collect();
    if keys.is_empty() {
        keys = world.live.view(guard, usize::MAX, world.at).into_iter().map(|view| view.key).collect();
    }
    let states: BTreeSet<&str> = keys.iter().map(|key| state_of(world, guard, key)).collect();
    match (states.is_empty(), Live::hold(guard)) {
        (false, _) => states.into_iter().collect::<Vec<_>>().join(" and "),
        (true, Hold::None) => BreakerState::Closed.name().into(),
        (true, Hold::Open) => BreakerState::ForcedOpen.name().into(),
        (true, Hold::Disabled) => BreakerState::Disabled.name().into(),
    }
}

/// The key that a request has with this breaker, if the breaker is about it.
fn key(world: &World<'_>, guard: &Guard, request: &RequestDocument) -> Option<Key> {
    let request = request.request();
    let (mut scratch, mut asks) = (Scratch::default(), Asks::default());
    find_guardrails(world.bundle, &request, world.environment, &mut scratch);
    let environment = request.environment_or(world.environment);
    let visit = Visit { guards: world.guards(), environment, flush: Flush::Alone(0) };
    visit.look(&request, &scratch, &mut Draw::seeded(0), &mut asks).ok()?;
    asks.iter().find(|(ask, _)| ask.guard.id == guard.id).map(|(_, key)| Key::of(key))
}
