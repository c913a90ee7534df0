//! What the engine says of guardrails, as events.

use std::collections::HashMap;

use tollgate_engine::guardrail::breaker::{BreakerState, Transition};
use tollgate_engine::guardrail::key::Key;
use tollgate_engine::guardrail::operate::Operation;
use tollgate_engine::guardrail::verdict;
use tollgate_engine::guardrail::{GuardId, Guards};
use tollgate_engine::model::guardrail::KeyDimension;
use tollgate_engine::model::{Field, Guardrail};

use super::event::{Breaker, Event, GuardrailChange, KeyOf};

/// The event that the engine speaks of. `None`: its guardrail is gone meanwhile.
#[must_use]
pub fn of_engine(happened: &verdict::Event, guards: &Guards) -> Option<Event> {
    match happened {
        verdict::Event::Breaker { guard, key, transition } => {
            let of = key_of(guards, *guard, key)?;
            Some(of_breaker(*transition, of))
        }
        verdict::Event::ThrottleCleared { guard, key } => {
            key_of(guards, *guard, key).map(Event::ThrottleCleared)
        }
        verdict::Event::Operated { guard, key, operation } => {
            let change = match operation {
                Operation::ForceOpen => GuardrailChange::ForcedOpen,
                Operation::Close => GuardrailChange::Closed,
                Operation::Disable => GuardrailChange::Disabled,
                Operation::Reset => GuardrailChange::Reset,
            };
            let guardrail = guards.get(*guard)?.name.as_str().into();
            let key = key.as_ref().map(|key| key.display().into());
            Some(Event::Guardrail { change, guardrail, key })
        }
    }
}

fn of_breaker(transition: Transition, of: KeyOf) -> Event {
    let by_hand = |change, of: KeyOf| Event::Guardrail { change, guardrail: of.guardrail, key: Some(of.key) };
    let from = state_name(transition.from);
    match transition.to {
        BreakerState::Open => Event::Breaker { to: Breaker::Opened, from, of },
        BreakerState::HalfOpen => Event::Breaker { to: Breaker::HalfOpen, from, of },
        BreakerState::Closed => Event::Breaker { to: Breaker::Closed, from, of },
        BreakerState::ForcedOpen => by_hand(GuardrailChange::ForcedOpen, of),
        BreakerState::Disabled => by_hand(GuardrailChange::Disabled, of),
    }
}

/// As `Explain` and the metrics name it.
const fn state_name(state: BreakerState) -> &'static str {
    match state {
        BreakerState::Closed => "closed",
        BreakerState::Open => "open",
        BreakerState::HalfOpen => "half_open",
        BreakerState::ForcedOpen => "forced_open",
        BreakerState::Disabled => "disabled",
    }
}

fn key_of(guards: &Guards, id: GuardId, key: &Key) -> Option<KeyOf> {
    let guard = guards.get(id)?;
    let is_tenant = |dimension: &KeyDimension| *dimension == KeyDimension::Field(Field::Tenant);
    let tenant = guard.key_by.iter().position(is_tenant).and_then(|at| key.value(at));
    Some(KeyOf {
        guardrail: guard.name.as_str().into(),
        key: key.display().into(),
        tenant: tenant.map(String::into_boxed_str),
    })
}

/// What becomes of the guardrails of one bundle with the next, by name.
#[must_use]
pub fn changes(before: &[Guardrail], after: &[Guardrail]) -> Vec<Event> {
    let mut old: HashMap<&str, &Guardrail> = before.iter().map(|one| (name(one), one)).collect();
    let mut events = Vec::new();
    let mut note = |change, guardrail: &Guardrail| {
        events.push(Event::Guardrail { change, guardrail: name(guardrail).into(), key: None });
    };
    for new in after {
        match old.remove(name(new)) {
            None => note(GuardrailChange::Added, new),
            Some(old) if says_the_same(old, new) => {}
            Some(_) => note(GuardrailChange::Changed, new),
        }
    }
    for gone in before.iter().filter(|one| old.contains_key(name(one))) {
        note(GuardrailChange::Removed, gone);
    }
    events
}

fn name(guardrail: &Guardrail) -> &str {
    guardrail.name.value.as_str()
}

/// Wherever it stands in the file.
fn says_the_same(old: &Guardrail, new: &Guardrail) -> bool {
    Guardrail { name: new.name.clone(), ..old.clone() } == *new
}
