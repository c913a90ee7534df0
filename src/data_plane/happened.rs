//! Tells those who follow the events what happened here.

use tollgate_engine::decide::{Answer as Effect, Request};
use tollgate_engine::guardrail::verdict::{self, RefusalEffect};
use tollgate_engine::guardrail::{At, Guards};

use super::answer::Answer;
use super::snapshot::{Serving, Snapshot};
use super::{DataPlane, local};
use crate::events::{self, Event, Operator, Refusal, Refusals, Source};

impl DataPlane {
    /// What happens, for those who follow it.
    #[must_use]
    pub const fn events(&self) -> &events::Hub {
        &self.events
    }

    /// Tells of the refusals that this thread counted and told nobody of. To be called on each
    /// serving thread about every second, which also says that the thread lives.
    pub fn tell_of_refusals(&self) {
        self.pulses.beat(self.id, self.clock.monotonic());
        let now = self.clock.moment();
        local::with(self, |parts| parts.refusals.tell_due(&self.events, now));
    }

    /// Tells what came of a decision: a rule denied, guardrails refused, a breaker let a probe
    /// through.
    pub(super) fn tell_of_decision(
        &self,
        refusals: &mut Refusals,
        snapshot: &Snapshot,
        answer: &Answer<'_>,
        request: &Request<'_>,
        at: At,
    ) {
        let mut tell = |source, effect, reason_code| {
            let refusal = Refusal {
                source,
                effect,
                reason_code,
                decision_id: answer.decision_id,
                tenant: request.subject.tenant,
                agent: request.subject.agent,
                action: request.action.name,
            };
            refusals.tell(&self.events, &refusal, at.now, at.wall);
        };
        if let (Effect::Deny(_), Some(rule)) = (&answer.decision.answer, answer.decision.rule) {
            tell(Source::Rule(rule.as_str()), answer.effect_name(), answer.decision.reason_code);
        }
        for refusal in &answer.verdict.refusals {
            let source = Source::Guardrail { name: refusal.guard.name.as_str(), key: refusal.key.as_bytes() };
            tell(source, effect_name(refusal.effect), refusal.code);
        }
        if !answer.verdict.events.is_empty() {
            self.happened(&snapshot.guards, &answer.verdict.events);
        }
    }

    /// Tells what happened to guardrails. Never waits.
    pub(super) fn happened(&self, guards: &Guards, happened: &[verdict::Event]) {
        self.log_happened(guards, happened);
        let wall = self.clock.wall();
        said(guards, happened).for_each(|event| self.events.emit(event, wall));
    }

    /// The same of what an operator did by hand. Never waits.
    pub(super) fn happened_by(&self, who: &Operator, guards: &Guards, happened: &[verdict::Event]) {
        let wall = self.clock.wall();
        for mut event in said(guards, happened) {
            if let Event::Guardrail { operator, .. } = &mut event {
                operator.clone_from(who);
            }
            self.events.emit(event, wall);
        }
    }

    /// The same of what a sweep found, which may be much: waits for room, so not for a serving
    /// thread.
    pub(super) fn swept(&self, guards: &Guards, happened: &[verdict::Event]) {
        self.log_happened(guards, happened);
        self.events.emit_all(said(guards, happened), self.clock.wall());
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
        self.log_changes(changes.as_deref().unwrap_or_default());
        let all = std::iter::once(swapped).chain(changes.unwrap_or_default());
        self.events.emit_all(all, serving.loaded_at);
    }
}

/// As [`Answer::effect_name`] says it.
const fn effect_name(effect: RefusalEffect) -> &'static str {
    match effect {
        RefusalEffect::Throttle(_) => "THROTTLE",
        RefusalEffect::Deny(_) => "DENY",
    }
}

/// What the engine says.
fn said<'a>(guards: &'a Guards, happened: &'a [verdict::Event]) -> impl Iterator<Item = Event> + 'a {
    happened.iter().filter_map(|one| events::of_engine(one, guards))
}
