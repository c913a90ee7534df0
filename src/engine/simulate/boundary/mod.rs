//! Requests drawn from what a bundle itself names: the values at, just under and just over each
//! threshold, the names of its targets, the keys of its guardrails. Made for load and simulation:
//! every rule is hit, on both sides of every condition.

mod place;
mod values;

use crate::compile::Compiled;
use crate::condition::cel::{self, Form};
use crate::condition::slots::SlotTable;
use crate::guardrail::draw::Draw;
use crate::model::guardrail::{KeyDimension, Rules};
use crate::model::rule::{Scope, ScopeLevel};
use crate::model::{Bundle, Field, FieldType, Guardrail, Op, Path, Patterns, Phase, Phases, Rule, Target};
use crate::read::request::RequestDocument;
use crate::value::{Const, ConstMap};
use place::Place;
use values::Setting;

/// So many different values of a guardrail's key.
const KEYS: usize = 64;
/// The names of a list that are taken, at most.
const NAMES: usize = 16;
/// Of so many requests, one misses its target by a name.
const MISSES: usize = 8;

/// What requests about a bundle can be drawn from.
#[derive(Debug)]
pub struct Boundaries {
    /// A rule or a guardrail each.
    aims: Vec<Aim>,
    /// What the bundle wants every context to hold.
    declared: ConstMap,
}

/// What it takes to hit one rule or guardrail.
#[derive(Debug, Default)]
struct Aim {
    /// Names that fit its target, by field.
    names: Vec<(Field, Vec<Box<str>>)>,
    tests: Vec<Test>,
    /// What the keys of a guardrail are made of.
    keys: Vec<Place>,
    phase: Phase,
}

/// One condition: a value that fulfils it, and those around its bound.
#[derive(Debug)]
struct Test {
    place: Place,
    holding: Setting,
    around: Vec<Setting>,
}

impl Boundaries {
    /// Those of this bundle.
    #[must_use]
    pub fn of(bundle: &Compiled) -> Self {
        let source = bundle.source();
        let expressions = expressions(source);
        let rules = source.rules.iter().zip(expressions).filter(|(rule, _)| rule.enabled);
        let guardrails = bundle.enabled_guardrails().map(Aim::of_guardrail);
        let aims = rules.map(|(rule, more)| Aim::of_rule(rule, more)).chain(guardrails).collect();
        Self { aims, declared: declared(source) }
    }

    /// How many rules and guardrails requests are drawn for.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.aims.len()
    }

    /// Whether the bundle has neither.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.aims.is_empty()
    }

    /// One request about each rule and guardrail in turn, the place of the turn included.
    pub fn draw(&self, turn: usize, draw: &mut Draw) -> RequestDocument {
        let mut request = RequestDocument { context: self.declared.clone(), ..RequestDocument::default() };
        if let Some(aim) = self.aims.get(turn % self.aims.len().max(1)) {
            aim.set(&mut request, draw);
        }
        if request.action.name.is_empty() {
            request.action.name = "any".into();
        }
        request
    }
}

/// The tests that stand in each rule's `when`, as far as they compare a field with a constant.
fn expressions(bundle: &Bundle) -> Vec<Vec<(Path, Op)>> {
    let flat = |rule: &Rule| {
        let Some(when) = &rule.when else { return vec![] };
        let (mut slots, mut shared) = (SlotTable::default(), cel::Shared::default());
        let parts = cel::compile(&when.value, &mut slots, &bundle.data, &mut shared).unwrap_or_default();
        let test = |form| match form {
            Form::Flat(slot, op) => slots.path(slot).cloned().map(|path| (path, op)),
            Form::Program(_) => None,
        };
        parts.into_iter().filter_map(|part| test(part.form)).collect()
    };
    let all = || bundle.rules.iter().map(flat).collect();
    cel::on_deep_stack(all).unwrap_or_else(|_| bundle.rules.iter().map(|_| vec![]).collect())
}

