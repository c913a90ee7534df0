//! What is counted: each decision as it is taken, and at a scrape how everything stands.

use std::sync::Arc;

use tollgate_engine::compile::OTHER;
use tollgate_engine::decide::{Answer as Effect, Request};
use tollgate_engine::guardrail::Guard;
use tollgate_engine::guardrail::guard::Rules;
use tollgate_engine::guardrail::operate::ByState;
use tollgate_engine::guardrail::verdict::RefusalEffect;
use tollgate_engine::model::{Phase, ReasonCode};

use super::DataPlane;
use super::answer::{Answer, Arm};
use super::snapshot::Snapshot;
use super::snapshot::State;
use crate::decision_log::Stats;
use crate::telemetry::decisions::{Flip, Labels, Sample, Tally};
use crate::telemetry::metrics::{
    APPROVALS_OPEN, AtScrape, BREAKER_STATE, BUNDLE_AGE, BUNDLE_INFO, BUNDLE_STALE, COST, EMERGENCY_STOPS,
    GUARDRAIL_DROPPED, GUARDRAIL_EVICTED, GUARDRAIL_KEYS, GUARDRAIL_REFUSALS, LOG_BYTES, LOG_DROPPED,
    LOG_ERRORS, LOG_LAG, LOG_QUEUE, LOG_SAMPLED_OUT, LOG_UNSENT, LOG_WRITTEN, OPEN_DECISIONS,
    OPEN_DECISIONS_DROPPED, OPEN_DECISIONS_EXPIRED, STATE_AGE,
};
use crate::telemetry::page::Page;
use crate::telemetry::traces;

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
    let phase = request.map_or(Phase::Dispatch, |request| request.phase);
    let labels = Labels {
        arm: answer.arm.name(),
        effect: answer.effect_name(),
        reason_code: decision.reason_code.name(),
        phase: phase_name(phase),
        agent,
        action,
    };
    let sample = Sample {
        nanos,
        decision: answer.decision_id.as_u128(),
        at: answer.decided_at.nanos().max(0).unsigned_abs(),
        trace: traces::current(),
        awaits_report: answer.is_allowed() && phase == Phase::Dispatch,
        flip: flip(answer),
        decisive_error: decision.reason_code == ReasonCode::ConditionError,
        other_errors: decision.other_errors,
        context_violations: decision.context_violations,
    };
    tally.count(&labels, sample);
}

/// What would have become of the answer if the guardrails in shadow that refuse were enforced.
fn flip(answer: &Answer<'_>) -> Option<Flip> {
    let shadows = &answer.verdict.shadows;
    if shadows.is_empty() {
        return None;
    }
    // A DENY beats a THROTTLE (design 1.6).
    let denies = shadows.iter().any(|refusal| matches!(refusal.effect, RefusalEffect::Deny(_)));
    match (&answer.decision.answer, denies) {
        (Effect::Allow(_), true) => Some(Flip::AllowToDeny),
        (Effect::Allow(_), false) => Some(Flip::AllowToThrottle),
        (Effect::Throttle(_), true) => Some(Flip::ThrottleToDeny),
        (Effect::Throttle(_), false) | (Effect::Deny(_) | Effect::RequireApproval(_), _) => None,
    }
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
        let snapshot = self.snapshot.load();
        self.decisions.hand_over(page, |agent, action| snapshot.names(agent, action));
        self.remember_counts();
        self.recent.hand_over(page, self.clock.monotonic(), self.outcomes.beside(&self.decisions.sums()));
        let open = u32::try_from(self.approvals.open_ones()).unwrap_or(u32::MAX);
        metrics::gauge!(APPROVALS_OPEN).set(f64::from(open));
        let stops = u32::try_from(self.count_stops()).unwrap_or(u32::MAX);
        metrics::gauge!(EMERGENCY_STOPS).set(f64::from(stops));
        self.guardrails_to(page, &snapshot);
        metrics::gauge!(BUNDLE_STALE).set(f64::from(u8::from(snapshot.state == State::ReadyLkg)));
        if let Some(stats) = self.log_stats() {
            log(&stats);
        }
        if let Some(restart) = &self.restart {
            metrics::gauge!(STATE_AGE).set(restart.age_seconds(self.clock.monotonic()));
        }
        if let Some(serving) = &snapshot.serving {
            let (version, digest) = (serving.version.as_str(), serving.digest.as_str());
            let labels = [("version", version), ("digest", digest), ("arm", Arm::Stable.name())];
            page.add(BUNDLE_INFO, &labels, 1.0);
            metrics::gauge!(BUNDLE_AGE).set(self.age_seconds(serving));
        }
    }
}

impl DataPlane {
    /// Remembers for the windows of [`Recent`](crate::telemetry::recent::Recent), if it is time to.
    pub(super) fn remember_counts(&self) {
        let counts = || self.outcomes.beside(&self.decisions.sums());
        self.recent.tick(self.clock.monotonic(), counts);
    }

    /// How guardrails and open decisions stand.
    fn guardrails_to(&self, page: &mut Page, snapshot: &Snapshot) {
        metrics::gauge!(OPEN_DECISIONS).set(count(self.open.len() as u64));
        metrics::counter!(OPEN_DECISIONS_DROPPED).absolute(self.open.dropped());
        metrics::counter!(OPEN_DECISIONS_EXPIRED).absolute(self.open.expired());
        page.add(COST, &[("arm", Arm::Stable.name())], self.outcomes.cost());
        let own = |guard: &&Arc<Guard>| !guard.name.is_internal();
        let mut guards: Vec<&Arc<Guard>> = snapshot.guards.iter().filter(own).collect();
        guards.sort_by(|a, b| a.name.cmp(&b.name));
        let breakers = self.live.breakers(guards.iter().map(|guard| &***guard), self.at());
        for guard in guards {
            let (name, kind) = (guard.name.as_str(), guard.rules.type_name());
            for (shadow, enforcement) in [(false, "enforce"), (true, "shadow")] {
                let labels = [("guardrail", name), ("type", kind), ("enforcement", enforcement)];
                page.add(GUARDRAIL_REFUSALS, &labels, count(guard.refused(shadow)));
            }
            let labels = [("guardrail", name)];
            page.add(GUARDRAIL_KEYS, &labels, count(guard.keys()));
            page.add(GUARDRAIL_EVICTED, &labels, count(guard.evicted()));
            if let Rules::Breaker(_) | Rules::Budget(_) = guard.rules {
                page.add(GUARDRAIL_DROPPED, &labels, count(guard.dropped()));
            }
            for (state, keys) in breakers.get(&guard.id).into_iter().flat_map(ByState::iter) {
                page.add(BREAKER_STATE, &[("guardrail", name), ("state", state.name())], count(keys));
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
