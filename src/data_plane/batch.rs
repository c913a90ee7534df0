//! Many questions at once: one snapshot, one instant (design 1.7).

use tollgate_engine::decide::{Answer as Effect, Decision, Request};
use tollgate_engine::model::{Disposition, ReasonCode};
use tollgate_engine::time::{Moment, WallTime};

use super::answer::{Answer, OpenApproval, deny};
use super::authorize::NO_BUNDLE;
use super::snapshot::Snapshot;
use super::{DataPlane, local, record};

/// One question of a batch.
#[expect(clippy::large_enum_variant, reason = "nearly all are of the large kind")]
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A question that can be decided.
    Ask(Request<'a>),
    /// One that cannot.
    Malformed {
        /// Its id, as far as it can be given back.
        request_id: &'a str,
        /// What is wrong with it, for people.
        reason: &'a str,
    },
}

const BATCH_REFUSED: &str = "another action of this all-or-nothing batch was not allowed";

impl DataPlane {
    /// Decides all of a batch, and gives the answers, in the same order, to `then`.
    pub fn authorize_batch<R>(
        &self,
        items: &[Item<'_>],
        all_or_nothing: bool,
        then: impl FnOnce(Vec<Answer<'_>>) -> R,
    ) -> R {
        local::with(self, |parts| {
            let now = self.clock.wall();
            let mut nanos = Vec::with_capacity(items.len());
            let mut answers = Vec::with_capacity(items.len());
            let mut before = self.clock.monotonic();
            for item in items {
                answers.push(match item {
                    Item::Ask(request) => self.answer(parts.snapshot, request, now, parts.scratch),
                    Item::Malformed { request_id, reason } => {
                        self.malformed(parts.snapshot, request_id, reason, now)
                    }
                });
                let after = self.clock.monotonic();
                nanos.push(after.saturating_sub(before));
                before = after;
            }
            if all_or_nothing {
                refuse_all(&mut answers);
            }
            for ((answer, item), nanos) in answers.iter().zip(items).zip(nanos) {
                let request = item.request();
                if request.is_none_or(|request| !request.dry_run) {
                    record::decision(parts.tally, parts.snapshot, answer, request, nanos);
                }
                if let Some(request) = request.filter(|request| !request.dry_run) {
                    self.tell_of_denial(parts.refusals, answer, request, Moment::from_nanos(before));
                }
            }
            then(answers)
        })
    }

    fn malformed<'a>(
        &'a self,
        snapshot: &'a Snapshot,
        request_id: &'a str,
        reason: &'a str,
        now: WallTime,
    ) -> Answer<'a> {
        let environment = self.options.environment.as_str();
        let decision = match snapshot.serving {
            Some(_) => deny(ReasonCode::InvalidRequest, reason, environment),
            None => deny(ReasonCode::NoBundle, NO_BUNDLE, environment),
        };
        Answer {
            decision_id: self.clock.decision_id(now),
            request_id,
            decided_at: now,
            arm: snapshot.arm(),
            bundle: snapshot.bundle(),
            decision,
            approval: None,
        }
    }
}

impl<'a> Item<'a> {
    const fn request(&self) -> Option<&Request<'a>> {
        match self {
            Self::Ask(request) => Some(request),
            Self::Malformed { .. } => None,
        }
    }
}

/// If any is not allowed, those that are get the worst answer of the batch instead.
fn refuse_all(answers: &mut [Answer<'_>]) {
    let refused = |answer: &&Answer<'_>| !answer.is_allowed();
    let Some(worst) = answers.iter().filter(refused).min_by_key(|answer| rank(answer)) else {
        return;
    };
    let effect = match worst.decision.answer {
        Effect::Deny(_) => Effect::Deny(Disposition::Raise),
        ref other => other.clone(),
    };
    let approval: Option<OpenApproval<'_>> = worst.approval.clone();
    for answer in answers.iter_mut().filter(|answer| answer.is_allowed()) {
        answer.decision = Decision {
            answer: effect.clone(),
            reason_code: ReasonCode::BatchRefused,
            reason: BATCH_REFUSED,
            rule: None,
            ..answer.decision.clone()
        };
        answer.approval.clone_from(&approval);
    }
}

/// The worst first; of equals `min_by_key` takes the first item.
const fn rank(answer: &Answer<'_>) -> u8 {
    match answer.decision.answer {
        Effect::Deny(_) => 0,
        Effect::RequireApproval(_) => 1,
        Effect::Allow(_) => 2,
    }
}
