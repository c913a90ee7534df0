//! What a caller reports about an action that it was allowed.

use crate::model::guardrail::ErrorKind;
use crate::unit::{Money, Span};

/// How an action ended and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Money.
    pub cost: Option<Money>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// Compute units.
    pub compute: Option<u64>,
    /// How long it took; absent: from the decision to the report.
    pub duration: Option<Span>,
}

/// How an action ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// It worked.
    Success,
    /// It failed; without a kind it is transient.
    Failure(ErrorKind),
    /// It never ran, or its result is of no use.
    Cancelled,
}

impl Outcome {
    /// An ending without amounts.
    #[must_use]
    pub const fn of(ending: Ending) -> Self {
        Self { ending, cost: None, tokens: None, compute: None, duration: None }
    }
}
