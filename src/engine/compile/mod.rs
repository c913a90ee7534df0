//! From the document to what requests read.

pub mod index;
pub mod rules;
pub mod target;

mod fields;

use std::collections::HashSet;

use foldhash::fast::RandomState;

use self::fields::FieldCheck;
use self::index::{Axes, Index};
use self::rules::{Rules, Verdict};
use crate::condition::cel::{self, Problem};
use crate::condition::slots::SlotTable;
use crate::id::Digest;
use crate::model::{Bundle, Code, Effect, Finding, Guardrail, Pattern, Rule, RuleEffect, guardrail};

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
pub fn bundle(bundle: Bundle) -> Result<Compiled, Vec<Finding>> {
    let mut slots = SlotTable::default();
    let (deciding, modifying): (Vec<usize>, Vec<usize>) = ranked(&bundle.rules)
        .into_iter()
        .partition(|source| bundle.rules.get(*source).and_then(|r| effect_of(&r.effect)).is_some());
    let deciding = rules_of(&bundle, &deciding, &mut slots);
    let modifying = rules_of(&bundle, &modifying, &mut slots);
    let (deciding, modifying) = match (deciding, modifying) {
        (Ok(deciding), Ok(modifying)) => (deciding, modifying),
        (a, b) => {
            let mut findings: Vec<Finding> = a.err().into_iter().chain(b.err()).flatten().collect();
            findings.sort_by_key(|finding| finding.place);
            return Err(findings);
        }
    };
    let mut axes = Axes::default();
    let mut indexed = |mut rules: Rules| {
        let index = Index::of(&mut rules, &mut axes, slots.len());
        RuleSet { rules, index }
    };
    let (deciding, modifying) = (indexed(deciding), indexed(modifying));
    let (agents, actions) = vocabulary(&bundle);
    let fields = FieldCheck::of(&bundle.fields);
    Ok(Compiled { bundle, slots, axes, deciding, modifying, fields, agents, actions })
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

    /// The guardrails that are switched on.
    pub fn enabled_guardrails(&self) -> impl Iterator<Item = &Guardrail> {
        self.bundle.guardrails.iter().filter(|g| g.state == guardrail::State::Enabled)
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

fn rules_of(bundle: &Bundle, order: &[usize], slots: &mut SlotTable) -> Result<Rules, Vec<Finding>> {
    let sources = || order.iter().filter_map(|source| bundle.rules.get(*source).map(|rule| (*source, rule)));
    let mut compile = || {
        let (mut rules, mut findings) = (Rules::default(), Vec::new());
        for (source, rule) in sources() {
            if let Err(problem) = rules.push(source, rule, slots, &bundle.data) {
                findings.push(finding(rule, problem));
            }
        }
        if findings.is_empty() { Ok(rules) } else { Err(findings) }
    };
    if sources().all(|(_, rule)| rule.when.is_none()) {
        return compile();
    }
    let place = bundle.rules.first().map(|rule| rule.place).unwrap_or_default();
    cel::on_deep_stack(&mut compile)
        .unwrap_or_else(|problem| Err(vec![Finding::error(Code::BadExpression, place, problem.message)]))
}

fn finding(rule: &Rule, problem: Problem) -> Finding {
    let place = rule.when.as_ref().map_or(rule.place, |when| when.place);
    let code = if problem.unknown_name { Code::UnknownReference } else { Code::BadExpression };
    let at = problem.offset.map_or_else(String::new, |offset| format!(" (at byte {offset})"));
    let message = format!("`when` of rule `{}`{at}: {}", rule.id, problem.message);
    let mut finding = Finding::error(code, place, message).about(rule.id.as_str());
    finding.suggestion = problem.suggestion;
    finding
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
