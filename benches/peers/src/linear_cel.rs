//! CEL as it is used without an engine: an expression each rule, denies first, until one holds.

use cel::{Context, Program, Value};
use serde_json::Value as Json;

use super::policies::{Effect, Policies, Policy, Test};
use super::{Made, Peer};

struct Linear {
    denies: Vec<Program>,
    allows: Vec<Program>,
    asked: Vec<Context<'static, 'static>>,
}

pub fn make(policies: &Policies) -> Made {
    let (mut denies, mut allows) = (Vec::new(), Vec::new());
    for rule in &policies.rules {
        let program = Program::compile(&source(rule))?;
        let list = if rule.effect == Effect::Allow { &mut allows } else { &mut denies };
        list.push(program);
    }
    let mut asked = Vec::new();
    for one in &policies.asked {
        let mut context = Context::default();
        context.add_variable("agent", one.agent.clone())?;
        context.add_variable("action", one.action.clone())?;
        for (name, value) in &one.context {
            match value {
                Json::Number(number) => context.add_variable(name.clone(), number.as_i64())?,
                Json::String(text) => context.add_variable(name.clone(), text.clone())?,
                _ => {}
            }
        }
        asked.push(context);
    }
    Ok(Box::new(Linear { denies, allows, asked }))
}

fn source(rule: &Policy) -> String {
    let names = [("agent", &rule.agent), ("action", &rule.action)];
    let names = names.iter().filter_map(|(field, name)| Some(format!("{field} == {:?}", name.as_ref()?)));
    let tests = rule.tests.iter().map(|test| match test {
        Test::AtLeast(field, bound) => format!("{field} >= {bound}"),
        Test::AtMost(field, bound) => format!("{field} <= {bound}"),
        Test::Is(field, text) => format!("{field} == {text:?}"),
        Test::OneOf(field, texts) => format!("{field} in {texts:?}"),
    });
    names.chain(tests).collect::<Vec<String>>().join(" && ")
}

impl Peer for Linear {
    fn allows(&mut self, at: usize) -> bool {
        let context = &self.asked[at];
        let holds = |program: &Program| matches!(program.execute(context), Ok(Value::Bool(true)));
        !self.denies.iter().any(holds) && self.allows.iter().any(holds)
    }
}
