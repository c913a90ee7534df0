//! Runs the steps of a sequence.

use super::coverage::Coverage;
use super::judge::{Answers, judge};
use super::result::{Failure, StepAt, Verdict};
use super::run::On;
use super::sequence::{Deed, Named, Operate, Sequence, Step};
use super::suite::{Asked, Case};
use super::world::{Decision, Reply, World};
use super::{answer, breakers, why};
use crate::decide::{RuleTrace, Tools};
use crate::guardrail::Live;
use crate::guardrail::directory::Hold;
use crate::read::listed;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::OnceLock;

/// A sequence while it runs.
struct Play<'s> {
    on: On<'s>,
    world: World<'s>,
    tools: Tools,
    seed: u64,
    named: HashMap<&'s str, Vec<Decision<'s>>>,
}

/// Runs a sequence until a step is not as expected.
pub(super) fn sequence<'s>(
    case: &'s Case,
    sequence: &'s Sequence,
    on: On<'s>,
    seed: u64,
    coverage: &mut Coverage,
) -> Verdict {
    let world = World::new(on.bundle, &case.environment, case.now);
    let mut play = Play { on, world, tools: Tools::seeded(seed), seed, named: HashMap::new() };
    for (number, step) in (1..).zip(&sequence.steps) {
        if let Some(failure) = play.step(number, step, coverage) {
            return Verdict::Failed(failure);
        }
    }
    Verdict::Passed
}

impl<'s> Play<'s> {
    fn step(&mut self, number: usize, step: &'s Step, coverage: &mut Coverage) -> Option<Failure> {
        self.world.move_to(step.at);
        let changed = match &step.deed {
            Deed::Reload(bundle) => Some(self.reload(*bundle)),
            Deed::Operate(operate) => Some(operated(&self.world, operate)),
            _ => None,
        };
        let mut looking = Tools::seeded(self.seed);
        let told = explanations(&self.world, &step.deed, &mut looking);
        if std::ptr::eq(self.world.bundle, self.on.bundle) {
            told.iter().for_each(|told| coverage.add(told));
        }
        let replies = match changed {
            Some(reply) => vec![reply],
            None if step.parallel => self.at_once(number, step),
            None => {
                let (world, named, tools) = (&self.world, &self.named, &mut self.tools);
                (0..step.repeat).flat_map(|_| once(world, named, &step.deed, tools)).collect()
            }
        };
        let answers = Answers {
            answers: replies.iter().map(|reply| &reply.answer).collect(),
            requests: replies
                .iter()
                .flat_map(|reply| reply.taken.iter().filter_map(|one| one.request))
                .collect(),
        };
        let failed = judge(&step.expected, step.place, &answers, &self.world);
        let failure = failed.map(|(mismatches, which)| {
            let reply = which.and_then(|which| replies.get(which)).or(replies.first());
            let answer = reply.map_or(Value::Null, |reply| reply.answer.clone());
            let refused = reply.into_iter().flat_map(|reply| reply.refused.clone());
            let rules = told.iter().flat_map(|told| why::rules(told, &mismatches));
            let why = refused.chain(rules).chain(why::guardrails(&answer)).collect();
            let at = answer::span(step.at);
            let step = StepAt { number, operation: step.deed.name(), at, place: step.place };
            Failure { step: Some(step), mismatches, answer, why }
        });
        drop(told);
        if let Some(name) = &step.name {
            self.named.insert(name, replies.into_iter().flat_map(|reply| reply.taken).collect());
        }
        failure
    }

    /// All repetitions at one instant, on as many threads as the crew has. Each draws from its own
    /// seed, so that no draw depends on who came first.
    fn at_once(&self, number: usize, step: &'s Step) -> Vec<Reply<'s>> {
        let slots: Vec<OnceLock<Vec<Reply<'s>>>> = (0..step.repeat).map(|_| OnceLock::new()).collect();
        let (world, named, own_seed) = (&self.world, &self.named, self.seed);
        self.on.crew.at_once(slots.len(), &|task| {
            let seed = [number, task].iter().fold(own_seed, |seed, more| {
                seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(*more as u64)
            });
            let replies = once(world, named, &step.deed, &mut Tools::seeded(seed));
            if let Some(slot) = slots.get(task) {
                // Each task has its slot, and is done once.
                let _ = slot.set(replies);
            }
        });
        slots.into_iter().filter_map(OnceLock::into_inner).flatten().collect()
    }

    fn reload(&mut self, bundle: usize) -> Reply<'s> {
        if let Some(bundle) = self.on.reloads.get(bundle) {
            self.world.reload(bundle);
        }
        done(json!({"bundle": answer::origin(self.world.bundle, self.world.environment)}))
    }
}

