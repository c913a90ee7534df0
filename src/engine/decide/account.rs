//! The account of the guardrails that an allowed action was held against, for those who ask why.

use super::desk::{Desk, Tools};
use super::{Answer, Decision, Request};
use crate::guardrail::breaker::BreakerState;
use crate::guardrail::refused::Room;
use crate::guardrail::verdict::Refusal;
use crate::guardrail::{At, Guard, Verdict};

/// The account of one guardrail.
#[derive(Debug)]
pub struct GuardrailTrace<'a> {
    /// The guardrail.
    pub guard: &'a Guard,
    /// Its refusal, where it refuses, or as a shadow would.
    pub refusal: Option<Refusal<'a>>,
    /// What is left of what it counts.
    pub rooms: Vec<Room>,
    /// What a breaker is.
    pub breaker: Option<BreakerState>,
}

impl<'a> Desk<'a> {
    /// How each guardrail fared that was asked about a request, by name. None was asked about one
    /// that the rules do not allow.
    pub(super) fn account(
        &self,
        request: &Request<'a>,
        decision: &Decision<'a>,
        verdict: &Verdict<'a>,
        at: At,
        tools: &mut Tools,
    ) -> Vec<GuardrailTrace<'a>> {
        let asked = matches!(decision.answer, Answer::Allow(_)) || decision.guardrail.is_some();
        let Some(mut asks) = asked.then(|| self.look(request, tools).ok()).flatten() else {
            return Vec::new();
        };
        let trace = |guard: &'a Guard, breaker| {
            let mut refusals = verdict.refusals.iter().chain(&verdict.shadows);
            let limits = verdict.limits.iter().filter(|limit| limit.guard.id == guard.id);
            GuardrailTrace {
                guard,
                refusal: refusals.find(|refusal| refusal.guard.id == guard.id).cloned(),
                rooms: limits.map(|limit| limit.room).collect(),
                breaker,
            }
        };
        let own = asks.iter().filter(|(ask, _)| !ask.guard.name.is_internal());
        let mut traces: Vec<GuardrailTrace<'a>> =
            own.map(|(ask, key)| trace(ask.guard, self.ledger.breaker_state(ask.guard, key, at))).collect();
        traces.sort_by(|a, b| a.guard.name.cmp(&b.guard.name));
        tools.asks = std::mem::take(&mut asks).recycle();
        traces
    }
}
