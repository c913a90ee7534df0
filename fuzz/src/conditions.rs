//! Conditions, as YAML writes them: an unknown lets a `deny` hold at most where it lets an `allow` not. Behind a line
//! of `%%%%` stands the request, in YAML.

use tollgate_engine::compile;
use tollgate_engine::decide::{RuleOutcome, Scratch, explain};
use tollgate_engine::read::request::{RequestBounds, RequestDocument};
use tollgate_engine::read::{self, Bounds, SourceFile};

use crate::requests::{self, NOW};
use crate::{places, text};

pub(crate) fn run(input: &[u8]) {
    let Some((conditions, request)) = text::two(input) else { return };
    let file = SourceFile { name: "request.yaml", bytes: request.as_bytes() };
    let reading = read::request::read(&file, &RequestBounds::default());
    places::check(&reading.findings, &[file]);
    let own: Vec<RequestDocument> = reading.request.into_iter().collect();
    let asked = if own.is_empty() { requests::all() } else { &own };
    let Some(allowed) = held(conditions, "allow", asked) else { return };
    let denied = held(conditions, "deny", asked).expect("conditions do not depend on the effect");
    for (allow, deny) in allowed.iter().zip(&denied) {
        assert!(!allow || *deny, "an allow holds and a deny does not: {conditions}");
    }
}

/// Whether the rule held, request by request; `None` where it is refused.
fn held(conditions: &str, effect: &str, asked: &[RequestDocument]) -> Option<Vec<bool>> {
    let indented = conditions.replace('\n', "\n      ");
    let bundle = format!(
        "format: tollgate/v1\nversion: 1.0.0\nrules:\n  - id: rule\n    effect: {effect}\n    reason: as it is asked\n    \
         conditions:\n      {indented}\n"
    );
    let file = SourceFile { name: "bundle.yaml", bytes: bundle.as_bytes() };
    let reading = read::bundle(&[file], &Bounds::default());
    places::check(&reading.findings, &[file]);
    let compiled = compile::bundle(reading.bundle?).ok()?;
    let mut scratch = Scratch::default();
    let holds = |request: &RequestDocument| {
        let request = request.request();
        let told = explain(&compiled, &request, "default", NOW, None, &mut scratch);
        told.rules.iter().any(|rule| matches!(rule.outcome, RuleOutcome::Decided | RuleOutcome::Outranked))
    };
    Some(asked.iter().map(holds).collect())
}
