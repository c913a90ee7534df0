//! What an answer can hold: the fields that `expect` may name, and what each may be.

use super::sequence::Deed;
use crate::model::ReasonCode;

/// What a field of an answer holds.
#[derive(Clone, Copy, Debug)]
pub enum Holds {
    /// Text.
    Text,
    /// One of these names.
    Name(&'static [&'static str]),
    /// A reason code.
    ReasonCode,
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// A length of time.
    Span,
    /// A map of these fields.
    Fields(&'static [(&'static str, Holds)]),
    /// A map by the names of guardrails.
    ByGuardrail(&'static [(&'static str, Holds)]),
    /// A list of maps of these fields, in order.
    InOrder(&'static [(&'static str, Holds)]),
    /// A map by the names of circuit breakers.
    Breakers,
    /// The state of a circuit breaker, or a map of states by key.
    BreakerState,
    /// The state of one key.
    BreakerOfKey,
}

/// The fields of an answer to one request.
pub const ANSWER: &[(&str, Holds)] = &[
    ("request_id", Holds::Text),
    ("effect", EFFECT),
    ("disposition", Holds::Name(&["RAISE", "DROP"])),
    ("reason_code", Holds::ReasonCode),
    ("reason", Holds::Text),
    ("rule_id", Holds::Text),
    ("guardrail", Holds::Text),
    ("next_action", Holds::Name(&["PROCEED", "RETRY", "REQUEST_APPROVAL", "NONE"])),
    ("retry_after", Holds::Span),
    ("obligations", Holds::Fields(OBLIGATIONS)),
    ("approval", Holds::Fields(APPROVAL)),
    ("limits", Holds::ByGuardrail(LIMIT)),
    ("report_within", Holds::Span),
    ("bundle", Holds::Fields(BUNDLE)),
    ("decided_at", Holds::Text),
    ("refusals", Holds::ByGuardrail(REFUSAL)),
    ("error", Holds::Name(&["INVALID_ARGUMENT"])),
];

/// What can be looked at beside an answer: the state that it leaves.
pub const LIVE: &[(&str, Holds)] = &[("breaker", Holds::Breakers), ("budget", Holds::Fields(BUDGET))];

/// What the steps of a sequence may expect besides.
const COUNTS: (&str, Holds) = ("counts", Holds::Fields(COUNTED));

/// What answers are counted by: effects, results of reports, decisions about retries.
pub const COUNTED: &[(&str, Holds)] = &[
    ("ALLOW", Holds::Number),
    ("DENY", Holds::Number),
    ("REQUIRE_APPROVAL", Holds::Number),
    ("THROTTLE", Holds::Number),
    ("APPLIED", Holds::Number),
    ("DUPLICATE", Holds::Number),
    ("RENEWED", Holds::Number),
    ("UNKNOWN", Holds::Number),
    ("RETRY", Holds::Number),
    ("RETRY_AFTER", Holds::Number),
    ("FAIL", Holds::Number),
    ("INVALID_ARGUMENT", Holds::Number),
];

const BREAKER: (&str, Holds) = ("breaker", Holds::Breakers);
const ERROR: (&str, Holds) = ("error", Holds::Name(&["INVALID_ARGUMENT"]));

const REPORTED: &[(&str, Holds)] = &[
    ("result", Holds::Name(&["APPLIED", "DUPLICATE", "RENEWED", "UNKNOWN"])),
    ("report_within", Holds::Span),
    COUNTS,
    BREAKER,
];

const RETRIED: &[(&str, Holds)] = &[
    ("decision", Holds::Name(&["RETRY", "RETRY_AFTER", "FAIL"])),
    ("delay", Holds::Span),
    ("reason_code", Holds::ReasonCode),
    ("reason", Holds::Text),
    ("guardrail", Holds::Text),
    ("bundle", Holds::Fields(BUNDLE)),
    ERROR,
    COUNTS,
    BREAKER,
];

const LEFT: &[(&str, Holds)] = &[
    ("limits", Holds::ByGuardrail(LIMIT)),
    ("budget", Holds::Fields(BUDGET)),
    ("bundle", Holds::Fields(BUNDLE)),
    ERROR,
    BREAKER,
];

const OPERATED: &[(&str, Holds)] =
    &[("error", Holds::Name(&["NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION"])), BREAKER];

/// What a step of this kind may expect.
pub fn of(deed: &Deed) -> Vec<(&'static str, Holds)> {
    match deed {
        Deed::Authorize(_) => [ANSWER, LIVE, &[COUNTS]].concat(),
        Deed::Batch(_) => vec![("responses", Holds::InOrder(ANSWER)), ERROR, COUNTS, BREAKER],
        Deed::Report(_) => REPORTED.to_vec(),
        Deed::Retry(_) => RETRIED.to_vec(),
        Deed::Budget(_) => LEFT.to_vec(),
        Deed::Reload(_) => vec![("bundle", Holds::Fields(BUNDLE)), BREAKER],
        Deed::Operate(_) => OPERATED.to_vec(),
    }
}

