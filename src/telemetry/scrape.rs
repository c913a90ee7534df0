//! The recorder of this process, and who is asked when a scrape comes.
//!
//! Rare events are counted through the `metrics` crate where they happen. What happens in every
//! decision is counted per thread (see [`super::decisions`]) and handed over when a scrape asks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::metrics::BUNDLE_SWAP_DURATION;
use super::page::{Format, Page};

const SWAP_BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

/// Something that counts by itself and hands over what it counted when a scrape asks.
pub trait AtScrape: Send + Sync {
    /// Brings counters and gauges up to date, and adds to the page what they cannot carry.
    fn hand_over(&self, page: &mut Page);
}

static COUNTING: Mutex<Vec<Weak<dyn AtScrape>>> = Mutex::new(Vec::new());

/// Makes every later scrape ask this one too, for as long as it lives.
pub fn ask_at_scrape(counting: Weak<dyn AtScrape>) {
    COUNTING.lock().unwrap_or_else(PoisonError::into_inner).push(counting);
}

/// Renders the metrics of this process.
#[derive(Clone, Debug)]
pub struct Handle(PrometheusHandle);

/// Installs the recorder of this process; later calls give the same one.
#[must_use]
pub fn install() -> Handle {
    static INSTALLED: OnceLock<Handle> = OnceLock::new();
    INSTALLED.get_or_init(first_install).clone()
}

fn first_install() -> Handle {
    let buckets = Matcher::Full(BUNDLE_SWAP_DURATION.to_owned());
    let builder = match PrometheusBuilder::new().set_buckets_for_metric(buckets, &SWAP_BUCKETS) {
        Ok(builder) => builder,
        Err(_) => PrometheusBuilder::new(),
    };
    let recorder = builder.build_recorder();
    let handle = Handle(recorder.handle());
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; this process counts into that one");
    }
    handle
}

impl Handle {
    /// The page that a scrape gets. It may take a while with many guardrails: not for a thread that
    /// others wait for.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let mut page = Page::default();
        for counting in counting() {
            counting.hand_over(&mut page);
        }
        page.take_in(&self.0.render());
        page.render(format)
    }
}

fn counting() -> Vec<Arc<dyn AtScrape>> {
    let mut all = COUNTING.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|one| one.strong_count() > 0);
    all.iter().filter_map(Weak::upgrade).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::{METRICS, REQUEST_PANICS};

    #[test]
    fn every_series_without_free_labels_is_there_from_the_start() {
        let first = install();
        let second = install();
        metrics::counter!(REQUEST_PANICS).increment(1);
        for page in [first.render(Format::Text), second.render(Format::Text)] {
            for want in [
                r#"tollgate_bundle_updates_total{result="applied"} "#,
                r#"tollgate_bundle_updates_total{result="unchanged"} "#,
                r#"tollgate_bundle_updates_total{result="rejected"} "#,
                r#"tollgate_evaluation_errors_total{kind="decisive"} "#,
                r#"tollgate_evaluation_errors_total{kind="other"} "#,
                r#"tollgate_outcomes_total{arm="STABLE",status="FAILURE"} "#,
                r#"tollgate_cost_total{arm="STABLE"} "#,
                "tollgate_context_violations_total ",
                r#"tollgate_requests_shed_total{reason="overloaded"} "#,
                "tollgate_decision_duration_seconds_count ",
            ] {
                assert!(page.lines().any(|line| line.starts_with(want)), "{want}\n{page}");
            }
            for metric in METRICS {
                let head = format!("# TYPE {} {}", metric.name, metric.kind.name());
                assert_eq!(page.lines().filter(|line| *line == head).count(), 1, "{head}");
            }
            assert!(!page.contains("tollgate_request_panics_total 0"), "{page}");
        }
    }
}
