//! Rego in regorus, two ways: a rule each policy, as people begin; and policies as data under an
//! index by agent and action, as experts write it. Each interpreted and compiled to its bytecode.

use std::error::Error;
use std::fmt::Write as _;

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::RegoVM;
use regorus::{Engine, Value};
use serde_json::{Value as Json, json};

use super::policies::{Effect, Policies, Policy, Test};
use super::{Made, Peer};

const ENTRY: &str = "data.tollgate.allow";

const HEAD: &str = "package tollgate\nimport rego.v1\n";
const ALLOW: &str = "default allow := false\nallow if {\n\tpermit\n\tnot deny\n}\n";
/// A file of more than 20,000 lines is refused.
const RULES_OF_A_FILE: usize = 1_000;

const OVER_DATA: &str = "
candidates := data.index[input.agent][input.action]
permit if {
\tsome rule in candidates.allow
\tinput.context.category == rule.category
\tinput.context.risk_score >= rule.risk_score
\tinput.context.amount <= rule.amount
}
deny if {
\tsome rule in candidates.deny
\tinput.context.category == rule.category
\tinput.context.risk_score >= rule.risk_score
\tinput.context.amount <= rule.amount
}
";

struct Interpreted {
    engine: Engine,
    asked: Vec<Value>,
}

struct Bytecode {
    machine: RegoVM,
    asked: Vec<Value>,
}

pub fn rules(policies: &Policies) -> Made {
    interpreted(policies, rule_files(policies)?, json!({}))
}

pub fn rules_compiled(policies: &Policies) -> Made {
    compiled(policies, rule_files(policies)?, json!({}))
}

pub fn data(policies: &Policies) -> Made {
    interpreted(policies, over_data(), index(policies))
}

pub fn data_compiled(policies: &Policies) -> Made {
    compiled(policies, over_data(), index(policies))
}

fn engine(files: Vec<String>, data: &Value) -> Result<Engine, Box<dyn Error>> {
    let mut engine = Engine::new();
    for (number, file) in files.into_iter().enumerate() {
        engine.add_policy(format!("tollgate-{number}.rego"), file)?;
    }
    engine.add_data(data.clone())?;
    Ok(engine)
}

fn interpreted(policies: &Policies, files: Vec<String>, data: Json) -> Made {
    let engine = engine(files, &Value::from(data))?;
    Ok(Box::new(Interpreted { engine, asked: asked(policies) }))
}

fn compiled(policies: &Policies, files: Vec<String>, data: Json) -> Made {
    let data = Value::from(data);
    let compiled = engine(files, &data)?.compile_with_entrypoint(&ENTRY.into())?;
    let program = Compiler::compile_from_policy(&compiled, &[ENTRY])?;
    let mut machine = RegoVM::new_with_policy(compiled);
    machine.load_program(program);
    machine.set_data(data)?;
    machine.set_max_instructions(usize::MAX);
    let mut peer = Bytecode { machine, asked: asked(policies) };
    peer.machine.set_input(peer.asked[0].clone());
    peer.machine.execute()?;
    Ok(Box::new(peer))
}

fn asked(policies: &Policies) -> Vec<Value> {
    let input = policies.asked.iter().map(|one| {
        let context = Json::Object(one.context.clone());
        Value::from(json!({"agent": one.agent, "action": one.action, "context": context}))
    });
    input.collect()
}

fn over_data() -> Vec<String> {
    vec![format!("{HEAD}{ALLOW}{OVER_DATA}")]
}

fn rule_files(policies: &Policies) -> Result<Vec<String>, std::fmt::Error> {
    let mut files = vec![format!("{HEAD}{ALLOW}")];
    for rules in policies.rules.chunks(RULES_OF_A_FILE) {
        let mut file = HEAD.to_owned();
        rules.iter().try_for_each(|rule| write_rule(&mut file, rule))?;
        files.push(file);
    }
    Ok(files)
}

fn write_rule(text: &mut String, rule: &Policy) -> std::fmt::Result {
    let name = if rule.effect == Effect::Allow { "permit" } else { "deny" };
    writeln!(text, "{name} if {{")?;
    for (field, value) in [("agent", &rule.agent), ("action", &rule.action)] {
        if let Some(value) = value {
            writeln!(text, "\tinput.{field} == {value:?}")?;
        }
    }
    for test in &rule.tests {
        match test {
            Test::AtLeast(field, bound) => writeln!(text, "\tinput.context.{field} >= {bound}")?,
            Test::AtMost(field, bound) => writeln!(text, "\tinput.context.{field} <= {bound}")?,
            Test::Is(field, value) => writeln!(text, "\tinput.context.{field} == {value:?}")?,
            Test::OneOf(field, values) => writeln!(text, "\tinput.context.{field} in {values:?}")?,
        }
    }
    writeln!(text, "}}")
}

/// `index[agent][action].allow` is a list of bounds, and so is `.deny`.
fn index(policies: &Policies) -> Json {
    let mut index = json!({});
    for rule in &policies.rules {
        let effect = if rule.effect == Effect::Allow { "allow" } else { "deny" };
        let bounds = rule.tests.iter().map(|test| match test {
            Test::AtLeast(field, bound) | Test::AtMost(field, bound) => ((*field).to_owned(), json!(bound)),
            Test::Is(field, text) => ((*field).to_owned(), json!(text)),
            Test::OneOf(field, texts) => ((*field).to_owned(), json!(texts)),
        });
        let bounds: Json = Json::Object(bounds.collect());
        let (agent, action) = (rule.agent.as_deref(), rule.action.as_deref());
        let pair = &mut index[agent.unwrap_or_default()][action.unwrap_or_default()];
        if pair.is_null() {
            *pair = json!({"allow": [], "deny": []});
        }
        if let Some(list) = pair[effect].as_array_mut() {
            list.push(bounds);
        }
    }
    json!({"index": index})
}

impl Peer for Interpreted {
    fn allows(&mut self, at: usize) -> bool {
        self.engine.set_input(self.asked[at].clone());
        matches!(self.engine.eval_rule(ENTRY.to_owned()), Ok(Value::Bool(true)))
    }
}

impl Peer for Bytecode {
    fn allows(&mut self, at: usize) -> bool {
        self.machine.set_input(self.asked[at].clone());
        matches!(self.machine.execute(), Ok(Value::Bool(true)))
    }
}
