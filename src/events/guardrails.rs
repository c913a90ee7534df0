//! What the engine says of guardrails, as events.

use std::collections::HashMap;

use tollgate_engine::guardrail::breaker::{BreakerState, Transition};
use tollgate_engine::guardrail::key::Key;
use tollgate_engine::guardrail::operate::Operation;
use tollgate_engine::guardrail::verdict;
use tollgate_engine::guardrail::{GuardId, Guards};
use tollgate_engine::model::guardrail::KeyDimension;
use tollgate_engine::model::{Field, Guardrail};

use super::event::{Breaker, Event, GuardrailChange, KeyOf, Operator};

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
            Some(Event::Guardrail { change, guardrail, key, operator: Operator::default() })
        }
    }
}

fn of_breaker(transition: Transition, of: KeyOf) -> Event {
    let by_hand = |change, of: KeyOf| {
        let (guardrail, key, operator) = (of.guardrail, Some(of.key), Operator::default());
        Event::Guardrail { change, guardrail, key, operator }
    };
    let from = transition.from.name();
    match transition.to {
        BreakerState::Open => Event::Breaker { to: Breaker::Opened, from, of },
        BreakerState::HalfOpen => Event::Breaker { to: Breaker::HalfOpen, from, of },
        BreakerState::Closed => Event::Breaker { to: Breaker::Closed, from, of },
        BreakerState::ForcedOpen => by_hand(GuardrailChange::ForcedOpen, of),
        BreakerState::Disabled => by_hand(GuardrailChange::Disabled, of),
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
        let (guardrail, operator) = (name(guardrail).into(), Operator::default());
        events.push(Event::Guardrail { change, guardrail, key: None, operator });
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

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_engine::guardrail::Live;
    use tollgate_engine::read::{Bounds, SourceFile, bundle};

    fn guardrails(text: &str) -> Vec<Guardrail> {
        let text = format!("format: tollgate/v1\nversion: 1.0.0\nguardrails:\n{text}");
        let read = bundle(&[SourceFile { name: "b.yaml", bytes: text.as_bytes() }], &Bounds::default());
        read.bundle.unwrap_or_else(|| panic!("{:?}", read.findings)).guardrails
    }

    fn limit(name: &str, limit: u32) -> String {
        format!("  - {{name: {name}, type: rate_limit, rules: {{limit: {limit}, window_seconds: 1}}}}\n")
    }

    fn shown(event: &Event) -> String {
        let mut shown = event.kind().name().to_owned();
        event.each_field(&mut |name, text| shown.push_str(&format!(" {name}={text}")));
        shown
    }

    #[test]
    fn only_what_a_bundle_says_is_a_change() {
        let old = guardrails(&[limit("a", 1), limit("b", 1), limit("c", 1)].concat());
        let new = guardrails(&[limit("d", 1), limit("c", 1), limit("a", 2)].concat());
        let told: Vec<String> = changes(&old, &new).iter().map(shown).collect();
        let want =
            ["guardrail.added guardrail=d", "guardrail.changed guardrail=a", "guardrail.removed guardrail=b"];
        assert_eq!(told, want);
        assert!(changes(&new, &new).is_empty());
    }

    #[test]
    fn what_the_engine_says_has_names() {
        let text = "  - {name: b, type: circuit_breaker, rules: {failure_threshold: 1, cooldown_seconds: 1, \
                    key_by: [tool, tenant]}}\n";
        let guards = Live::new(4, 1).reconcile(&[&guardrails(text)]).guards;
        let guard = guards.named("b").next().unwrap().id;
        let key = Key::of(b"http\0acme");
        let step = |from, to| {
            let transition = Transition { from, to };
            verdict::Event::Breaker { guard, key: key.clone(), transition }
        };
        let operated = |key, operation| verdict::Event::Operated { guard, key, operation };
        use BreakerState::{Closed, Disabled, HalfOpen, Open};
        for (happened, want) in [
            (step(Closed, Open), "breaker.opened guardrail=b tenant=acme key=http/acme from=closed"),
            (step(Open, HalfOpen), "breaker.half_open guardrail=b tenant=acme key=http/acme from=open"),
            (step(HalfOpen, Closed), "breaker.closed guardrail=b tenant=acme key=http/acme from=half_open"),
            (step(Closed, Disabled), "guardrail.disabled guardrail=b key=http/acme"),
            (
                verdict::Event::ThrottleCleared { guard, key: key.clone() },
                "throttle.cleared guardrail=b tenant=acme key=http/acme",
            ),
            (operated(None, Operation::ForceOpen), "guardrail.forced_open guardrail=b"),
            (operated(Some(key.clone()), Operation::Reset), "guardrail.reset guardrail=b key=http/acme"),
            (operated(None, Operation::Close), "guardrail.closed guardrail=b"),
        ] {
            assert_eq!(of_engine(&happened, &guards).as_ref().map(shown).as_deref(), Some(want));
        }
        let gone = verdict::Event::ThrottleCleared { guard: GuardId(77), key };
        assert_eq!(of_engine(&gone, &guards), None);
    }
}
