//! A bundle as an organisation grows it.

use super::dice::Dice;
use super::{Asked, Effect, Policies, Policy, Test, category, context};

pub fn policies(rules: usize, requests: usize, dice: &mut Dice) -> Policies {
    let names = (rules / 16).max(8);
    let tenants = (rules / 10).max(4);
    let (mut made, mut pools) = (Vec::with_capacity(rules), Vec::with_capacity(rules));
    for number in 0..rules {
        let about = (dice.below(names), dice.below(names), dice.below(tenants));
        made.push(policy(number, about, dice));
        pools.push(about);
    }
    let ask = |_| {
        let (a, b, t) = pools[dice.below(rules)];
        Asked { agent: agent(a), action: action(b), tenant: tenant(t), context: context(dice) }
    };
    Policies { rules: made, asked: (0..requests).map(ask).collect() }
}

fn agent(n: usize) -> String {
    format!("team-{}.worker-{}", n / 8, n % 8)
}

fn action(n: usize) -> String {
    format!("crm-{}.verb-{}", n / 8, n % 8)
}

fn tenant(n: usize) -> String {
    format!("tenant-{n}")
}

fn policy(number: usize, (a, b, t): (usize, usize, usize), dice: &mut Dice) -> Policy {
    let mut rule = Policy::new(number, some_effect(dice));
    rule.priority = 10 * dice.below(10) as i32;
    match dice.below(100) {
        0..50 => {
            rule.agent = Some(agent(a));
            rule.action = Some(action(b));
            rule.tests = three_tests(dice);
            rule.tests.truncate(1 + dice.below(3));
        }
        50..65 => {
            rule.agent = Some(format!("team-{}.*", a / 8));
            rule.action = Some(action(b));
            rule.tests = three_tests(dice);
        }
        65..67 => {
            rule.action = Some(format!("crm-{}.*", b / 8));
            rule.tests = vec![Test::AtLeast("risk_score", 90 + dice.below(10) as u32)];
        }
        67..80 => {
            rule.tenant = Some(tenant(t));
            let categories = [category(dice), category(dice)];
            rule.tests = vec![some_amount(dice), Test::OneOf("category", categories)];
        }
        80..88 => {
            rule.action = Some(action(b));
            rule.tests = vec![Test::AtLeast("risk_score", 80), Test::AtMost("amount", 50)];
        }
        88..91 => {
            rule.agent = Some(agent(a));
            let amount = dice.below(1_000);
            rule.when = Some(format!("context.amount > {amount} && context.category != \"spam\""));
        }
        91..95 => {
            rule.agent = Some(agent(a));
            let amount = dice.below(1_000);
            rule.when =
                Some(format!("context.amount > {amount} && context.sender.domain.endsWith(\".example\")"));
        }
        _ => {
            rule.effect = Effect::Modify;
            rule.action = Some(action(b));
            rule.tests = vec![Test::AtLeast("risk_score", dice.below(100) as u32)];
        }
    }
    rule
}

/// Three allows, two denies, one approval.
fn some_effect(dice: &mut Dice) -> Effect {
    match dice.below(6) {
        0..3 => Effect::Allow,
        3..5 => Effect::Deny,
        _ => Effect::RequireApproval,
    }
}

fn some_amount(dice: &mut Dice) -> Test {
    Test::AtLeast("amount", dice.below(1_000) as u32)
}

fn three_tests(dice: &mut Dice) -> Vec<Test> {
    vec![
        Test::AtLeast("risk_score", dice.below(100) as u32),
        Test::Is("category", category(dice)),
        Test::AtMost("amount", dice.below(1_000) as u32),
    ]
}
