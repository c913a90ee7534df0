//! The naive interpreter, which reads the bundle's document anew for every request.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::naive;
use super::policies::Policies;
use super::{Made, Peer};

struct Naive {
    bundle: Json,
    asked: Vec<Json>,
    now: Timestamp,
}

pub fn make(policies: &Policies) -> Made {
    let asked = policies.asked.iter().map(|one| {
        json!({
            "subject": {"agent": one.agent, "tenant": one.tenant},
            "action": {"name": one.action},
            "context": one.context,
            "environment": "production",
        })
    });
    let now = Timestamp::from_second(1_795_248_000)?;
    Ok(Box::new(Naive { bundle: policies.json("1.0.0"), asked: asked.collect(), now }))
}

impl Peer for Naive {
    fn allows(&mut self, at: usize) -> bool {
        naive::decide(&self.bundle, &self.asked[at], self.now, "default").effect == "ALLOW"
    }
}
