//! What the guardrails say to a request, together.

use smallvec::SmallVec;

use super::breaker::Transition;
use super::draw::Draw;
use super::guard::{Guard, GuardId};
use super::key::Key;
use super::operate::Operation;
use super::refused::{Refused, Room, Wait, whole_millis};
use super::state::Claim;
use crate::model::guardrail::Refusal as Manner;
use crate::model::{Disposition, ReasonCode};
use crate::unit::Span;

/// What the guardrails say to a request.
#[derive(Debug, Default)]
pub struct Verdict<'g> {
    /// Who refuses, the one to be reported first. Empty: it is allowed.
    pub refusals: SmallVec<[Refusal<'g>; 2]>,
    /// Shadow guardrails that would refuse.
    pub shadows: SmallVec<[Refusal<'g>; 2]>,
    /// What is left, by name, as it is after this answer.
    pub limits: SmallVec<[Limit<'g>; 4]>,
    /// What was taken and is to be settled.
    pub tickets: SmallVec<[Ticket; 2]>,
    /// The shortest lease taken.
    pub report_within: Option<Span>,
    /// What happened besides.
    pub events: SmallVec<[Event; 1]>,
}

/// One guardrail's refusal.
#[derive(Clone, Debug)]
pub struct Refusal<'g> {
    /// Which guardrail.
    pub guard: &'g Guard,
    /// Which key of it.
    pub key: Key,
    /// How it refuses.
    pub effect: RefusalEffect,
    /// Why.
    pub code: ReasonCode,
}

/// How a guardrail refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalEffect {
    /// Not now; after this, perhaps.
    Throttle(Span),
    /// Do not.
    Deny(Disposition),
}

/// How much of one measure of a guardrail is used.
#[derive(Clone, Copy, Debug)]
pub struct Limit<'g> {
    /// Which guardrail.
    pub guard: &'g Guard,
    /// How much.
    pub room: Room,
}

/// What a decision took from one guardrail, kept until it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Whose state.
    pub guard: GuardId,
    /// Which key.
    pub key: Key,
    /// What.
    pub claim: Claim,
}

/// Something happened to a guardrail that people may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A breaker went from one state to another.
    Breaker {
        /// Whose state.
        guard: GuardId,
        /// Which key.
        key: Key,
        /// From what to what.
        transition: Transition,
    },
    /// An operator did something.
    Operated {
        /// Whose state.
        guard: GuardId,
        /// Which key; `None`: all.
        key: Option<Key>,
        /// What.
        operation: Operation,
    },
    /// A key that refused somebody admits again.
    ThrottleCleared {
        /// Whose state.
        guard: GuardId,
        /// Which key.
        key: Key,
    },
}

impl Verdict<'_> {
    /// Whether no guardrail refuses.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        self.refusals.is_empty()
    }

    /// Puts the refusal that is reported first: a DENY beats a THROTTLE, then the longest wait,
    /// then the highest priority, then the name decide (design 1.6).
    pub(super) fn order(&mut self) {
        if self.refusals.len() > 1 {
            self.refusals
                .sort_by(|a, b| b.weight().cmp(&a.weight()).then_with(|| a.guard.rank.cmp(&b.guard.rank)));
        }
        if !self.limits.is_sorted_by_key(|limit| limit.guard.rank) {
            self.limits.sort_by_key(|limit| limit.guard.rank);
        }
    }
}

impl<'g> Refusal<'g> {
    /// How this guardrail says no: as its `refusal` wants it, and DENY where no wait helps.
    pub(super) fn of(guard: &'g Guard, key: &[u8], refused: Refused, draw: &mut Draw) -> Self {
        let effect = match (guard.refusal, refused.wait) {
            (Manner::Drop, _) => RefusalEffect::Deny(Disposition::Drop),
            (Manner::Raise, _) | (Manner::Throttle, Wait::Never) => RefusalEffect::Deny(Disposition::Raise),
            (Manner::Throttle, Wait::For(wait)) => {
                let more = if guard.spread > 0.0 {
                    whole_millis(draw.share(wait, guard.spread))
                } else {
                    Span::default()
                };
                let wait = wait.nanos().saturating_add(more.nanos());
                RefusalEffect::Throttle(Span::from_nanos(wait))
            }
        };
        Self { guard, key: Key::of(key), effect, code: refused.code }
    }

    fn weight(&self) -> (bool, Span, i32) {
        match self.effect {
            RefusalEffect::Deny(_) => (true, Span::default(), self.guard.priority),
            RefusalEffect::Throttle(wait) => (false, wait, self.guard.priority),
        }
    }
}
