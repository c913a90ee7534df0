//! What an answer can hold: the fields that `expect` may name, and what each may be.

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

/// The fields that only guardrails put into an answer.
pub const OF_GUARDRAILS: [&str; 5] = ["guardrail", "retry_after", "limits", "report_within", "refusals"];

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

const LIMIT: &[(&str, Holds)] = &[
    ("measure", Holds::Text),
    ("limit", Holds::Number),
    ("used", Holds::Number),
    ("reserved", Holds::Number),
    ("left", Holds::Number),
    ("window", Holds::Span),
    ("reset_after", Holds::Span),
];

const REFUSAL: &[(&str, Holds)] =
    &[("effect", EFFECT), ("reason_code", Holds::ReasonCode), ("retry_after", Holds::Span)];

impl Holds {
    /// The names that a value of this shape may be; empty where it is no name.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::Name(names) => names.to_vec(),
            Self::ReasonCode => ReasonCode::ALL.iter().map(|code| code.name()).collect(),
            Self::Text | Self::Number | Self::Bool | Self::Span | Self::Fields(_) | Self::ByGuardrail(_) => {
                vec![]
            }
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
            | Self::ByGuardrail(_) => &[],
        }
    }
}
