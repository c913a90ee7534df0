//! From the document to what requests read.

pub mod index;
pub mod rules;
pub mod target;

mod fields;
mod guarding;

use std::collections::HashSet;

use foldhash::fast::RandomState;

use self::fields::FieldCheck;
use self::index::{Axes, Index};
use self::rules::{Reads, Rules, Verdict};
use crate::condition::cel::{self, Problem};
use crate::condition::slots::SlotTable;
use crate::id::Digest;
use crate::model::{
    Bundle, Code, Draft, Effect, Expression, Finding, Guardrail, Pattern, Place, Placed, Rule, RuleEffect,
    guardrail,
};
use crate::value::ConstMap;

/// The value that a metric's label takes for names that the bundle does not know.
pub const OTHER: &str = "other";

/// A bundle in the form that requests read: indexed, immutable, shared by all threads.
#[derive(Debug)]
pub struct Compiled {
    bundle: Bundle,
    pub(crate) slots: SlotTable,
    pub(crate) axes: Axes,
    /// Rules that decide, the first to decide first.
    pub(crate) deciding: RuleSet,
    /// Rules that add obligations, by priority.
    pub(crate) modifying: RuleSet,
    /// The guardrails that are switched on.
    pub(crate) guarding: RuleSet,
    pub(crate) fields: FieldCheck,
    agents: HashSet<Box<str>, RandomState>,
    actions: HashSet<Box<str>, RandomState>,
}

/// Rules in rank order, and how to find them.
#[derive(Debug)]
pub(crate) struct RuleSet {
    pub(crate) rules: Rules,
    pub(crate) index: Index,
}

/// Compiles a bundle.
///
/// # Errors
/// The findings say which expressions do not stand, all of them.
pub fn bundle(mut bundle: Bundle) -> Result<Compiled, Vec<Finding>> {
    let mut slots = SlotTable::default();
    let (deciding, modifying): (Vec<usize>, Vec<usize>) = ranked(&bundle.rules)
        .into_iter()
        .partition(|source| bundle.rules.get(*source).and_then(|r| effect_of(&r.effect)).is_some());
    let mut shared = cel::Shared::default();
    let deciding = rules_of(&bundle, &deciding, &mut slots, &mut shared);
    let modifying = rules_of(&bundle, &modifying, &mut slots, &mut shared);
    // A rule that is switched off may be switched on tomorrow: what is wrong with it is said today.
    let off = (0..).zip(&bundle.rules).filter(|(_, rule)| !rule.enabled).map(|(at, _)| at);
    let off = rules_of(&bundle, &off.collect::<Vec<usize>>(), &mut SlotTable::default(), &mut shared);
    let (deciding, modifying) = match (deciding, modifying, off) {
        (Ok(deciding), Ok(modifying), Ok(_)) => (deciding, modifying),
        (a, b, c) => {
            let all = a.err().into_iter().chain(b.err()).chain(c.err());
            let mut findings: Vec<Finding> = all.flatten().collect();
            findings.sort_by_key(|finding| finding.place);
            return Err(findings);
        }
    };
    if slots.reads_usage() {
        bundle.guardrails.push(guarding::usage());
    }
    let mut reads = Reads { slots: &mut slots, data: &bundle.data, shared: &mut shared };
    let guarding = guarding::rules_of(&bundle, &mut reads);
    let guarding = guarding
        .map_err(|problem| vec![Finding::error(Code::BadExpression, Place::default(), problem.message)])?;
    let mut axes = Axes::default();
    let mut indexed = |mut rules: Rules| {
        let index = Index::of(&mut rules, &mut axes, slots.len());
        RuleSet { rules, index }
    };
    let (deciding, modifying, guarding) = (indexed(deciding), indexed(modifying), indexed(guarding));
    let (agents, actions) = vocabulary(&bundle);
    let fields = FieldCheck::of(&bundle.fields);
    Ok(Compiled { bundle, slots, axes, deciding, modifying, guarding, fields, agents, actions })
}

