//! One guardrail of a bundle: what all types have (design 1.7).

use super::form::{Field, Form, Kind, Known, Shape};
use super::rule::{Seen, first_of_its_name};
use super::take::{Choices, Least};
use super::{Findings, guardrail_rules, guardrail_shapes, patterns, shown};
use crate::id::GuardrailName;
use crate::model::guardrail::{Enforcement, Guardrail, OnMaxKeys, Refusal, Rules, ScopeOfState, State};
use crate::model::{Code, Finding, Placed, Severity};

/// A guardrail.
pub(super) static GUARDRAIL: Shape = Shape {
    what: "a guardrail",
    fields: &[
        Known::plain("name"),
        Known::plain("type"),
        Known::of("rules", Kind::ByType(guardrail_shapes::SHAPES)),
        Known::of("targeting", Kind::Form(&patterns::TARGET)),
        Known::plain("state"),
        Known::plain("priority"),
        Known::plain("scope_of_state"),
        Known::plain("enforcement"),
        Known::plain("refusal"),
        Known::plain("max_keys"),
        Known::plain("on_max_keys"),
        Known::plain("idle_seconds"),
        Known::plain("description"),
        Known::plain("tags"),
    ],
};

const STATES: &Choices<State> = &[
    ("enabled", State::Enabled),
    ("disabled", State::Disabled),
    ("paused", State::Paused),
    ("draft", State::Draft),
];

const ENFORCEMENTS: &Choices<Enforcement> =
    &[("enforce", Enforcement::Enforce), ("shadow", Enforcement::Shadow)];

const REFUSALS: &Choices<Refusal> =
    &[("throttle", Refusal::Throttle), ("drop", Refusal::Drop), ("raise", Refusal::Raise)];

const ON_MAX_KEYS: &Choices<OnMaxKeys> = &[("refuse", OnMaxKeys::Refuse), ("evict_lru", OnMaxKeys::EvictLru)];

const SCOPES: &Choices<ScopeOfState> = &[("local", ScopeOfState::Local), ("fleet", ScopeOfState::Fleet)];

const DEFAULT_PRIORITY: i32 = 50;
const DEFAULT_MAX_KEYS: u64 = 1_000_000;
/// Ten times the default (design 1.8).
const MOST_KEYS: u64 = 10_000_000;
const DEFAULT_IDLE_SECONDS: u64 = 86_400;

/// Reads a guardrail; `None` where it has no name, type or rules, which is reported.
pub(super) fn guardrail(field: Field<'_>, seen: &mut Seen, found: &mut Findings) -> Option<Guardrail> {
    found.set_subject(field.node.get("name").and_then(|name| name.text()));
    let form = Form::open(field, &GUARDRAIL, found)?;
    let name = form.required("name", found).and_then(|f| guardrail_name(f, seen, found));
    let rules = guardrail_rules::rules(&form, found);
    Some(Guardrail {
        targeting: form.get("targeting").and_then(|f| patterns::target(f, found)).unwrap_or_default(),
        state: state(&form, found),
        priority: form.get("priority").and_then(|f| f.priority(found)).unwrap_or(DEFAULT_PRIORITY),
        scope_of_state: scope_of_state(&form, found),
        enforcement: form.choice_or("enforcement", ENFORCEMENTS, Enforcement::Enforce, found),
        refusal: refusal(&form, rules.as_ref(), found),
        max_keys: form.whole_or("max_keys", (1, MOST_KEYS), DEFAULT_MAX_KEYS, found),
        on_max_keys: form.choice_or("on_max_keys", ON_MAX_KEYS, OnMaxKeys::Refuse, found),
        idle: form.seconds_or("idle_seconds", Least::AboveZero, DEFAULT_IDLE_SECONDS, found),
        description: form
            .get("description")
            .and_then(|f| f.text(found))
            .map_or_else(Box::default, Into::into),
        tags: form.get("tags").and_then(|f| f.texts(found)).unwrap_or_default(),
        // last, so that what is wrong with the others is reported too
        name: name?,
        rules: rules?,
    })
}

fn guardrail_name(field: Field<'_>, seen: &mut Seen, found: &mut Findings) -> Option<Placed<GuardrailName>> {
    let text = field.text(found)?;
    let Some(value) = GuardrailName::parse(text) else {
        let remedy = "write 1 to 64 bytes without control characters";
        field.bad_value(&format!("cannot be {}", shown(text)), remedy, found);
        return None;
    };
    let place = field.node.place;
    first_of_its_name(text, "guardrail", place, seen, found);
    Some(Placed { value, place })
}

fn state(form: &Form<'_>, found: &mut Findings) -> State {
    let Some(field) = form.get("state") else {
        return State::Enabled;
    };
    let state = field.choice(STATES, found).unwrap_or_default();
    let why = match state {
        State::Enabled => return state,
        State::Disabled => "the guardrail is disabled and limits nothing",
        State::Paused => "the guardrail is paused and limits nothing",
        State::Draft => "the guardrail is a draft and limits nothing",
    };
    let finding = Finding::error(Code::Disabled, field.place, why);
    found.push(finding.severity(Severity::Info).suggest("delete it, or write `enabled`"));
    state
}

fn scope_of_state(form: &Form<'_>, found: &mut Findings) -> ScopeOfState {
    let Some(field) = form.get("scope_of_state") else {
        return ScopeOfState::Local;
    };
    let scope = field.choice(SCOPES, found).unwrap_or_default();
    if scope == ScopeOfState::Fleet {
        let what = "cannot be `fleet` yet: shared state comes with the fleet";
        field.bad_value(what, "write `local`, or leave it out", found);
    }
    scope
}

/// A sample gives the same answer each time, so that no wait helps.
fn refusal(form: &Form<'_>, rules: Option<&Rules>, found: &mut Findings) -> Refusal {
    let is_sample = matches!(rules, Some(Rules::Sampling(_)));
    let default = if is_sample { Refusal::Drop } else { Refusal::Throttle };
    let Some(field) = form.get("refusal") else {
        return default;
    };
    let refusal = field.choice(REFUSALS, found).unwrap_or(default);
    if is_sample && refusal == Refusal::Throttle {
        let what = "cannot be `throttle` where a sample decides: no wait changes it";
        field.bad_value(what, "write `drop` or `raise`", found);
    }
    refusal
}
