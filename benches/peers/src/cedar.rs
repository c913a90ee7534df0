//! Cedar: a policy each rule, evaluated by its authorizer.

use std::fmt::Write as _;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
use serde_json::Value as Json;

use super::policies::{Effect, Policies, Test};
use super::{Made, Peer};

struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    asked: Vec<Request>,
}

pub fn make(policies: &Policies) -> Made {
    let mut source = String::new();
    for rule in &policies.rules {
        let effect = if rule.effect == Effect::Allow { "permit" } else { "forbid" };
        let (agent, action) = (rule.agent.as_deref(), rule.action.as_deref());
        let (agent, action) = (agent.unwrap_or_default(), action.unwrap_or_default());
        let tests: Vec<String> = rule.tests.iter().map(test).collect();
        writeln!(
            source,
            "{effect}(principal == Agent::\"{agent}\", action == Action::\"{action}\", resource) \
             when {{ {} }};",
            tests.join(" && ")
        )?;
    }
    let mut asked = Vec::new();
    for one in &policies.asked {
        let uid = |kind: &str, name: &str| format!("{kind}::\"{name}\"").parse::<EntityUid>();
        let context = Context::from_json_value(Json::Object(one.context.clone()), None)?;
        let (agent, action) = (uid("Agent", &one.agent)?, uid("Action", &one.action)?);
        asked.push(Request::new(agent, action, uid("Tenant", &one.tenant)?, context, None)?);
    }
    let policies = source.parse()?;
    Ok(Box::new(Cedar { authorizer: Authorizer::new(), policies, entities: Entities::empty(), asked }))
}

fn test(test: &Test) -> String {
    match test {
        Test::AtLeast(field, bound) => format!("context.{field} >= {bound}"),
        Test::AtMost(field, bound) => format!("context.{field} <= {bound}"),
        Test::Is(field, text) => format!("context.{field} == \"{text}\""),
        Test::OneOf(field, [one, other]) => format!("[\"{one}\", \"{other}\"].contains(context.{field})"),
    }
}

impl Peer for Cedar {
    fn allows(&mut self, at: usize) -> bool {
        let answer = self.authorizer.is_authorized(&self.asked[at], &self.policies, &self.entities);
        answer.decision() == Decision::Allow
    }
}