impl Compiled {
    /// The document that it was compiled from.
    #[must_use]
    pub const fn source(&self) -> &Bundle {
        &self.bundle
    }

    /// The digest of the document.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.bundle.digest
    }

    /// Whether a condition or a `when` reads `usage`.
    #[must_use]
    pub fn reads_usage(&self) -> bool {
        self.slots.reads_usage()
    }

    /// Its guardrails, in the order in which [`crate::guardrail::Live::reconcile`] is given them
    /// and [`crate::decide::Visit`] finds them: those of the document, then what keeps `usage`.
    #[must_use]
    pub fn guardrails(&self) -> &[Guardrail] {
        &self.bundle.guardrails
    }

    /// The place of what keeps `usage` among the guardrails, where the bundle reads it.
    #[must_use]
    pub fn usage_guardrail(&self) -> Option<usize> {
        self.reads_usage().then(|| self.bundle.guardrails.len().saturating_sub(1))
    }

    /// The guardrails of the document that are switched on.
    pub fn enabled_guardrails(&self) -> impl Iterator<Item = &Guardrail> {
        let own = self.bundle.guardrails.iter().filter(|g| !g.name.value.is_internal());
        own.filter(|g| g.state == guardrail::State::Enabled)
    }

    /// The agent's name as a metric may carry it: one of the bundle's own vocabulary, else
    /// [`OTHER`].
    #[must_use]
    pub fn agent_label(&self, agent: &str) -> &str {
        self.agents.get(agent).map_or(OTHER, |own| own)
    }

    /// The action's name as a metric may carry it: one of the bundle's own vocabulary, else
    /// [`OTHER`].
    #[must_use]
    pub fn action_label(&self, action: &str) -> &str {
        self.actions.get(action).map_or(OTHER, |own| own)
    }

    /// The rule as it was written.
    pub(crate) fn written(&self, verdict: &Verdict) -> Option<&Rule> {
        self.bundle.rules.get(verdict.source as usize)
    }
}

/// The effect that takes part in selection; `None` for modify.
pub(crate) const fn effect_of(effect: &RuleEffect) -> Option<Effect> {
    match effect {
        RuleEffect::Allow => Some(Effect::Allow),
        RuleEffect::Deny(_) => Some(Effect::Deny),
        RuleEffect::RequireApproval(_) => Some(Effect::RequireApproval),
        RuleEffect::Modify(_) => None,
    }
}

/// The enabled rules: by priority, the stricter first on a tie, then in document order.
fn ranked(rules: &[Rule]) -> Vec<usize> {
    let mut order: Vec<(usize, &Rule)> = rules.iter().enumerate().filter(|(_, r)| r.enabled).collect();
    order.sort_by_key(|(source, rule)| (std::cmp::Reverse(rule.priority), effect_of(&rule.effect), *source));
    order.into_iter().map(|(source, _)| source).collect()
}

fn rules_of(
    bundle: &Bundle,
    order: &[usize],
    slots: &mut SlotTable,
    shared: &mut cel::Shared,
) -> Result<Rules, Vec<Finding>> {
    let sources = || order.iter().filter_map(|source| bundle.rules.get(*source).map(|rule| (*source, rule)));
    let mut compile = || {
        let (mut rules, mut findings) = (Rules::default(), Vec::new());
        let mut reads = Reads { slots: &mut *slots, data: &bundle.data, shared: &mut *shared };
        for (source, rule) in sources() {
            if let Err(problem) = rules.push(source, rule, &mut reads) {
                findings
                    .extend(rule.when.as_ref().map(|when| finding(when, Some(rule.id.as_str()), problem)));
            }
        }
        if findings.is_empty() { Ok(rules) } else { Err(findings) }
    };
    if sources().all(|(_, rule)| rule.when.is_none()) {
        return compile();
    }
    let place = bundle.rules.first().map(|rule| rule.place).unwrap_or_default();
    cel::on_deep_stack(&mut compile).unwrap_or_else(|problem| Err(vec![unread(place, problem)]))
}

