//! What an answer can hold: the fields that `expect` may name, and what each may be.

use crate::model::ReasonCode;

/// What a field of an answer holds.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
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
    Fields(&'static [(&'static str, Shape)]),
    /// A map by the names of guardrails.
    ByGuardrail(&'static [(&'static str, Shape)]),
}

/// The fields of an answer to one request.
pub const ANSWER: &[(&str, Shape)] = &[
    ("request_id", Shape::Text),
    ("effect", EFFECT),
    ("disposition", Shape::Name(&["RAISE", "DROP"])),
    ("reason_code", Shape::ReasonCode),
    ("reason", Shape::Text),
    ("rule_id", Shape::Text),
    ("guardrail", Shape::Text),
    ("next_action", Shape::Name(&["PROCEED", "RETRY", "REQUEST_APPROVAL", "NONE"])),
    ("retry_after", Shape::Span),
    ("obligations", Shape::Fields(OBLIGATIONS)),
    ("approval", Shape::Fields(APPROVAL)),
    ("limits", Shape::ByGuardrail(LIMIT)),
    ("report_within", Shape::Span),
    ("bundle", Shape::Fields(BUNDLE)),
    ("decided_at", Shape::Text),
    ("refusals", Shape::ByGuardrail(REFUSAL)),
    ("error", Shape::Name(&["INVALID_ARGUMENT"])),
];

/// The fields that only guardrails put into an answer.
pub const OF_GUARDRAILS: [&str; 5] = ["guardrail", "retry_after", "limits", "report_within", "refusals"];

const EFFECT: Shape = Shape::Name(&["ALLOW", "DENY", "REQUIRE_APPROVAL", "THROTTLE"]);

const OBLIGATIONS: &[(&str, Shape)] =
    &[("mode", Shape::Text), ("limits", Shape::Fields(CAPS)), ("timeout", Shape::Span), ("retry", Shape::Fields(RETRY))];

const CAPS: &[(&str, Shape)] = &[
    ("max_tool_calls", Shape::Number),
    ("max_llm_calls", Shape::Number),
    ("max_llm_tokens", Shape::Number),
    ("max_cost", Shape::Number),
    ("max_compute", Shape::Number),
    ("max_duration", Shape::Span),
];

const RETRY: &[(&str, Shape)] = &[
    ("guardrail", Shape::Text),
    ("max_retries", Shape::Number),
    ("interval", Shape::Span),
    ("backoff_multiplier", Shape::Number),
    ("max_interval", Shape::Span),
];

const APPROVAL: &[(&str, Shape)] =
    &[("expires_at", Shape::Text), ("approvers", Shape::Number), ("role", Shape::Text)];

const BUNDLE: &[(&str, Shape)] = &[
    ("version", Shape::Text),
    ("digest", Shape::Text),
    ("arm", Shape::Name(&["STABLE", "CANARY", "BUILTIN"])),
    ("stale", Shape::Bool),
    ("environment", Shape::Text),
];

const LIMIT: &[(&str, Shape)] = &[
    ("measure", Shape::Text),
    ("limit", Shape::Number),
    ("used", Shape::Number),
    ("reserved", Shape::Number),
    ("left", Shape::Number),
    ("window", Shape::Span),
    ("reset_after", Shape::Span),
];

const REFUSAL: &[(&str, Shape)] =
    &[("effect", EFFECT), ("reason_code", Shape::ReasonCode), ("retry_after", Shape::Span)];

impl Shape {
    /// The names that a value of this shape may be; empty where it is no name.
    #[must_use]
    pub fn names(self) -> Vec<&'static str> {
        match self {
            Self::Name(names) => names.to_vec(),
            Self::ReasonCode => ReasonCode::ALL.iter().map(|code| code.name()).collect(),
            Self::Text | Self::Number | Self::Bool | Self::Span | Self::Fields(_) | Self::ByGuardrail(_) => vec![],
        }
    }
}