const EFFECT: Holds = Holds::Name(&["ALLOW", "DENY", "REQUIRE_APPROVAL", "THROTTLE"]);

const OBLIGATIONS: &[(&str, Holds)] = &[
    ("mode", Holds::Text),
    ("limits", Holds::Fields(CAPS)),
    ("timeout", Holds::Span),
    ("retry", Holds::Fields(RETRY)),
];

const CAPS: &[(&str, Holds)] = &[
    ("max_tool_calls", Holds::Number),
    ("max_llm_calls", Holds::Number),
    ("max_llm_tokens", Holds::Number),
    ("max_cost", Holds::Number),
    ("max_compute", Holds::Number),
    ("max_duration", Holds::Span),
];

const RETRY: &[(&str, Holds)] = &[
    ("guardrail", Holds::Text),
    ("max_retries", Holds::Number),
    ("interval", Holds::Span),
    ("backoff_multiplier", Holds::Number),
    ("max_interval", Holds::Span),
    ("retry_on", Holds::Name(&["TRANSIENT", "RATE_LIMITED", "TIMEOUT", "PERMANENT"])),
];

const APPROVAL: &[(&str, Holds)] =
    &[("expires_at", Holds::Text), ("approvers", Holds::Number), ("role", Holds::Text)];

const BUNDLE: &[(&str, Holds)] = &[
    ("version", Holds::Text),
    ("digest", Holds::Text),
    ("arm", Holds::Name(&["STABLE", "CANARY", "BUILTIN"])),
    ("stale", Holds::Bool),
    ("environment", Holds::Text),
];

const MEASURES: &[&str] =
    &["TOOL_CALLS", "LLM_CALLS", "LLM_TOKENS", "COST", "COMPUTE", "DURATION_SECONDS", "UNITS", "IN_FLIGHT"];

/// How much of one measure is left.
const ROOM: &[(&str, Holds)] = &[
    ("guardrail", Holds::Text),
    ("measure", Holds::Name(MEASURES)),
    ("limit", Holds::Number),
    ("used", Holds::Number),
    ("reserved", Holds::Number),
    ("left", Holds::Number),
    ("window", Holds::Span),
    ("reset_after", Holds::Span),
];

/// The measures of budgets, as their rules name them.
const BUDGET: &[(&str, Holds)] = &[
    ("max_tool_calls", Holds::Fields(ROOM)),
    ("max_llm_calls", Holds::Fields(ROOM)),
    ("max_llm_tokens", Holds::Fields(ROOM)),
    ("max_cost", Holds::Fields(ROOM)),
    ("max_compute", Holds::Fields(ROOM)),
    ("max_duration_seconds", Holds::Fields(ROOM)),
];

/// One guardrail: the fields of its one measure, or its measures by name.
const LIMIT: &[(&str, Holds)] = &[
    ("measure", Holds::Name(MEASURES)),
    ("limit", Holds::Number),
    ("used", Holds::Number),
    ("reserved", Holds::Number),
    ("left", Holds::Number),
    ("window", Holds::Span),
    ("reset_after", Holds::Span),
    ("max_tool_calls", Holds::Fields(ROOM)),
    ("max_llm_calls", Holds::Fields(ROOM)),
    ("max_llm_tokens", Holds::Fields(ROOM)),
    ("max_cost", Holds::Fields(ROOM)),
    ("max_compute", Holds::Fields(ROOM)),
    ("max_duration_seconds", Holds::Fields(ROOM)),
];

/// What a circuit breaker is.
pub const BREAKER_STATES: &[&str] = &["closed", "open", "half_open", "forced_open", "disabled"];

const REFUSAL: &[(&str, Holds)] =
    &[("effect", EFFECT), ("reason_code", Holds::ReasonCode), ("retry_after", Holds::Span)];

impl Holds {
    /// The names that a value of this shape may be; empty where it is no name.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::Name(names) => names.to_vec(),
            Self::ReasonCode => ReasonCode::ALL.iter().map(|code| code.name()).collect(),
            Self::BreakerState | Self::BreakerOfKey => BREAKER_STATES.to_vec(),
            Self::Text
            | Self::Number
            | Self::Bool
            | Self::Span
            | Self::Fields(_)
            | Self::ByGuardrail(_)
            | Self::InOrder(_)
            | Self::Breakers => vec![],
        }
    }

    /// The fields of a map of this shape.
    #[must_use]
    pub const fn fields(self) -> &'static [(&'static str, Self)] {
        match self {
            Self::Fields(fields) => fields,
            Self::Text
            | Self::Name(_)
            | Self::ReasonCode
            | Self::Number
            | Self::Bool
            | Self::Span
            | Self::ByGuardrail(_)
            | Self::InOrder(_)
            | Self::Breakers
            | Self::BreakerState
            | Self::BreakerOfKey => &[],
        }
    }
}