/// What is wrong with the expressions of a document with format errors.
#[must_use]
pub fn findings(draft: &Draft) -> Vec<Finding> {
    let none = ConstMap::new();
    let data = draft.data.as_ref().unwrap_or(&none);
    let (mut slots, mut shared) = (SlotTable::default(), cel::Shared::default());
    let check = || {
        let problems = draft.expressions.iter().filter_map(|Expression { rule, when }| {
            let problem = cel::compile(&when.value, &mut slots, data, &mut shared).err()?;
            let is_sure = draft.data.is_some() || !problem.unknown_name;
            is_sure.then(|| finding(when, rule.as_deref(), problem))
        });
        problems.collect()
    };
    match draft.expressions.first() {
        None => Vec::new(),
        Some(first) => {
            cel::on_deep_stack(check).unwrap_or_else(|problem| vec![unread(first.when.place, problem)])
        }
    }
}

fn unread(place: Place, problem: Problem) -> Finding {
    Finding::error(Code::BadExpression, place, problem.message)
}

fn finding(when: &Placed<Box<str>>, rule: Option<&str>, problem: Problem) -> Finding {
    let code = if problem.unknown_name { Code::UnknownReference } else { Code::BadExpression };
    let until = problem.offset.and_then(|offset| until(&when.value, offset));
    let exact = until.and_then(|until| within(when, until));
    let message = format!("`when`: {}", problem.message);
    let mut finding = Finding::error(code, exact.unwrap_or(when.place), message);
    finding.within = until.filter(|_| exact.is_none()).map(Into::into);
    finding.subject = rule.map(Into::into);
    finding.suggestion = problem.suggestion;
    finding
}

/// An expression up to the character at this offset, or to the last that can be seen before it.
fn until(source: &str, offset: u32) -> Option<&str> {
    let offset = offset as usize;
    let length = source.get(offset..)?.chars().next().map_or(0, char::len_utf8);
    source.get(..offset + length).map(str::trim_end).filter(|until| !until.is_empty())
}

/// The place of the end of `until` in an expression that stands on one line as it is meant.
fn within(when: &Placed<Box<str>>, until: &str) -> Option<Place> {
    let number = |n: usize| u32::try_from(n).ok();
    let (length, written) = (number(when.value.chars().count())?, when.place.length);
    // Quotes stand around it, or nothing does; anything else was escaped or folded.
    let quote = match written.checked_sub(length) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return None,
    };
    let before = number(until.chars().count())?.checked_sub(1)?;
    let column = when.place.column.checked_add(quote)?.checked_add(before)?;
    (!when.value.contains('\n')).then_some(Place { column, length: 1, ..when.place })
}

/// The agents and actions that the bundle names exactly.
fn vocabulary(bundle: &Bundle) -> (HashSet<Box<str>, RandomState>, HashSet<Box<str>, RandomState>) {
    let rules = bundle.rules.iter();
    let agents = rules.clone().flat_map(|r| [&r.agent, &r.target.agents]);
    let actions = rules.flat_map(|r| [&r.action, &r.target.actions]);
    let targets = || bundle.guardrails.iter().map(|g| &g.targeting);
    let agents = agents.chain(targets().map(|t| &t.agents));
    let actions = actions.chain(targets().map(|t| &t.actions));
    (agents.flat_map(exact).collect(), actions.flat_map(exact).collect())
}

fn exact(patterns: &Option<Vec<Pattern>>) -> impl Iterator<Item = Box<str>> {
    patterns.iter().flatten().filter_map(|pattern| match pattern {
        Pattern::Exact(text) => Some(text.clone()),
        Pattern::Glob(_) => None,
    })
}
