//! Why one guardrail refuses, and how long a wait would help.

use crate::model::ReasonCode;
use crate::unit::Span;

/// A guardrail says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why, for programs.
    pub code: ReasonCode,
    /// How long to wait.
    pub wait: Wait,
}

/// How long a wait would help; the longer, the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// After this the same request, alone, is admitted.
    For(Span),
    /// No wait can help.
    Never,
}

impl Refused {
    /// Not before this has passed, rounded up to whole milliseconds.
    #[must_use]
    pub const fn until(code: ReasonCode, span: Span) -> Self {
        Self { code, wait: Wait::For(whole_millis(span)) }
    }

    /// Not ever.
    #[must_use]
    pub const fn for_good(code: ReasonCode) -> Self {
        Self { code, wait: Wait::Never }
    }
}

/// Rounded up to whole milliseconds.
#[must_use]
pub const fn whole_millis(span: Span) -> Span {
    const MILLI: u64 = 1_000_000;
    Span::from_nanos(span.nanos().div_ceil(MILLI).saturating_mul(MILLI))
}

/// How much of one measure is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// What is counted.
    pub measure: Measure,
    /// How much there may be.
    pub limit: u64,
    /// How much there is.
    pub used: u64,
    /// How much more is promised to actions that have not reported yet.
    pub reserved: u64,
    /// Over which time; `None`: for the life of the key, or as long as it lasts.
    pub window: Option<Span>,
    /// After how long nothing would be used if nothing else came; `None`: never by itself.
    pub reset_after: Option<Span>,
}

impl Room {
    /// How much more may be used.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used).saturating_sub(self.reserved)
    }
}

/// What a limit counts. Money in billionths, durations in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Calls of actions of kind tool or other.
    ToolCalls,
    /// Calls of actions of kind llm.
    LlmCalls,
    /// Tokens of actions of kind llm.
    LlmTokens,
    /// Money.
    Cost,
    /// Compute units.
    Compute,
    /// Time.
    Duration,
    /// Units of a rate limit.
    Units,
    /// Actions at once.
    InFlight,
}

impl Measure {
    /// What an amount of it is on the wire: money in units of the currency, time in seconds.
    #[must_use]
    pub fn on_the_wire(self, amount: u64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the wire carries doubles (design 2.1)")]
        let plain = amount as f64;
        match self {
            Self::Cost | Self::Duration => plain / 1e9,
            Self::ToolCalls
            | Self::LlmCalls
            | Self::LlmTokens
            | Self::Compute
            | Self::Units
            | Self::InFlight => plain,
        }
    }
}
