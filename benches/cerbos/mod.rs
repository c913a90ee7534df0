//! The real Cerbos: its policies that say what ours say, its messages, its process.
//!
//! A resource kind each agent and an action each action, so that its own index finds the two rules of a
//! pair as ours does. A deny overrides an allow there, as it does here between rules of one priority.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use tollgate::pb;

use crate::policies::{Asked, Effect, Policies, Policy, Test};
use crate::program::Program;

/// The method that is asked.
pub const PATH: &str = "/cerbos.svc.v1.CerbosService/CheckResources";
const ROLE: &str = "agent";
/// How long it may take to read its policies.
const PATIENCE: Duration = Duration::from_secs(120);

/// `cerbos.request.v1.CheckResourcesRequest`, as far as it is needed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Question {
    #[prost(string, tag = "1")]
    request_id: String,
    #[prost(message, optional, tag = "3")]
    principal: Option<Principal>,
    #[prost(message, repeated, tag = "4")]
    resources: Vec<Entry>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Principal {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, repeated, tag = "3")]
    roles: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Entry {
    #[prost(string, repeated, tag = "1")]
    actions: Vec<String>,
    #[prost(message, optional, tag = "2")]
    resource: Option<Resource>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Resource {
    #[prost(string, tag = "1")]
    kind: String,
    #[prost(string, tag = "3")]
    id: String,
    /// A map, as it travels.
    #[prost(message, repeated, tag = "4")]
    attr: Vec<pb::Entry>,
}

/// `cerbos.response.v1.CheckResourcesResponse`, as far as it is needed.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Answer {
    #[prost(message, repeated, tag = "2")]
    results: Vec<Checked>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Checked {
    #[prost(btree_map = "string, int32", tag = "2")]
    actions: BTreeMap<String, i32>,
}

impl Answer {
    /// Whether the one action that was asked about may run.
    pub fn allows(&self) -> bool {
        self.results.iter().flat_map(|result| result.actions.values()).all(|effect| *effect == 1)
            && !self.results.is_empty()
    }
}

/// The same question as Tollgate is asked.
pub fn question(asked: &Asked) -> Question {
    let resource = Resource {
        kind: asked.agent.clone(),
        id: "req-000001".to_owned(),
        attr: pb::Struct::from(asked.context.clone()).fields,
    };
    Question {
        request_id: "req-000001".to_owned(),
        principal: Some(Principal { id: "maria@partner.example".to_owned(), roles: vec![ROLE.to_owned()] }),
        resources: vec![Entry { actions: vec![asked.action.clone()], resource: Some(resource) }],
    }
}

/// Starts it on these rules, on one core as far as its runtime lets itself be told.
pub fn start(folder: &Path, policies: &Policies) -> anyhow::Result<Program> {
    let store = folder.join("policies");
    std::fs::create_dir_all(&store)?;
    for (number, (agent, rules)) in by_agent(policies).into_iter().enumerate() {
        std::fs::write(store.join(format!("agent-{number}.yaml")), policy(agent, &rules))?;
    }
    let config = folder.join("cerbos.yaml");
    let arguments = |grpc: u16, http: u16| {
        let text = format!(
            "server: {{grpcListenAddr: '127.0.0.1:{grpc}', httpListenAddr: '127.0.0.1:{http}'}}\n\
             storage: {{driver: disk, disk: {{directory: '{}', watchForChanges: false}}}}\n\
             telemetry: {{disabled: true}}\n",
            store.display()
        );
        std::fs::write(&config, text)?;
        Ok(vec![
            "server".to_owned(),
            format!("--config={}", config.display()),
            "--log-level=ERROR".to_owned(),
        ])
    };
    let program = Program::other(&path()?, arguments, &[("GOMAXPROCS", "1"), ("CERBOS_NO_TELEMETRY", "1")])?;
    let mut waited = Duration::ZERO;
    let step = Duration::from_millis(100);
    while program.get("/_cerbos/health").ok() != Some(200) {
        anyhow::ensure!(waited < PATIENCE, "cerbos is not ready after {PATIENCE:?}");
        std::thread::sleep(step);
        waited += step;
    }
    Ok(program)
}

/// Where the program is.
fn path() -> anyhow::Result<String> {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parts");
    let found = Command::new(parts).arg("cerbos").output().context("tests/parts cannot be run")?;
    anyhow::ensure!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    Ok(String::from_utf8(found.stdout)?.trim().to_owned())
}

fn by_agent(policies: &Policies) -> BTreeMap<&str, Vec<&Policy>> {
    let mut agents: BTreeMap<&str, Vec<&Policy>> = BTreeMap::new();
    for rule in &policies.rules {
        agents.entry(rule.agent.as_deref().unwrap_or_default()).or_default().push(rule);
    }
    agents
}

fn policy(agent: &str, rules: &[&Policy]) -> String {
    let mut text = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: '{agent}'\n  version: default\n  rules:\n"
    );
    for rule in rules {
        let effect = if rule.effect == Effect::Allow { "EFFECT_ALLOW" } else { "EFFECT_DENY" };
        let action = rule.action.as_deref().unwrap_or_default();
        let _ =
            writeln!(text, "    - actions: ['{action}']\n      effect: {effect}\n      roles: ['{ROLE}']");
        let _ = writeln!(text, "      condition:\n        match:\n          all:\n            of:");
        for test in &rule.tests {
            let _ = writeln!(text, "              - expr: {}", expression(test));
        }
    }
    text
}

fn expression(test: &Test) -> String {
    match test {
        Test::AtLeast(field, bound) => format!("R.attr.{field} >= {bound}"),
        Test::AtMost(field, bound) => format!("R.attr.{field} <= {bound}"),
        Test::Is(field, text) => format!("R.attr.{field} == \"{text}\""),
        Test::OneOf(field, texts) => format!("R.attr.{field} in {texts:?}"),
    }
}
