//! Workloads as people write them: rules name agents, actions and tenants.

use tollgate_engine::model::{Op, Rule, RuleEffect};
use tollgate_engine::value::{Const, ConstMap};

use super::dice::Dice;
use super::shape::{
    DENY, at_least, at_most, bundle, equals, exactly, glob, map, on, rule, some_effect, some_modify, text,
    when,
};
use super::{Asked, CONTEXTS, REQUESTS, Workload};

const CATEGORIES: [&str; 6] = ["phishing", "newsletter", "invoice", "personal", "spam", "support"];

/// One rule a pair of agent and action, three conditions each.
pub fn exact(rules: usize, dice: &mut Dice, effect: fn(&mut Dice) -> RuleEffect) -> Workload {
    let pairs = Pairs::of(rules, dice);
    let made = pairs.taken.iter().enumerate().map(|(number, pair)| {
        let mut rule = rule(number, effect(dice));
        pairs.aim(&mut rule, *pair);
        rule.priority = 10 * dice.below(10) as i32;
        rule.conditions = three_conditions(dice);
        rule
    });
    let made = made.collect();
    pairs.workload(made, contexts(dice), dice)
}

/// As exact with denies, and one field of each request has the wrong type.
pub fn wrong_type(rules: usize, dice: &mut Dice) -> Workload {
    let mut workload = exact(rules, dice, |_| DENY);
    for (number, context) in workload.contexts.iter_mut().enumerate() {
        let (field, wrong) = match number % 4 {
            0 => ("risk_score", text("95")),
            1 => ("amount", Const::Bool(true)),
            2 => ("category", Const::Number(7.0)),
            _ => ("risk_score", Const::Null),
        };
        context.insert(field.into(), wrong);
    }
    workload
}

/// Allows and `modify` rules by halves; two and more `modify` on many pairs.
pub fn modify(rules: usize, dice: &mut Dice) -> Workload {
    let pairs = Pairs::of(rules.div_ceil(2), dice);
    let mut made: Vec<Rule> = Vec::with_capacity(rules);
    for pair in pairs.taken.iter().take(rules - rules / 2) {
        let mut allow = rule(made.len(), RuleEffect::Allow);
        pairs.aim(&mut allow, *pair);
        allow.conditions = vec![at_least("risk_score", 0.0)];
        made.push(allow);
    }
    while made.len() < rules {
        let mut modify = rule(made.len(), some_modify(dice));
        let pair = dice.pick(&pairs.taken).copied().unwrap_or_default();
        pairs.aim(&mut modify, pair);
        modify.conditions = vec![at_least("risk_score", dice.below(50) as f64)];
        made.push(modify);
    }
    pairs.workload(made, contexts(dice), dice)
}

/// What an organisation's bundle is like: most rules are about a pair, many by glob or tenant.
pub fn mixed(rules: usize, dice: &mut Dice) -> Workload {
    let names = (rules / 16).max(8);
    let agent = |n: usize| format!("team-{}.worker-{}", n / 8, n % 8);
    let action = |n: usize| format!("crm-{}.verb-{}", n / 8, n % 8);
    let tenant = |n: usize| format!("tenant-{n}");
    let tenants = (rules / 10).max(4);
    let (mut made, mut asked) = (Vec::with_capacity(rules), Vec::with_capacity(rules));
    for number in 0..rules {
        let (a, b, t) = (dice.below(names), dice.below(names), dice.below(tenants));
        let mut rule = rule(number, some_effect(dice));
        rule.priority = 10 * dice.below(10) as i32;
        match dice.below(100) {
            0..50 => {
                rule.agent = exactly(&agent(a));
                rule.action = exactly(&action(b));
                rule.conditions = three_conditions(dice);
                rule.conditions.truncate(1 + dice.below(3));
            }
            50..65 => {
                rule.agent = glob(&format!("team-{}.*", a / 8));
                rule.action = exactly(&action(b));
                rule.conditions = three_conditions(dice);
            }
            65..67 => {
                rule.action = glob(&format!("crm-{}.*", b / 8));
                rule.conditions = vec![at_least("risk_score", 90.0 + 10.0 * dice.unit())];
            }
            67..80 => {
                rule.target.tenants = exactly(&tenant(t));
                rule.conditions = vec![
                    at_least("amount", 1_000.0 * dice.unit()),
                    on("category", Op::In(two_categories(dice))),
                ];
            }
            80..88 => {
                rule.action = exactly(&action(b));
                rule.conditions = vec![at_least("risk_score", 80.0), at_most("amount", 50.0)];
            }
            88..91 => {
                rule.agent = exactly(&agent(a));
                rule.when = when(format!(
                    "context.amount > {:.1} && context.category != \"spam\"",
                    1_000.0 * dice.unit()
                ));
            }
            91..95 => {
                rule.agent = exactly(&agent(a));
                rule.when = when(format!(
                    "context.amount > {:.1} && context.sender.domain.endsWith(\".example\")",
                    1_000.0 * dice.unit()
                ));
            }
            _ => {
                rule.effect = some_modify(dice);
                rule.action = exactly(&action(b));
                rule.conditions = vec![at_least("risk_score", 100.0 * dice.unit())];
            }
        }
        made.push(rule);
        asked.push((a, b, t));
    }
    let ask = |_| {
        let (agent, action, tenant) = dice.pick(&asked).copied().unwrap_or_default();
        Asked {
            agent: agent as u32,
            action: action as u32,
            tenant: tenant as u32,
            context: dice.below(CONTEXTS) as u32,
        }
    };
    let asked = (0..REQUESTS).map(ask).collect();
    Workload {
        bundle: Some(bundle(made)),
        agents: (0..names).map(|n| agent(n).into()).collect(),
        actions: (0..names).map(|n| action(n).into()).collect(),
        tenants: (0..tenants).map(|n| tenant(n).into()).collect(),
        contexts: contexts(dice),
        asked,
    }
}

