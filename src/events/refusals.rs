//! Refusals on their way from a thread that decides: at most one event a second for each rule and
//! guardrail leaves it.

use tollgate_engine::guardrail::key::Key;
use tollgate_engine::model::ReasonCode;
use tollgate_engine::time::{Moment, WallTime};
use uuid::Uuid;

use super::event::{Source, Triggered};
use super::fold::Fold;
use super::hub::Hub;

/// A refusal as the thread that decides has it before it.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Who refused; of a guardrail, the text of the key as it was asked about.
    pub source: Source<&'a str, &'a [u8]>,
    /// The name of the effect: `DENY` or `THROTTLE`.
    pub effect: &'static str,
    /// Why.
    pub reason_code: ReasonCode,
    /// Which decision it is.
    pub decision_id: Uuid,
    /// Who asks, or nothing.
    pub tenant: &'a str,
    /// Who asks, or nothing.
    pub agent: &'a str,
    /// What is asked for.
    pub action: &'a str,
}

/// The refusals of one thread.
///
/// Most cost it a look-up and a count: nothing is shared, and nothing is copied but the first of
/// those left out.
#[derive(Debug, Default)]
pub struct Refusals(Folds);

impl Refusals {
    /// Tells of a refusal, or counts it.
    pub fn tell(&mut self, hub: &Hub, refusal: &Refusal<'_>, now: Moment, wall: WallTime) {
        let name = match refusal.source {
            Source::Rule(name) | Source::Guardrail { name, .. } => name,
        };
        let told = || Box::new(Told { triggered: refusal.triggered(), wall });
        if let Some((told, more)) = self.0.of(&refusal.source).take(name, now, 0, told) {
            hub.tell_refusal(told, more);
        }
    }

    /// Tells of those that were counted, when no other came to tell of them. To be called about
    /// every second.
    pub fn tell_due(&mut self, hub: &Hub, now: Moment) {
        self.0.tell_due(now, |told, more| hub.tell_refusal(told, more));
    }
}

impl Refusal<'_> {
    fn triggered(&self) -> Triggered {
        let source = match self.source {
            Source::Rule(id) => Source::Rule(id.into()),
            Source::Guardrail { name, key } => {
                Source::Guardrail { name: name.into(), key: Key::of(key).display().into() }
            }
        };
        Triggered {
            source,
            effect: self.effect,
            reason_code: self.reason_code,
            decision_id: self.decision_id,
            tenant: self.tenant.into(),
            agent: self.agent.into(),
            action: self.action.into(),
        }
    }
}

/// A refusal with its time.
#[derive(Debug)]
pub(super) struct Told {
    pub triggered: Triggered,
    pub wall: WallTime,
}

/// Refusals of rules and of guardrails, whose names may be equal.
#[derive(Debug, Default)]
pub(super) struct Folds {
    rules: Fold<Box<Told>>,
    guardrails: Fold<Box<Told>>,
}

impl Folds {
    fn of<N, K>(&mut self, source: &Source<N, K>) -> &mut Fold<Box<Told>> {
        match source {
            Source::Rule(_) => &mut self.rules,
            Source::Guardrail { .. } => &mut self.guardrails,
        }
    }

    /// Takes one that stands for `more` besides.
    pub(super) fn take(&mut self, told: Box<Told>, more: u64, now: Moment) -> Option<(Box<Told>, u64)> {
        let name = match &told.triggered.source {
            Source::Rule(name) | Source::Guardrail { name, .. } => name.clone(),
        };
        self.of(&told.triggered.source).take(&name, now, more, || told)
    }

    pub(super) fn tell_due(&mut self, now: Moment, mut tell: impl FnMut(Box<Told>, u64)) {
        self.rules.tell_due(now, &mut tell);
        self.guardrails.tell_due(now, &mut tell);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.guardrails.is_empty()
    }
}
