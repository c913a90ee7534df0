//! Keeps account of what sources offered, in the status, the metrics and the log.
//!
//! It is written before the state changes, so that who sees a state finds its reason.

use metrics::counter;

use super::install::Outcome;
use super::refusal::Refusal;
use super::status::LastError;
use super::{DataPlane, lock};
use crate::telemetry::metrics::BUNDLE_UPDATES;

impl DataPlane {
    pub(super) fn note(&self, outcome: &Outcome) {
        let mut book = lock(&self.book);
        let (count, result) = match outcome {
            Outcome::Applied => (&mut book.updates.applied, "applied"),
            Outcome::Unchanged => (&mut book.updates.unchanged, "unchanged"),
            Outcome::Rejected(_) => (&mut book.updates.rejected, "rejected"),
        };
        *count += 1;
        book.last_error = None;
        drop(book);
        counter!(BUNDLE_UPDATES, "result" => result).increment(1);
        if let Outcome::Rejected(refusal) = outcome {
            self.note_error(refusal.clone());
        }
    }

    pub(super) fn note_error(&self, refusal: Refusal) {
        let at = jiff::Timestamp::from(self.clock.wall()).to_string();
        lock(&self.book).last_error = Some(LastError { at, refusal });
    }

    pub(super) fn say(&self, outcome: &Outcome) {
        let snapshot = self.snapshot.load();
        let serving = snapshot.serving.as_ref();
        let version = serving.map_or("none", |serving| serving.version.as_str());
        let digest = serving.map_or("none", |serving| serving.digest.as_str());
        match outcome {
            Outcome::Applied => {
                let rules = serving.map_or(0, |serving| serving.compiled.source().rules.len());
                tracing::info!(version, digest, rules, "bundle in force");
            }
            Outcome::Unchanged => tracing::info!(version, digest, "bundle unchanged"),
            Outcome::Rejected(refusal) => {
                let source = refusal.source.as_str();
                for finding in &refusal.findings {
                    tracing::error!(source, finding, "bundle refused");
                }
                tracing::warn!(version, digest, "{}", self.consequence());
            }
        }
    }

    pub(super) fn consequence(&self) -> &'static str {
        if self.is_ready() {
            "the last good bundle stays in force"
        } else {
            "no bundle serves: everything is denied"
        }
    }
}
