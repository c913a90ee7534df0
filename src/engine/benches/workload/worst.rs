//! Workloads that defeat an index by agent and action: every rule is on everything.
//!
//! The order of what rules pin is shuffled against their rank, so that no neighbourhood helps,
//! and most requests match few rules or none, so that no early match does.

use tollgate_engine::model::{Op, Rule, RuleEffect};
use tollgate_engine::value::{Const, ConstMap};

use super::dice::Dice;
use super::shape::{
    DENY, at_least, at_most, bundle, equals, glob, map, on, rule, some_effect, some_modify, text,
};
use super::{Asked, REQUESTS, Workload};

/// How many different contexts the requests of these workloads carry.
const CONTEXTS: usize = 4_096;

/// `risk_score >= n` for each n.
pub fn threshold(rules: usize, dice: &mut Dice, effect: fn(&mut Dice) -> RuleEffect) -> Workload {
    let bounds = dice.shuffled(rules);
    let made = bounds.iter().enumerate().map(|(number, bound)| {
        let mut rule = rule(number, effect(dice));
        rule.conditions = vec![at_least("risk_score", *bound as f64)];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| map([("risk_score", Const::Number(few(rules, dice)))]))
}

/// Even rules match from far above on, odd ones up to far below.
pub fn both_ways(rules: usize, dice: &mut Dice) -> Workload {
    let bounds = dice.shuffled(rules);
    let made = bounds.iter().enumerate().map(|(number, bound)| {
        let mut rule = rule(number, some_effect(dice));
        let bound = 1_000.0 + *bound as f64;
        rule.conditions =
            if number % 2 == 0 { vec![at_least("balance", bound)] } else { vec![at_most("balance", -bound)] };
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| map([("balance", Const::Number(1_000.0 * dice.unit()))]))
}

/// `n <= position <= n + 0.5` for each n; every other request lies in a gap.
pub fn window(rules: usize, dice: &mut Dice) -> Workload {
    let starts = dice.shuffled(rules);
    let made = starts.iter().enumerate().map(|(number, start)| {
        let mut rule = rule(number, some_effect(dice));
        let (low, high) = (*start as f64, *start as f64 + 0.5);
        rule.conditions = vec![on("position", Op::Between(Const::Number(low), Const::Number(high)))];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| map([("position", Const::Number(rules as f64 * dice.unit()))]))
}

/// `case == "case-n"` for each n; every other request is about a case without a rule.
pub fn equality(rules: usize, dice: &mut Dice) -> Workload {
    let made = (0..rules).map(|number| {
        let mut rule = rule(number, some_effect(dice));
        rule.conditions = vec![equals("case", &format!("case-{number}"))];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| {
        let case = format!("case-{}", dice.below(2 * rules));
        map([("case", text(&case))])
    })
}

/// `field-n >= 50` for each n; a request has eight of the fields, below 50 but for one in ten.
pub fn field_each(rules: usize, dice: &mut Dice) -> Workload {
    let made = (0..rules).map(|number| {
        let mut rule = rule(number, some_effect(dice));
        rule.conditions = vec![at_least(&format!("field-{number}"), 50.0)];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| {
        let mut field = || {
            let name = format!("field-{}", dice.below(rules));
            (name.into(), Const::Number(55.0 * dice.unit()))
        };
        (0..8).map(|_| field()).collect()
    })
}

/// `a >= n` and `b >= rules - n`: requests meet one or the other, never both.
pub fn two_thresholds(rules: usize, dice: &mut Dice) -> Workload {
    let bounds = dice.shuffled(rules);
    let made = bounds.iter().enumerate().map(|(number, bound)| {
        let mut rule = rule(number, some_effect(dice));
        rule.conditions = vec![at_least("a", *bound as f64), at_least("b", (rules - bound) as f64)];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| {
        let a = dice.below(rules);
        let b = (rules - a) as f64 - 1.0;
        map([("a", Const::Number(a as f64)), ("b", Const::Number(b))])
    })
}

/// `risk_score >= n` and `case == "case-n"`, all denies; the score is a text, so each rule errs
/// unless its other condition is false.
pub fn wrong_type(rules: usize, dice: &mut Dice) -> Workload {
    let made = (0..rules).map(|number| {
        let mut rule = rule(number, DENY);
        rule.conditions =
            vec![at_least("risk_score", number as f64), equals("case", &format!("case-{number}"))];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| {
        let case = format!("case-{}", dice.below(2 * rules));
        map([("risk_score", text("95")), ("case", text(&case))])
    })
}

/// One allow on everything; `modify` with `risk_score >= n`, of which a request meets up to 16.
pub fn modify(rules: usize, dice: &mut Dice) -> Workload {
    let bounds = dice.shuffled(rules);
    let made = bounds.iter().enumerate().map(|(number, bound)| {
        if number == 0 {
            return rule(0, RuleEffect::Allow);
        }
        let mut rule = rule(number, some_modify(dice));
        rule.conditions = vec![at_least("risk_score", *bound as f64)];
        rule
    });
    let made = made.collect();
    workload(made, dice, |dice| map([("risk_score", Const::Number(16.0 * dice.unit() - 1.0))]))
}

/// Agents like `*-n-*`; every other request fits none.
pub fn infix(rules: usize, dice: &mut Dice) -> Workload {
    let made = (0..rules).map(|number| {
        let mut rule = rule(number, some_effect(dice));
        rule.agent = glob(&format!("*-{number}-*"));
        rule
    });
    let made = made.collect();
    let mut workload = workload(made, dice, |_| ConstMap::new());
    let agents = 0..CONTEXTS;
    workload.agents = agents.map(|_| format!("worker-{}-a", dice.below(2 * rules)).into()).collect();
    for (turn, asked) in workload.asked.iter_mut().enumerate() {
        asked.agent = (turn % CONTEXTS) as u32;
    }
    workload
}

/// A score that meets few of the thresholds 0, 1, 2 … : none for one in four, else about as
/// many as any power of two.
fn few(rules: usize, dice: &mut Dice) -> f64 {
    if dice.percent(25) {
        return -1.0;
    }
    (rules as f64).powf(dice.unit()) - 1.0
}

fn workload(rules: Vec<Rule>, dice: &mut Dice, context: impl Fn(&mut Dice) -> ConstMap) -> Workload {
    let contexts = (0..CONTEXTS).map(|_| context(dice)).collect();
    let ask = |turn: usize| Asked { context: (turn % CONTEXTS) as u32, ..Asked::default() };
    Workload {
        bundle: Some(bundle(rules)),
        agents: vec!["team-1.worker-1".into()],
        actions: vec!["crm-1.verb-1".into()],
        tenants: vec!["acme".into()],
        contexts,
        asked: (0..REQUESTS).map(ask).collect(),
    }
}
