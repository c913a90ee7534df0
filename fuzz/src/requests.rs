//! What bundles are asked, and what requests are asked of: requests with most fields set to something that examples
//! and seeds name, and a bundle with a guardrail of each kind.

use std::sync::LazyLock;

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::read::request::{RequestBounds, RequestDocument};
use tollgate_engine::read::{self, Bounds, SourceFile};
use tollgate_engine::time::WallTime;

/// 2026-11-21T08:00:00Z, a Saturday.
pub(crate) const NOW: WallTime = WallTime::from_nanos(1_795_248_000_000_000_000);

static REQUESTS: LazyLock<Vec<RequestDocument>> =
    LazyLock::new(|| TEXTS.iter().map(|text| document(text)).collect());

/// The requests.
pub(crate) fn all() -> &'static [RequestDocument] {
    &REQUESTS
}

/// The bundle with a guardrail of each kind.
pub(crate) const GUARDED: &str = include_str!("guarded.yaml");

static COMPILED: LazyLock<Compiled> = LazyLock::new(|| {
    let reading =
        read::bundle(&[SourceFile { name: "guarded.yaml", bytes: GUARDED.as_bytes() }], &Bounds::default());
    let bundle = reading.bundle.unwrap_or_else(|| panic!("{:?}", reading.findings));
    compile::bundle(bundle).unwrap_or_else(|findings| panic!("{findings:?}"))
});

/// The same, compiled.
pub(crate) fn guarded() -> &'static Compiled {
    &COMPILED
}

fn document(text: &str) -> RequestDocument {
    let file = SourceFile { name: "request.yaml", bytes: text.as_bytes() };
    let reading = read::request::read(&file, &RequestBounds::default());
    reading.request.unwrap_or_else(|| panic!("{text}: {:?}", reading.findings))
}

const TEXTS: [&str; 4] = [
    "action: {name: a}",
    "subject: {agent: inbox.triage, user: u1, tenant: acme, app: web, workflow: w, run: r1, roles: [admin, ops]}
action: {name: quarantine, kind: tool, tool: mail.move, tags: [pii, write]}
context: {risk_score: 90, amount: 120.5, category: spam, sender: a@b.example, email: {size: 3, domain: b.example},
  n: 1, status: null, list: [1, two, null, {a: 1}], when: '2026-11-21T08:00:00Z', flag: true}
environment: production
mode: auto
priority: 5
estimate: {cost: 0.5, tokens: 1000, compute: 3, duration: 2.5s}
batch_id: b1
request_id: q1
attempt: 2
time_left: 10s",
    "subject: {agent: deploy.bot, tenant: globex}
action: {name: deploy, kind: stage, pipeline: release, stage: prod, handler: h}
context: {environment: staging, risk_score: -1, amount: high, a: {b: {c: {d: 1}}}, ip: 10.0.0.7}
phase: enqueue
dry_run: true",
    "action: {name: chat, kind: llm, provider: openai, model: gpt}
context: {risk_score: .nan, amount: .inf, n: -.inf}
estimate: {tokens: 0}",
];
