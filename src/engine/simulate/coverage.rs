//! Which rules and conditions a suite of cases exercises.

use crate::compile::Compiled;
use crate::condition::truth::Truth;
use crate::decide::{RuleOutcome, RuleTrace};
use crate::model::Rule;
use std::collections::BTreeMap;

/// What the cases so far have exercised.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<Box<str>, RuleSeen>);

/// What the cases have seen of one rule.
#[derive(Debug, Default)]
struct RuleSeen {
    decided: bool,
    /// By condition, in the order in which they are written; empty while its target never fits.
    conditions: Vec<ConditionSeen>,
}

/// What the cases have seen of one condition.
#[derive(Debug)]
struct ConditionSeen {
    text: Box<str>,
    held: bool,
    failed: bool,
}

/// What no case exercises. Disabled rules are left out: nothing can exercise them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps {
    /// Enabled rules.
    pub rules: usize,
    /// Those of them that decide no case and modify none.
    pub never_decided: Vec<Box<str>>,
    /// Conditions and expressions of the enabled rules.
    pub conditions: usize,
    /// Those of them that no case sees in both outcomes.
    pub one_sided: Vec<OneSided>,
}

/// A condition that all cases see the same way, or none at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneSided {
    /// The rule.
    pub rule: Box<str>,
    /// The condition as it is written.
    pub condition: Box<str>,
    /// What no case shows.
    pub missing: Missing,
}

/// The outcome of a condition that no case shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// That it holds.
    Holds,
    /// That it does not.
    Fails,
    /// Neither: the target of its rule fits no case.
    Both,
}

impl Missing {
    /// As people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Holds => "never holds",
            Self::Fails => "always holds",
            Self::Both => "never looked at",
        }
    }
}

impl Coverage {
    /// Counts how the rules fared with one request.
    pub fn add(&mut self, rules: &[RuleTrace<'_>]) {
        for trace in rules {
            let seen = self.0.entry(trace.rule.as_str().into()).or_default();
            seen.decided |= matches!(trace.outcome, RuleOutcome::Decided | RuleOutcome::Matched);
            if seen.conditions.is_empty() {
                seen.conditions = trace.conditions.iter().map(|(text, _)| ConditionSeen::new(text)).collect();
            }
            for (condition, (_, truth)) in seen.conditions.iter_mut().zip(&trace.conditions) {
                condition.held |= *truth == Truth::True;
                condition.failed |= *truth != Truth::True;
            }
        }
    }

    /// What is not exercised yet.
    #[must_use]
    pub fn gaps(&self, bundle: &Compiled) -> Gaps {
        let mut gaps = Gaps::default();
        for rule in bundle.source().rules.iter().filter(|rule| rule.enabled) {
            let seen = self.0.get(rule.id.as_str());
            gaps.rules += 1;
            if !seen.is_some_and(|seen| seen.decided) {
                gaps.never_decided.push(rule.id.as_str().into());
            }
            match seen.filter(|seen| !seen.conditions.is_empty()) {
                Some(seen) => gaps.add_seen(rule, &seen.conditions),
                None => gaps.add_unseen(rule),
            }
        }
        gaps
    }
}

impl Gaps {
    fn add_seen(&mut self, rule: &Rule, conditions: &[ConditionSeen]) {
        for condition in conditions {
            self.conditions += 1;
            let missing = match (condition.held, condition.failed) {
                (true, true) => continue,
                (true, false) => Missing::Fails,
                (false, true) => Missing::Holds,
                (false, false) => Missing::Both,
            };
            self.one_sided(rule, &condition.text, missing);
        }
    }

    fn add_unseen(&mut self, rule: &Rule) {
        let when = rule.when.iter().map(|when| &when.value);
        for text in rule.conditions.iter().map(|condition| &condition.text).chain(when) {
            self.conditions += 1;
            self.one_sided(rule, text, Missing::Both);
        }
    }

    fn one_sided(&mut self, rule: &Rule, condition: &str, missing: Missing) {
        let (rule, condition) = (rule.id.as_str().into(), condition.into());
        self.one_sided.push(OneSided { rule, condition, missing });
    }
}

impl ConditionSeen {
    fn new(text: &str) -> Self {
        Self { text: text.into(), held: false, failed: false }
    }
}
