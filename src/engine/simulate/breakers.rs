//! What circuit breakers are, as expectations name them.

use super::expect::{Entry, Expected};
use super::world::World;
use crate::decide::{Scratch, Visit, find_guardrails};
use crate::guardrail::breaker::BreakerState;
use crate::guardrail::directory::Hold;
use crate::guardrail::guard::Rules;
use crate::guardrail::key::{Flush, Key};
use crate::guardrail::{Asks, Draw, Guard, Live};
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

/// What all keys of a breaker are held in.
fn held(guard: &Guard) -> Option<BreakerState> {
    match Live::hold(guard) {
        Hold::None => None,
        Hold::Open => Some(BreakerState::ForcedOpen),
        Hold::Disabled => Some(BreakerState::Disabled),
    }
}

/// Each key that the breaker holds, as operators see it, and those that are expected: what nobody
/// has reported a failure of is closed.
fn by_key(world: &World<'_>, guard: &Guard, expected: &[Entry]) -> Value {
    let fresh = held(guard).unwrap_or(BreakerState::Closed);
    let mut all: Map<String, Value> =
        expected.iter().map(|key| (key.name.to_string(), fresh.name().into())).collect();
    for (key, state) in known(world, guard) {
        all.insert(key.display(), state.name().into());
    }
    Value::Object(all)
}

/// The state of the keys of these requests; several states where they differ.
fn of_requests(world: &World<'_>, guard: &Guard, requests: &[&RequestDocument]) -> String {
    let fresh = held(guard).unwrap_or(BreakerState::Closed);
    let keys: Vec<Key> = requests.iter().filter_map(|request| key(world, guard, request)).collect();
    let ledger = &world.live.ledger;
    let state_of = |key: &Key| ledger.breaker_state(guard, key.as_bytes(), world.at).unwrap_or(fresh);
    let states: BTreeSet<&str> = match keys.as_slice() {
        [] => known(world, guard).iter().map(|(_, state)| state.name()).collect(),
        keys => keys.iter().map(|key| state_of(key).name()).collect(),
    };
    match states.len() {
        0 => fresh.name().into(),
        _ => states.into_iter().collect::<Vec<_>>().join(" and "),
    }
}

fn known(world: &World<'_>, guard: &Guard) -> Vec<(Key, BreakerState)> {
    let held = held(guard);
    let views = world.live.view(guard, usize::MAX, world.at);
    let state = |state: Option<BreakerState>| held.or(state);
    views.into_iter().filter_map(|view| Some((view.key, state(view.breaker)?))).collect()
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
