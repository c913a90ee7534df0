//! Where this process decides, and what it keeps of an allowed action until its report.

use tollgate_engine::decide::{Answer as Effect, Desk};
use tollgate_engine::guardrail::At;
use tollgate_engine::guardrail::open::Opened;
use tollgate_engine::guardrail::settle::Taken;

use super::DataPlane;
use super::answer::Answer;
use super::report::Kept;
use super::snapshot::{Serving, Snapshot};

impl DataPlane {
    /// Where requests are decided by this bundle of the snapshot.
    pub(super) fn desk<'a>(&'a self, snapshot: &'a Snapshot, serving: &'a Serving) -> Desk<'a> {
        Desk {
            bundle: &serving.compiled,
            guards: &serving.guards,
            ledger: &self.live.ledger,
            environment: &self.options.environment,
            stops: &snapshot.stops,
        }
    }

    /// Gives an allowed action its id, under which it can be reported.
    pub(super) fn open(&self, answer: &mut Answer<'_>, at: At) {
        let Effect::Allow(obligations) = &answer.decision.answer else { return };
        if answer.verdict.tickets.is_empty() {
            answer.decision_id = self.mark.mark(answer.decision_id);
            return;
        }
        let opened = Opened {
            taken: Taken { at: at.now, timeout: obligations.timeout },
            tickets: std::mem::take(&mut answer.verdict.tickets).into_vec().into(),
            meta: Kept { arm: answer.arm },
        };
        self.open.open(answer.decision_id.as_u128(), opened);
    }
}
