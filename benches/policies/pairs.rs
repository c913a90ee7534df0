//! Rules that every policy engine can say: who, what, and three comparisons.

use super::dice::Dice;
use super::{Asked, Effect, Policies, Policy, Test, category, context};

/// Two rules a pair: it is allowed in one category up to an amount, and denied from a risk on.
pub fn policies(rules: usize, requests: usize, dice: &mut Dice) -> Policies {
    let pairs = rules.div_ceil(2);
    let side = (1..).find(|side| side * side >= pairs + pairs / 8).unwrap_or(1);
    let mut taken = dice.shuffled(side * side);
    taken.truncate(pairs);
    let agent = |pair: usize| format!("team-{}.worker-{}", pair / side / 8, pair / side % 8);
    let action = |pair: usize| format!("crm-{}.verb-{}", pair % side / 8, pair % side % 8);
    let categories: Vec<&str> = (0..side * side).map(|_| category(dice)).collect();
    let made = (0..rules).map(|number| {
        let pair = taken[number / 2];
        let allows = number % 2 == 0;
        let mut rule = Policy::new(number, if allows { Effect::Allow } else { Effect::Deny });
        rule.agent = Some(agent(pair));
        rule.action = Some(action(pair));
        rule.tests = if allows {
            vec![
                Test::AtLeast("risk_score", dice.below(20) as u32),
                Test::Is("category", categories[pair]),
                Test::AtMost("amount", 500 + dice.below(500) as u32),
            ]
        } else {
            vec![
                Test::AtLeast("risk_score", 50 + dice.below(50) as u32),
                Test::Is("category", categories[pair]),
                Test::AtMost("amount", 900 + dice.below(100) as u32),
            ]
        };
        rule
    });
    let rules = made.collect();
    let ask = |_| {
        let ruled = taken[dice.below(pairs)];
        let pair = if dice.below(8) == 0 { dice.below(side * side) } else { ruled };
        let mut context = context(dice);
        if dice.percent(75) {
            context.insert("category".into(), categories[pair].into());
        }
        Asked { agent: agent(pair), action: action(pair), tenant: "acme".into(), context }
    };
    let asked = (0..requests).map(ask).collect();
    Policies { rules, asked }
}
