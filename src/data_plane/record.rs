//! What is written down about a decision: for now, its counts.

use tollgate_engine::compile::OTHER;
use tollgate_engine::decide::Request;
use tollgate_engine::model::{Phase, ReasonCode};

use super::DataPlane;
use super::answer::{Answer, Arm};
use super::snapshot::Snapshot;
use super::snapshot::State;
use crate::telemetry::decisions::{Labels, Sample, Tally};
use crate::telemetry::metrics::{APPROVALS_OPEN, AtScrape, BUNDLE_AGE, BUNDLE_STALE};
use crate::telemetry::page::{BundleInfo, Page};

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
        let snapshot = self.snapshot.load();
        metrics::gauge!(BUNDLE_STALE).set(f64::from(u8::from(snapshot.state == State::ReadyLkg)));
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
