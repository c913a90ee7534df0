//! Counting what callers report, and what they are told about retries.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::counter;
use tollgate_engine::guardrail::report::{Ending, Outcome};

use super::decisions::Sums;
use super::metrics::{OUTCOMES, REPORTS, RETRY_DECISIONS};
use super::recent::Counts;

/// What actions cost that were reported, which a counter of whole numbers cannot carry.
#[derive(Debug, Default)]
pub struct Outcomes {
    /// In billionths.
    cost: AtomicU64,
    ended: AtomicU64,
    /// Those that failed and whose decision had no error of its own.
    failed: AtomicU64,
}

impl Outcomes {
    /// An action ended and was reported for the first time; `erred` says whether its decision met a
    /// condition that could not be evaluated.
    pub fn ended(&self, arm: &'static str, outcome: &Outcome, erred: bool) {
        let status = match outcome.ending {
            Ending::Success => "SUCCESS",
            Ending::Failure(_) => "FAILURE",
            Ending::Cancelled => "CANCELLED",
        };
        counter!(OUTCOMES, "arm" => arm, "status" => status).increment(1);
        self.ended.fetch_add(1, Ordering::Relaxed);
        if matches!(outcome.ending, Ending::Failure(_)) && !erred {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(cost) = outcome.cost {
            // Callers say what it cost, and some say nonsense: a counter that wrapped would go back.
            let _ = self.cost.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |sum| {
                Some(sum.saturating_add(cost.billionths()))
            });
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

    /// These outcomes beside those decisions.
    #[must_use]
    pub fn beside(&self, decisions: &Sums) -> Counts {
        Counts {
            decisions: decisions.count(),
            erred: decisions.erred,
            allowed: decisions.allowed,
            ended: self.ended.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            cost: self.cost.load(Ordering::Relaxed),
        }
    }

    /// What all actions cost that were reported, in units of the currency.
    #[must_use]
    pub fn cost(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
        let billionths = self.cost.load(Ordering::Relaxed) as f64;
        billionths / 1e9
    }
}
