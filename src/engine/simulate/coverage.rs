//! Which rules and conditions a suite of cases exercises.

use crate::compile::Compiled;
use crate::decide::{Explanation, RuleOutcome};
use std::collections::{BTreeMap, BTreeSet};

/// What the cases so far have exercised.
#[derive(Debug, Default)]
pub struct Coverage {
    /// Rules that decided, or that modified an allowed action.
    decided: BTreeSet<Box<str>>,
    /// Rules of which everything held at least once, whether or not they decided.
    held: BTreeSet<Box<str>>,
    /// Conditions that kept their rule from matching, by rule.
    failed: BTreeMap<Box<str>, BTreeSet<String>>,
}

/// What no case exercises. Disabled rules are left out: nothing can exercise them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gaps {
    /// Enabled rules.
    pub rules: usize,
    /// Those of them that no case lets decide.
    pub never_decided: Vec<Box<str>>,
    /// Conditions and expressions of the enabled rules.
    pub conditions: usize,
    /// Those of them that no case sees in both outcomes.
    pub one_sided: Vec<OneSided>,
}

/// A condition that every case sees the same way, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneSided {
    /// The rule.
    pub rule: Box<str>,
    /// The condition as it is written.
    pub condition: Box<str>,
    /// Which side is missing.
    pub missing: Missing,
}

/// The side of a condition that no case shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No case has it hold together with the rest of its rule.
    Holds,
    /// No case has it keep its rule from matching.
    Fails,
    /// Neither.
    Both,
}

impl Coverage {
    /// Counts one case.
    pub fn add(&mut self, explanation: &Explanation<'_>) {
        for trace in &explanation.rules {
            let rule = trace.rule.as_str();
            match trace.outcome {
                RuleOutcome::Decided | RuleOutcome::Matched if trace.error.is_empty() => {
                    self.decided.insert(rule.into());
                    self.held.insert(rule.into());
                }
                RuleOutcome::Decided | RuleOutcome::Matched => {
                    self.decided.insert(rule.into());
                }
                RuleOutcome::Outranked if trace.error.is_empty() => {
                    self.held.insert(rule.into());
                }
                RuleOutcome::False | RuleOutcome::Absent | RuleOutcome::Error => {
                    self.failed.entry(rule.into()).or_default().insert(trace.condition.clone());
                }
                RuleOutcome::Outranked | RuleOutcome::Disabled => {}
            }
        }
    }

    /// What is not exercised yet.
    #[must_use]
    pub fn gaps(&self, bundle: &Compiled) -> Gaps {
        let enabled = || bundle.source().rules.iter().filter(|rule| rule.enabled);
        let mut gaps = Gaps { rules: enabled().count(), never_decided: vec![], conditions: 0, one_sided: vec![] };
        for rule in enabled() {
            let id = rule.id.as_str();
            if !self.decided.contains(id) {
                gaps.never_decided.push(id.into());
            }
            let when = rule.when.iter().map(|when| &when.value);
            for condition in rule.conditions.iter().map(|condition| &condition.text).chain(when) {
                gaps.conditions += 1;
                if let Some(missing) = self.missing(id, condition) {
                    gaps.one_sided.push(OneSided { rule: id.into(), condition: condition.clone(), missing });
                }
            }
        }
        gaps
    }

    fn missing(&self, rule: &str, condition: &str) -> Option<Missing> {
        let fails = self.failed.get(rule).is_some_and(|failed| failed.contains(condition));
        match (self.held.contains(rule), fails) {
            (true, true) => None,
            (true, false) => Some(Missing::Fails),
            (false, true) => Some(Missing::Holds),
            (false, false) => Some(Missing::Both),
        }
    }
}
