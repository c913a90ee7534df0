//! What a tenant's run has used so far, as rules read it.

use super::ask::Asks;
use super::ledger::Ledger;
use super::refused::Measure;
use super::state::At;
use crate::condition::slots::UsedSoFar;

impl Ledger {
    /// What the key that is asked about has used, with what is reserved for actions that run:
    /// they have been let through, and a rule that counts them must see them. NaN where the table
    /// is full and does not know the key.
    #[must_use]
    pub fn used(&self, asks: &Asks<'_>, at: At) -> UsedSoFar {
        let mut used = UsedSoFar::default();
        for (ask, key) in asks.iter() {
            let known = self.with_state(ask.guard, key, |state| {
                ask.guard.advance(state, at);
                ask.guard.rooms(Some(state), at, |room| {
                    let amount = room.measure.on_the_wire(room.used.saturating_add(room.reserved));
                    match room.measure {
                        Measure::ToolCalls => used.tool_calls = amount,
                        Measure::LlmCalls => used.llm_calls = amount,
                        Measure::LlmTokens => used.llm_tokens = amount,
                        Measure::Cost => used.cost = amount,
                        Measure::Compute => used.compute = amount,
                        Measure::Duration | Measure::Units | Measure::InFlight => {}
                    }
                });
            });
            if known.is_none() && ask.guard.keys() >= ask.guard.max_keys {
                return UNKNOWN;
            }
        }
        used
    }
}

/// Nothing was kept of it for want of room: unknown by error, so that no `allow` goes by it and
/// every `deny` does.
const UNKNOWN: UsedSoFar = UsedSoFar {
    tool_calls: f64::NAN,
    llm_calls: f64::NAN,
    llm_tokens: f64::NAN,
    cost: f64::NAN,
    compute: f64::NAN,
};
