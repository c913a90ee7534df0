//! Counting what callers report, and what they are told about retries.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::counter;
use tollgate_engine::guardrail::report::{Ending, Outcome};

use super::metrics::{OUTCOMES, REPORTS, RETRY_DECISIONS};

/// What actions cost that were reported, which a counter of whole numbers cannot carry.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// In billionths.
    cost: AtomicU64,
}

impl Outcomes {
    /// An action ended and was reported for the first time.
    pub fn ended(&self, arm: &'static str, outcome: &Outcome) {
        let status = match outcome.ending {
            Ending::Success => "SUCCESS",
            Ending::Failure(_) => "FAILURE",
            Ending::Cancelled => "CANCELLED",
        };
        counter!(OUTCOMES, "arm" => arm, "status" => status).increment(1);
        if let Some(cost) = outcome.cost {
            self.cost.fetch_add(cost.billionths(), Ordering::Relaxed);
        }
    }

    /// A report came.
    pub fn reported(&self, result: &'static str) {
        counter!(REPORTS, "result" => result).increment(1);
    }

    /// A caller was told whether to try again.
    pub fn retried(&self, result: &'static str) {
        counter!(RETRY_DECISIONS, "result" => result).increment(1);
    }

    /// What all actions cost that were reported, in units of the currency.
    #[must_use]
    pub fn cost(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
        let billionths = self.cost.load(Ordering::Relaxed) as f64;
        billionths / 1e9
    }
}
