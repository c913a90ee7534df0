//! Explain: the same decision, with the account of every rule.

use super::authorize::Question;
use super::{Answer, Decision, Request, Scratch, authorize};
use crate::compile::Compiled;
use crate::compile::index::{Asked, Pairs};
use crate::compile::rules::{Part, PartBy, RuleRef, VerdictKind};
use crate::condition::slots::{Slot, Slots, UsedSoFar, own_field};
use crate::condition::truth::Truth;
use crate::id::RuleId;
use crate::time::WallTime;
use crate::value::View;

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
    /// What the request holds there; not a copy, since many rules may look at one long value.
    pub actual: Option<View<'a>>,
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
    usage: Option<&UsedSoFar>,
    scratch: &mut Scratch,
) -> Explanation<'a> {
    let decision = authorize(bundle, request, servers_environment, now, usage, scratch);
    let environment = request.environment_or(servers_environment);
    let mut slots = Slots::default();
    bundle.slots.fill(request, environment, usage, &mut slots);
    let asked = Asked { request, environment, slots: &slots, pairs: &Pairs::default() };
    let question = Question { bundle, asked, now };
    let on = || bundle.deciding.rules.iter().chain(bundle.modifying.rules.iter());
    let off = bundle.source().rules.iter().filter(|rule| !rule.enabled);
    let off = off.map(|rule| RuleTrace::new(&rule.id, RuleOutcome::Disabled));
    let trace = |rule| question.trace(rule, &decision);
    let rules = if bundle.source().rules.len() <= MAX_TRACES {
        on().filter_map(trace).chain(off).collect()
    } else {
        // no account is made that would not be kept
        let fits = |rule: &RuleRef<'_>| rule.misfit(request, environment).is_none();
        let fitting = on().filter(fits).filter_map(trace);
        let others = on().filter(|rule| !fits(rule)).filter_map(trace);
        fitting.chain(off).chain(others).take(MAX_TRACES).collect()
    };
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
    fn trace(&self, rule: RuleRef<'a>, decision: &Decision<'a>) -> Option<RuleTrace<'a>> {
        let Asked { request, environment, slots, .. } = self.asked;
        let verdict = rule.verdict()?;
        if let Some(misfit) = rule.misfit(request, environment) {
            let mut trace = RuleTrace::new(&verdict.id, RuleOutcome::False);
            trace.condition = format!("target: {}", misfit.field.name());
            trace.actual = own_field(request, environment, misfit.field).read().ok();
            return Some(trace);
        }
        let says = rule.conditions(slots, self.now);
        let mut trace = RuleTrace::new(&verdict.id, outcome(rule, verdict.kind, says, decision));
        let parts = rule.parts().iter().map(|part| (part, rule.part(part.by, slots, self.now)));
        let parts: Vec<(&Part, Truth)> = parts.collect();
        let telling = parts.iter().find(|(_, truth)| *truth == says && says != Truth::True);
        if let Some((part, truth)) = telling {
            trace.condition = part.text.to_string();
            let slot = self.slot(rule, part);
            trace.actual = slot.and_then(|slot| slot.read().ok());
            if *truth == Truth::Error {
                trace.error = why(slot);
            }
        }
        trace.conditions = parts.iter().map(|(part, truth)| (&*part.text, *truth)).collect();
        Some(trace)
    }

    /// What the request holds where the part looks; `None` where it looks at more than one field.
    fn slot(&self, rule: RuleRef<'_>, part: &Part) -> Option<Slot<'a>> {
        let PartBy::Test(at) = part.by else { return None };
        rule.tests().get(at).map(|test| self.asked.slots.get(test.slot()))
    }
}

fn outcome(rule: RuleRef<'_>, kind: VerdictKind, says: Truth, decision: &Decision<'_>) -> RuleOutcome {
    let decided = rule.verdict().is_some_and(|verdict| decision.rule == Some(&verdict.id));
    let allowed = matches!(decision.answer, Answer::Allow(_));
    match says {
        _ if decided => RuleOutcome::Decided,
        Truth::False => RuleOutcome::False,
        Truth::Absent => RuleOutcome::Absent,
        Truth::Error if !rule.fails_closed() => RuleOutcome::Error,
        Truth::True if kind == VerdictKind::Modify && allowed => RuleOutcome::Matched,
        Truth::True | Truth::Error => RuleOutcome::Outranked,
    }
}

fn why(slot: Option<Slot<'_>>) -> String {
    match slot {
        Some(Slot::Broken) => "a part of the path is not a map".into(),
        Some(Slot::Value(View::Number(n))) if n.is_nan() => "the value is not a number (NaN)".into(),
        Some(Slot::Value(value)) => format!("{} cannot be compared so", value.type_name()),
        Some(Slot::Unset(_) | Slot::Absent) | None => {
            "a part cannot be computed from the values of this request".into()
        }
    }
}
