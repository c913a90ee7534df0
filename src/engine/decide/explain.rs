//! Explain: the same decision, with the account of every rule.

use super::authorize::Question;
use super::{Answer, Decision, Request, Scratch, authorize};
use crate::compile::Compiled;
use crate::compile::rule::{CompiledRule, Part, PartBy};
use crate::condition::slots::{Slot, Slots, own_field};
use crate::condition::truth::Truth;
use crate::id::RuleId;
use crate::time::WallTime;
use crate::value::{View, to_json};

/// How many rules an explanation accounts for at most.
pub const MAX_TRACES: usize = 1_000;

/// How one rule fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleOutcome {
    /// It decided.
    Decided,
    /// A `modify` rule that matched an allowed action.
    Matched,
    /// Its target or a condition does not hold.
    False,
    /// A field that it reads is absent.
    Absent,
    /// A condition could not be evaluated, and the rule did not decide.
    Error,
    /// It matches, and another decided; or it modifies, and nothing was allowed.
    Outranked,
    /// It is switched off.
    Disabled,
}

/// The account of one rule.
#[derive(Clone, Debug)]
pub struct RuleTrace<'a> {
    /// The rule.
    pub rule: &'a RuleId,
    /// How it fared.
    pub outcome: RuleOutcome,
    /// The target field or condition that made it so; empty where none did.
    pub condition: String,
    /// What the request holds there.
    pub actual: Option<serde_json::Value>,
    /// Why it could not be evaluated; empty unless it erred.
    pub error: String,
    /// What each condition says, in the order in which they were written; empty where the
    /// target does not fit.
    pub conditions: Vec<(&'a str, Truth)>,
}

/// A decision with the account of every rule that was considered.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The decision, the same that [`authorize`] gives.
    pub decision: Decision<'a>,
    /// The rules that decide by rank, then those that modify, then those switched off; at most
    /// [`MAX_TRACES`], those whose target fits before those whose does not.
    pub rules: Vec<RuleTrace<'a>>,
}

/// Decides, and says of every rule how it fared. It looks at all rules, so it is for people, not
/// for the path of a decision.
pub fn explain<'a>(
    bundle: &'a Compiled,
    request: &Request<'a>,
    servers_environment: &'a str,
    now: WallTime,
    scratch: &mut Scratch,
) -> Explanation<'a> {
    let decision = authorize(bundle, request, servers_environment, now, scratch);
    let environment = request.environment_or(servers_environment);
    let mut slots = Slots::default();
    bundle.slots.fill(request, environment, &mut slots);
    let question = Question { bundle, request, environment, slots: &slots, now };
    let mut rules: Vec<RuleTrace<'a>> = Vec::new();
    for rule in &bundle.deciding.rules {
        rules.extend(question.trace(rule, &decision));
    }
    for rule in &bundle.modifying.rules {
        rules.extend(question.trace(rule, &decision));
    }
    let off = bundle.source().rules.iter().filter(|rule| !rule.enabled);
    rules.extend(off.map(|rule| RuleTrace::new(&rule.id, RuleOutcome::Disabled)));
    if rules.len() > MAX_TRACES {
        rules.sort_by_key(|trace| trace.conditions.is_empty() && trace.outcome == RuleOutcome::False);
        rules.truncate(MAX_TRACES);
    }
    Explanation { decision, rules }
}

impl<'a> RuleTrace<'a> {
    const fn new(rule: &'a RuleId, outcome: RuleOutcome) -> Self {
        Self {
            rule,
            outcome,
            condition: String::new(),
            actual: None,
            error: String::new(),
            conditions: Vec::new(),
        }
    }
}

impl<'a> Question<'_, 'a> {
    fn trace(&self, rule: &'a CompiledRule, decision: &Decision<'a>) -> Option<RuleTrace<'a>> {
        let id = &self.bundle.rule_source(rule)?.id;
        if let Some(misfit) = rule.needs.misfit(self.request, self.environment) {
            let mut trace = RuleTrace::new(id, RuleOutcome::False);
            trace.condition = format!("target: {}", misfit.field.name());
            let own = own_field(self.request, self.environment, misfit.field);
            trace.actual = own.read().ok().map(to_json);
            return Some(trace);
        }
        let says = rule.conditions(self.slots, self.now);
        let mut trace = RuleTrace::new(id, self.outcome(rule, id, says, decision));
        let parts = rule.parts.iter().map(|part| (part, self.part(rule, part)));
        let parts: Vec<(&Part, Truth)> = parts.collect();
        if let Some((part, truth)) = parts.iter().find(|(_, truth)| *truth == says && says != Truth::True) {
            trace.condition = part.text.to_string();
            trace.actual = self.actual(rule, part);
            if *truth == Truth::Error {
                trace.error = self.why(rule, part);
            }
        }
        trace.conditions = parts.iter().map(|(part, truth)| (&*part.text, *truth)).collect();
        Some(trace)
    }

    fn outcome(&self, rule: &CompiledRule, id: &RuleId, says: Truth, decision: &Decision<'_>) -> RuleOutcome {
        let modifies = self
            .bundle
            .rule_source(rule)
            .is_some_and(|rule| matches!(rule.effect, crate::model::RuleEffect::Modify(_)));
        match says {
            _ if decision.rule == Some(id) => RuleOutcome::Decided,
            Truth::False => RuleOutcome::False,
            Truth::Absent => RuleOutcome::Absent,
            Truth::Error if !rule.fails_closed => RuleOutcome::Error,
            Truth::True if modifies && matches!(decision.answer, Answer::Allow(_)) => RuleOutcome::Matched,
            Truth::True | Truth::Error => RuleOutcome::Outranked,
        }
    }

    fn part(&self, rule: &'a CompiledRule, part: &Part) -> Truth {
        match part.by {
            PartBy::Constant(truth) => truth,
            PartBy::Test(at) => rule.tests.get(at).map_or(Truth::False, |test| test.holds(self.slots)),
            PartBy::Program(at) => {
                rule.programs.get(at).map_or(Truth::False, |program| program.holds(self.slots, self.now))
            }
        }
    }

    /// What the request holds where the part looks; `None` where it looks at more than one field.
    fn actual(&self, rule: &CompiledRule, part: &Part) -> Option<serde_json::Value> {
        let PartBy::Test(at) = part.by else {
            return None;
        };
        let test = rule.tests.get(at)?;
        self.slots.get(test.slot).read().ok().map(to_json)
    }

    fn why(&self, rule: &CompiledRule, part: &Part) -> String {
        let slot = match part.by {
            PartBy::Test(at) => rule.tests.get(at).map(|test| self.slots.get(test.slot)),
            PartBy::Constant(_) | PartBy::Program(_) => None,
        };
        match slot {
            Some(Slot::Broken) => "a part of the path is not a map".into(),
            Some(Slot::Value(View::Number(n))) if n.is_nan() => "the value is not a number (NaN)".into(),
            Some(Slot::Value(value)) => format!("{} cannot be compared so", value.type_name()),
            Some(Slot::Unset(_) | Slot::Absent) | None => {
                "a part cannot be computed from the values of this request".into()
            }
        }
    }
}
