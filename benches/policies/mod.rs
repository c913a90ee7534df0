//! Policies and requests as documents, for whoever does not take the engine's model: the service
//! reads them as YAML, peers translate them. Seeded, so that every run asks the same.

#[path = "../../src/engine/benches/workload/dice.rs"]
#[allow(dead_code, reason = "made for more than this")]
mod dice;
mod mixed;
mod pairs;

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use dice::Dice;

/// One rule.
#[derive(Clone, Debug)]
pub struct Policy {
    pub id: String,
    pub effect: Effect,
    pub priority: i32,
    /// A name, or a glob.
    pub agent: Option<String>,
    pub action: Option<String>,
    pub tenant: Option<String>,
    pub tests: Vec<Test>,
    pub when: Option<String>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Allow,
    Deny,
    RequireApproval,
    Modify,
}

/// A condition on a field of the context.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    AtLeast(&'static str, u32),
    AtMost(&'static str, u32),
    Is(&'static str, &'static str),
    OneOf(&'static str, [&'static str; 2]),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    pub agent: String,
    pub action: String,
    pub tenant: String,
    pub context: Map<String, Json>,
}

/// Rules, and requests about them.
#[derive(Debug)]
pub struct Policies {
    pub rules: Vec<Policy>,
    pub asked: Vec<Asked>,
}

impl Policies {
    /// Allows and denies of one priority, each about one pair of agent and action.
    pub fn pairs(rules: usize, requests: usize) -> Self {
        pairs::policies(rules, requests, &mut Dice::new(rules as u64))
    }

    /// What an organisation's bundle is like: pairs, globs, tenants, some `when`, some `modify`.
    pub fn mixed(rules: usize, requests: usize) -> Self {
        mixed::policies(rules, requests, &mut Dice::new(rules as u64))
    }

    /// The bundle as a document.
    pub fn json(&self, version: &str) -> Json {
        let rules: Vec<Json> = self.rules.iter().map(Policy::json).collect();
        json!({"format": "tollgate/v1", "version": version, "rules": rules})
    }

    /// The same as people write it.
    pub fn yaml(&self, version: &str) -> String {
        let mut text = format!("format: tollgate/v1\nversion: {version}\nrules:\n");
        for rule in &self.rules {
            let fields = rule.json();
            for (at, (name, value)) in fields.as_object().into_iter().flatten().enumerate() {
                // Maps of one line and quoted texts are YAML as well as JSON.
                let _ = writeln!(text, "  {} {name}: {value}", if at == 0 { '-' } else { ' ' });
            }
        }
        text
    }
}

impl Policy {
    fn new(number: usize, effect: Effect) -> Self {
        Self {
            id: format!("rule-{number:06}"),
            effect,
            priority: 50,
            agent: None,
            action: None,
            tenant: None,
            tests: Vec::new(),
            when: None,
        }
    }

    fn json(&self) -> Json {
        let mut fields = Map::new();
        let mut add = |name: &str, value: Json| fields.insert(name.to_owned(), value);
        add("id", self.id.clone().into());
        for (name, text) in [("agent", &self.agent), ("action", &self.action), ("when", &self.when)] {
            if let Some(text) = text {
                add(name, text.clone().into());
            }
        }
        if let Some(tenant) = &self.tenant {
            add("target", json!({"tenants": [tenant]}));
        }
        if !self.tests.is_empty() {
            add("conditions", self.tests.iter().map(|test| (test.field().to_owned(), test.json())).collect());
        }
        let effect = match self.effect {
            Effect::Allow => "allow",
            Effect::Deny => "deny",
            Effect::RequireApproval => "require_approval",
            Effect::Modify => "modify",
        };
        add("effect", effect.into());
        if self.effect == Effect::Modify {
            add("modify", json!({"mode": "draft", "limits": {"max_tool_calls": 5}, "timeout_seconds": 30}));
        }
        add("priority", self.priority.into());
        add("reason", format!("What {} of this workload says", self.id).into());
        Json::Object(fields)
    }
}

impl Test {
    /// What it reads.
    pub fn field(&self) -> &'static str {
        match self {
            Self::AtLeast(field, _) | Self::AtMost(field, _) | Self::Is(field, _) | Self::OneOf(field, _) => {
                field
            }
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::AtLeast(_, bound) => json!({">=": bound}),
            Self::AtMost(_, bound) => json!({"<=": bound}),
            Self::Is(_, text) => json!(text),
            Self::OneOf(_, texts) => json!({"in": texts}),
        }
    }
}

const CATEGORIES: [&str; 6] = ["phishing", "newsletter", "invoice", "personal", "spam", "support"];

fn category(dice: &mut Dice) -> &'static str {
    CATEGORIES[dice.below(CATEGORIES.len())]
}

/// A context of nine entries, of which rules read four.
fn context(dice: &mut Dice) -> Map<String, Json> {
    let domain = if dice.percent(50) { "partner.example" } else { "b.test" };
    let Json::Object(context) = json!({
        "risk_score": dice.below(100),
        "category": category(dice),
        "amount": dice.below(1_000),
        "sender": {"domain": domain, "verified": dice.percent(50)},
        "subject": "Your invoice of November is ready",
        "attachments": dice.below(5),
        "folder": "inbox",
        "labels": ["external", "unread"],
        "thread": "0f3d2a77-7a61-4f0e-9d1c-5b8a1c2f9e10",
    }) else {
        unreachable!("it is written as an object")
    };
    context
}
