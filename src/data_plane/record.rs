//! What is counted: each decision as it is taken, and at a scrape how everything stands.

use std::sync::Arc;

use tollgate_engine::compile::OTHER;
use tollgate_engine::decide::Request;
use tollgate_engine::guardrail::Guard;
use tollgate_engine::guardrail::guard::Rules;
use tollgate_engine::guardrail::operate::ByState;
use tollgate_engine::model::{Phase, ReasonCode};

use super::DataPlane;
use super::answer::{Answer, Arm};
use super::snapshot::Snapshot;
use super::snapshot::State;
use crate::decision_log::Stats;
use crate::telemetry::decisions::{Labels, Sample, Tally};
use crate::telemetry::metrics::{
    APPROVALS_OPEN, AtScrape, BREAKER_STATE, BUNDLE_AGE, BUNDLE_STALE, COST, EMERGENCY_STOPS,
    GUARDRAIL_DROPPED, GUARDRAIL_EVICTED, GUARDRAIL_KEYS, GUARDRAIL_REFUSALS, LOG_BYTES, LOG_DROPPED,
    LOG_ERRORS, LOG_LAG, LOG_QUEUE, LOG_SAMPLED_OUT, LOG_UNSENT, LOG_WRITTEN, OPEN_DECISIONS,
    OPEN_DECISIONS_DROPPED, OPEN_DECISIONS_EXPIRED, STATE_AGE,
};
use crate::telemetry::page::{BundleInfo, Metric, Page};

/// Counts a decision; `request` is `None` where it was malformed.
pub(super) fn decision(
    tally: &mut Tally,
    snapshot: &Snapshot,
    answer: &Answer<'_>,
    request: Option<&Request<'_>>,
    nanos: u64,
) {
    let (agent, action) = match (&snapshot.serving, request) {
        (Some(serving), Some(request)) => (
            serving.compiled.agent_label(request.subject.agent),
            serving.compiled.action_label(request.action.name),
        ),
        (None, _) | (_, None) => (OTHER, OTHER),
    };
    let decision = &answer.decision;
    for refusal in answer.verdict.refusals.iter().chain(&answer.verdict.shadows) {
        refusal.guard.count_refused();
    }
    let labels = Labels {
        arm: answer.arm.name(),
        effect: answer.effect_name(),
        reason_code: decision.reason_code.name(),
        phase: phase_name(request.map_or(Phase::Dispatch, |request| request.phase)),
        agent,
        action,
    };
    let sample = Sample {
        nanos,
        decisive_error: decision.reason_code == ReasonCode::ConditionError,
        other_errors: decision.other_errors,
        context_violations: decision.context_violations,
    };
    tally.count(&labels, sample);
}

/// The name in logs and metrics.
const fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Dispatch => "DISPATCH",
        Phase::Enqueue => "ENQUEUE",
    }
}

impl AtScrape for DataPlane {
    fn hand_over(&self, page: &mut Page) {
        self.decisions.hand_over(page);
        let open = u32::try_from(self.approvals.open_ones()).unwrap_or(u32::MAX);
        metrics::gauge!(APPROVALS_OPEN).set(f64::from(open));
        let stops = u32::try_from(self.count_stops()).unwrap_or(u32::MAX);
        metrics::gauge!(EMERGENCY_STOPS).set(f64::from(stops));
        let snapshot = self.snapshot.load();
        self.guardrails_to(page, &snapshot);
        metrics::gauge!(BUNDLE_STALE).set(f64::from(u8::from(snapshot.state == State::ReadyLkg)));
        if let Some(stats) = self.log_stats() {
            log(&stats);
        }
        if let Some(restart) = &self.restart {
            metrics::gauge!(STATE_AGE).set(restart.age_seconds(self.clock.monotonic()));
        }
        if let Some(serving) = &snapshot.serving {
            page.add_bundle(BundleInfo {
                version: serving.version.clone(),
                digest: serving.digest.clone(),
                arm: Arm::Stable.name(),
            });
            metrics::gauge!(BUNDLE_AGE).set(self.age_seconds(serving));
        }
    }
}

impl DataPlane {
    /// How guardrails and open decisions stand.
    fn guardrails_to(&self, page: &mut Page, snapshot: &Snapshot) {
        metrics::gauge!(OPEN_DECISIONS).set(count(self.open.len() as u64));
        metrics::counter!(OPEN_DECISIONS_DROPPED).absolute(self.open.dropped());
        metrics::counter!(OPEN_DECISIONS_EXPIRED).absolute(self.open.expired());
        page.add(&COST_METRIC, &[("arm", Arm::Stable.name())], self.outcomes.cost());
        let own = |guard: &&Arc<Guard>| !guard.name.is_internal();
        let mut guards: Vec<&Arc<Guard>> = snapshot.guards.iter().filter(own).collect();
        guards.sort_by(|a, b| a.name.cmp(&b.name));
        let breakers = self.live.breakers(guards.iter().map(|guard| &***guard), self.at());
        for guard in guards {
            let (name, kind) = (guard.name.as_str(), guard.rules.type_name());
            for (shadow, enforcement) in [(false, "enforce"), (true, "shadow")] {
                let labels = [("guardrail", name), ("type", kind), ("enforcement", enforcement)];
                page.add(&REFUSALS_METRIC, &labels, count(guard.refused(shadow)));
            }
            let labels = [("guardrail", name)];
            page.add(&KEYS_METRIC, &labels, count(guard.keys()));
            page.add(&EVICTED_METRIC, &labels, count(guard.evicted()));
            if let Rules::Breaker(_) | Rules::Budget(_) = guard.rules {
                page.add(&DROPPED_METRIC, &labels, count(guard.dropped()));
            }
            for (state, keys) in breakers.get(&guard.id).into_iter().flat_map(ByState::iter) {
                page.add(&BREAKER_METRIC, &[("guardrail", name), ("state", state.name())], count(keys));
            }
        }
    }
}

/// How the decision log stands.
fn log(stats: &Stats) {
    metrics::counter!(LOG_WRITTEN).absolute(stats.written);
    for (reason, lost) in stats.dropped.by_reason() {
        metrics::counter!(LOG_DROPPED, "reason" => reason).absolute(lost);
    }
    metrics::counter!(LOG_SAMPLED_OUT).absolute(stats.sampled_out);
    metrics::counter!(LOG_BYTES).absolute(stats.bytes);
    metrics::counter!(LOG_ERRORS).absolute(stats.errors);
    metrics::gauge!(LOG_QUEUE).set(count(stats.waiting));
    metrics::gauge!(LOG_UNSENT).set(count(stats.backlog));
    metrics::gauge!(LOG_LAG).set(count(stats.lag) / 1e9);
}

#[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
const fn count(n: u64) -> f64 {
    n as f64
}

const COST_METRIC: Metric = counter(COST, "What reported actions cost, in units of the bundle's currency");
const REFUSALS_METRIC: Metric = counter(GUARDRAIL_REFUSALS, "Actions that a guardrail refused");
const EVICTED_METRIC: Metric =
    counter(GUARDRAIL_EVICTED, "Keys that made room for others while they still held something");
const DROPPED_METRIC: Metric = counter(
    GUARDRAIL_DROPPED,
    "Reports that a breaker or a budget could not count, for want of room for their key",
);
const KEYS_METRIC: Metric = gauge(GUARDRAIL_KEYS, "Keys that a guardrail holds");
const BREAKER_METRIC: Metric = gauge(BREAKER_STATE, "Keys of a circuit breaker by state");

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: "counter", help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: "gauge", help }
}