/// Pairs of agent and action, and which of them have rules.
struct Pairs {
    side: usize,
    taken: Vec<usize>,
}

impl Pairs {
    /// A few more pairs than rules, so that some requests find none.
    fn of(rules: usize, dice: &mut Dice) -> Self {
        let side = (1..).find(|side| side * side >= rules + rules / 8).unwrap_or(1);
        let mut taken = dice.shuffled(side * side);
        taken.truncate(rules);
        Self { side, taken }
    }

    fn agent(&self, pair: usize) -> String {
        let agent = pair / self.side;
        format!("team-{}.worker-{}", agent / 8, agent % 8)
    }

    fn action(&self, pair: usize) -> String {
        let action = pair % self.side;
        format!("crm-{}.verb-{}", action / 8, action % 8)
    }

    fn aim(&self, rule: &mut Rule, pair: usize) {
        rule.agent = exactly(&self.agent(pair));
        rule.action = exactly(&self.action(pair));
    }

    /// Seven requests of eight are about a pair that has a rule.
    fn workload(&self, rules: Vec<Rule>, contexts: Vec<ConstMap>, dice: &mut Dice) -> Workload {
        let ask = |_| {
            let any = dice.below(self.side * self.side);
            let ruled = dice.pick(&self.taken).copied().unwrap_or(any);
            let pair = if dice.below(8) == 0 { any } else { ruled };
            Asked {
                agent: (pair / self.side) as u32,
                action: (pair % self.side) as u32,
                tenant: 0,
                context: dice.below(contexts.len()) as u32,
            }
        };
        let asked = (0..REQUESTS).map(ask).collect();
        let names = 0..self.side;
        Workload {
            bundle: Some(bundle(rules)),
            agents: names.clone().map(|n| self.agent(n * self.side).into()).collect(),
            actions: names.map(|n| self.action(n).into()).collect(),
            tenants: vec!["acme".into()],
            contexts,
            asked,
        }
    }
}

fn three_conditions(dice: &mut Dice) -> Vec<tollgate_engine::model::Condition> {
    let category = dice.pick(&CATEGORIES).copied().unwrap_or_default();
    vec![
        at_least("risk_score", (100.0 * dice.unit()).floor()),
        equals("category", category),
        at_most("amount", 1_000.0 * dice.unit()),
    ]
}

fn two_categories(dice: &mut Dice) -> Vec<Const> {
    let mut one = || text(dice.pick(&CATEGORIES).copied().unwrap_or_default());
    vec![one(), one()]
}

/// Contexts of nine entries, of which rules read four.
fn contexts(dice: &mut Dice) -> Vec<ConstMap> {
    let make = |_| {
        let category = dice.pick(&CATEGORIES).copied().unwrap_or_default();
        map([
            ("risk_score", Const::Number(100.0 * dice.unit())),
            ("category", text(category)),
            ("amount", Const::Number(1_000.0 * dice.unit())),
            (
                "sender",
                Const::Map(map([
                    ("domain", text(if dice.percent(50) { "partner.example" } else { "b.test" })),
                    ("verified", Const::Bool(dice.percent(50))),
                ])),
            ),
            ("subject", text("Your invoice of November is ready")),
            ("attachments", Const::Number(dice.below(5) as f64)),
            ("folder", text("inbox")),
            ("labels", Const::List(vec![text("external"), text("unread")])),
            ("thread", text("0f3d2a77-7a61-4f0e-9d1c-5b8a1c2f9e10")),
        ])
    };
    (0..CONTEXTS).map(make).collect()
}