/// Does once what a step does.
fn once<'s>(
    world: &World<'s>,
    named: &HashMap<&'s str, Vec<Decision<'s>>>,
    deed: &'s Deed,
    tools: &mut Tools,
) -> Vec<Reply<'s>> {
    match deed {
        Deed::Authorize(asked) => vec![world.authorize(asked, tools)],
        Deed::Batch(batch) => vec![world.authorize_batch(batch, tools)],
        Deed::Retry(retry) => vec![world.retry(retry, tools)],
        Deed::Budget(asked) => vec![world.budget(asked, tools)],
        Deed::Report(report) => {
            let nobodys = [Decision { id: None, request: None }];
            let decisions = report.of.as_ref().map_or(&nobodys[..], |of| find(named, of));
            let report = |one: &Decision<'s>| {
                let answer = world.report(one.id, &report.says);
                let taken = vec![Decision { id: None, request: one.request }];
                Reply { answer, refused: vec![], taken }
            };
            decisions.iter().map(report).collect()
        }
        Deed::Reload(_) | Deed::Operate(_) => vec![],
    }
}

fn find<'n, 's>(named: &'n HashMap<&'s str, Vec<Decision<'s>>>, of: &Named) -> &'n [Decision<'s>] {
    named.get(&*of.name).and_then(|all| all.get(of.which.clone())).unwrap_or_default()
}

/// How the rules fare with what a step asks, before it is asked.
fn explanations<'w>(world: &'w World<'_>, deed: &'w Deed, tools: &mut Tools) -> Vec<Vec<RuleTrace<'w>>> {
    let asked: &[Asked] = match deed {
        Deed::Authorize(asked) => std::slice::from_ref(asked),
        Deed::Batch(batch) => &batch.requests,
        Deed::Report(_) | Deed::Retry(_) | Deed::Budget(_) | Deed::Reload(_) | Deed::Operate(_) => &[],
    };
    asked.iter().flatten().map(|document| world.explain(&document.request(), tools).rules).collect()
}

fn operated<'s>(world: &World<'_>, operate: &Operate) -> Reply<'s> {
    let refused = |code: &str, why: String| Reply { refused: vec![why], ..done(json!({"error": code})) };
    let name = &*operate.guardrail;
    let written =
        || world.bundle.guardrails().iter().map(|own| &own.name.value).filter(|own| !own.is_internal());
    if !written().any(|own| own.as_str() == name) {
        let known = listed(written().map(|own| own.as_str()));
        return refused("NOT_FOUND", format!("there is no guardrail `{name}`; the bundle has {known}"));
    }
    let Some(guard) = world.all.named(name).next() else {
        let why = format!("`{name}` is switched off in the bundle and holds nothing; switch it on there");
        return refused("FAILED_PRECONDITION", why);
    };
    let key = operate.key.as_ref().map(|values| guard.key_of(values));
    let key = match key {
        None => None,
        Some(None) => return refused("INVALID_ARGUMENT", breakers::wrong_key(guard)),
        Some(Some(_)) if Live::hold(guard) != Hold::None => {
            let why = format!("all keys of `{name}` are held by an operator; `close` it as a whole first");
            return refused("FAILED_PRECONDITION", why);
        }
        Some(key) => key,
    };
    match world.live.operate(guard, key.as_ref(), operate.operation, world.at) {
        Ok(_) => done(json!({})),
        Err(not_a_breaker) => refused("FAILED_PRECONDITION", format!("`{name}`: {not_a_breaker}")),
    }
}

const fn done<'s>(answer: Value) -> Reply<'s> {
    Reply { answer, refused: vec![], taken: vec![] }
}

#[cfg(test)]
mod tests;
