//! What guardrails say to the wire.

use tollgate_engine::decide::{GuardrailTrace, RetryPlan};
use tollgate_engine::guardrail::refused::Measure;
use tollgate_engine::guardrail::verdict::{Limit, Refusal, RefusalEffect};
use tollgate_engine::model::guardrail::ErrorKind;

use super::decision::duration;
use crate::pb;

pub(super) fn retry_plan(plan: &RetryPlan<'_>) -> pb::RetryPlan {
    pb::RetryPlan {
        guardrail: plan.guardrail.as_str().to_owned(),
        max_retries: plan.rules.max_retries,
        interval: Some(duration(plan.rules.interval)),
        backoff_multiplier: plan.rules.multiplier,
        max_interval: Some(duration(plan.rules.max_interval)),
        retry_on: plan.rules.retry_on.iter().map(|kind| error_kind(*kind).into()).collect(),
    }
}

/// The kind of an error as it travels.
#[must_use]
pub const fn error_kind(kind: ErrorKind) -> pb::ErrorKind {
    match kind {
        ErrorKind::Transient => pb::ErrorKind::Transient,
        ErrorKind::RateLimited => pb::ErrorKind::RateLimited,
        ErrorKind::Timeout => pb::ErrorKind::Timeout,
        ErrorKind::Permanent => pb::ErrorKind::Permanent,
    }
}

pub(super) fn refusal(refusal: &Refusal<'_>) -> pb::Refusal {
    let (effect, wait) = match refusal.effect {
        RefusalEffect::Throttle(wait) => (pb::Effect::Throttle, Some(wait)),
        RefusalEffect::Deny(_) => (pb::Effect::Deny, None),
    };
    pb::Refusal {
        guardrail: refusal.guard.name.as_str().to_owned(),
        effect: effect.into(),
        reason_code: refusal.code.number(),
        retry_after: wait.map(duration),
    }
}

/// The account of a guardrail, as it travels.
#[must_use]
pub fn trace(trace: &GuardrailTrace<'_>) -> pb::GuardrailTrace {
    let refusal = trace.refusal.as_ref().map(refusal);
    pb::GuardrailTrace {
        guardrail: trace.guard.name.as_str().to_owned(),
        shadow: trace.guard.is_shadow(),
        would_refuse: refusal.is_some(),
        retry_after: refusal.and_then(|refusal| refusal.retry_after),
        limits: trace.rooms.iter().map(|room| limit(&Limit { guard: trace.guard, room: *room })).collect(),
        breaker_state: trace.breaker.map(|state| state.name().to_owned()).unwrap_or_default(),
    }
}

/// How much of a limit is left, as it travels.
#[must_use]
pub fn limit(limit: &Limit<'_>) -> pb::Limit {
    let Limit { guard, room } = limit;
    let amount = |amount: u64| room.measure.on_the_wire(amount);
    let measure = match room.measure {
        Measure::ToolCalls => pb::Measure::ToolCalls,
        Measure::LlmCalls => pb::Measure::LlmCalls,
        Measure::LlmTokens => pb::Measure::LlmTokens,
        Measure::Cost => pb::Measure::Cost,
        Measure::Compute => pb::Measure::Compute,
        Measure::Duration => pb::Measure::DurationSeconds,
        Measure::Units => pb::Measure::Units,
        Measure::InFlight => pb::Measure::InFlight,
    };
    pb::Limit {
        guardrail: guard.name.as_str().to_owned(),
        measure: measure.into(),
        limit: amount(room.limit),
        used: amount(room.used),
        reserved: amount(room.reserved),
        left: amount(room.left()),
        window: room.window.map(duration),
        reset_after: room.reset_after.map(duration),
    }
}
