//! Tells those who follow the events what happened here.

use tollgate_engine::decide::{Answer as Effect, Request};
use tollgate_engine::guardrail::{Guards, verdict};
use tollgate_engine::time::{Moment, WallTime};

use super::answer::Answer;
use super::snapshot::Serving;
use super::{DataPlane, local};
use crate::events::{self, Event, Refusal, Refusals, Source};

impl DataPlane {
    /// Tells of the refusals that this thread counted and told nobody of. To be called on each
    /// serving thread about every second.
    pub fn tell_of_refusals(&self) {
        let now = Moment::from_nanos(self.clock.monotonic());
        local::with(self, |parts| parts.refusals.tell_due(&self.events, now));
    }

    /// Tells that a rule denied, if one did.
    pub(super) fn tell_of_denial(
        &self,
        refusals: &mut Refusals,
        answer: &Answer<'_>,
        request: &Request<'_>,
        now: Moment,
    ) {
        let (Effect::Deny(_), Some(rule)) = (&answer.decision.answer, answer.decision.rule) else {
            return;
        };
        let refusal = Refusal {
            source: Source::Rule(rule.as_str()),
            effect: answer.effect_name(),
            reason_code: answer.decision.reason_code,
            decision_id: answer.decision_id,
            tenant: request.subject.tenant,
            agent: request.subject.agent,
            action: request.action.name,
        };
        refusals.tell(&self.events, &refusal, now, answer.decided_at);
    }

    /// Tells what guardrails did by themselves, or by an operator's hand.
    pub fn tell_of_guardrails(&self, happened: &[verdict::Event], guards: &Guards, wall: WallTime) {
        for event in happened.iter().filter_map(|one| events::of_engine(one, guards)) {
            self.events.emit(event, wall);
        }
    }

    /// Tells that a bundle is in force, and what it changed. Waits for room: not for a serving
    /// thread.
    pub(super) fn tell_of_swap(&self, before: Option<&Serving>, serving: &Serving) {
        let name = |serving: &Serving| (serving.version.as_str().into(), serving.digest.as_str().into());
        let (version, digest) = name(serving);
        let swapped = Event::BundleSwapped { version, digest, before: before.map(name) };
        // What a process begins with is no change of it.
        let changes = before.map(|before| {
            let (old, new) = (before.compiled.source(), serving.compiled.source());
            events::changes(&old.guardrails, &new.guardrails)
        });
        let all = std::iter::once(swapped).chain(changes.unwrap_or_default());
        self.events.emit_all(all, serving.loaded_at);
    }
}