/// The fields that a bundle declares, each with a value that fits.
fn declared(bundle: &Bundle) -> ConstMap {
    let mut request = RequestDocument::default();
    for field in bundle.fields.iter().filter(|field| field.required) {
        let value = match field.kind {
            FieldType::Number | FieldType::Integer => {
                Const::Number(field.min.or(field.max).unwrap_or_default())
            }
            FieldType::String => {
                let first = field.values.as_ref().and_then(|values| values.first());
                Const::Str(first.cloned().unwrap_or_else(|| "any".into()))
            }
            FieldType::Boolean => Const::Bool(true),
            FieldType::List => Const::List(vec![]),
            FieldType::Map => Const::Map(ConstMap::new()),
            FieldType::Timestamp => Const::Str("2026-11-21T09:30:00Z".into()),
        };
        Place::Context(field.path.clone()).set(&mut request, &Setting::Value(value));
    }
    request.context
}

impl Aim {
    fn of_rule(rule: &Rule, more: Vec<(Path, Op)>) -> Self {
        let mut aim = Self::of_target(&rule.target);
        aim.names(Field::Agent, rule.agent.as_ref());
        aim.names(Field::Action, rule.action.as_ref());
        if let Scope::Level(level, pattern) = &rule.scope {
            let field = match level {
                ScopeLevel::Tenant => Field::Tenant,
                ScopeLevel::App => Field::App,
                ScopeLevel::Tool => Field::Tool,
                ScopeLevel::Workflow => Field::Workflow,
                ScopeLevel::Agent => Field::Agent,
            };
            aim.names(field, Some(&vec![pattern.clone()]));
        }
        let own = rule.conditions.iter().map(|condition| (condition.path.clone(), condition.op.clone()));
        aim.tests = own.chain(more).filter_map(|(path, op)| Test::of(&path, &op)).collect();
        aim
    }

    fn of_guardrail(guardrail: &Guardrail) -> Self {
        let mut aim = Self::of_target(&guardrail.targeting);
        aim.keys = key_of(&guardrail.rules).iter().filter_map(Place::of_key).collect();
        aim
    }

    fn of_target(target: &Target) -> Self {
        let phase = if target.phases == Phases::Enqueue { Phase::Enqueue } else { Phase::Dispatch };
        let mut aim = Self { phase, ..Self::default() };
        for (field, patterns) in target.wanted() {
            aim.names(field, patterns.as_ref());
        }
        aim
    }

    fn names(&mut self, field: Field, patterns: Option<&Patterns>) {
        let names: Vec<Box<str>> =
            patterns.into_iter().flatten().filter_map(values::fitting).take(NAMES).collect();
        if !names.is_empty() {
            self.names.push((field, names));
        }
    }

    fn set(&self, request: &mut RequestDocument, draw: &mut Draw) {
        request.phase = self.phase;
        for key in &self.keys {
            let value = Const::Str(format!("key-{}", below(draw, KEYS)).into());
            key.set(request, &Setting::Value(value));
        }
        let missed = if below(draw, MISSES) == 0 { below(draw, self.names.len()) } else { usize::MAX };
        for (at, (field, names)) in self.names.iter().enumerate() {
            let Some(name) = names.get(below(draw, names.len())) else { continue };
            let name = if at == missed { format!("{name}x").into() } else { name.clone() };
            Place::Field(*field).set(request, &Setting::Value(Const::Str(name)));
        }
        for test in &self.tests {
            test.place.set(request, &test.holding);
        }
        // One of them stands at its bound; the others hold, so that it is looked at.
        if let Some(test) = self.tests.get(below(draw, self.tests.len()))
            && let Some(setting) = test.around.get(below(draw, test.around.len()))
        {
            test.place.set(request, setting);
        }
    }
}

impl Test {
    fn of(path: &Path, op: &Op) -> Option<Self> {
        let (holding, around) = values::of(op);
        Some(Self { place: Place::of_path(path)?, holding, around })
    }
}

/// What a guardrail counts apart.
fn key_of(rules: &Rules) -> &[KeyDimension] {
    match rules {
        Rules::RateLimit(limit) => &limit.key_by,
        Rules::Retry(retry) => &retry.key_by,
        Rules::CircuitBreaker(breaker) => &breaker.key_by,
        Rules::Budget(budget) => &budget.key_by,
        Rules::Concurrency(concurrency) => &concurrency.key_by,
        Rules::Sampling(sampling) => &sampling.key_by,
        Rules::Timeout(_) => &[],
    }
}

/// A number from 0 up to, not including, `end`; 0 if `end` is.
fn below(draw: &mut Draw, end: usize) -> usize {
    let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
    usize::try_from(draw.bits() % end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
