//! Every metric by name, and the page that a scrape gets.
//!
//! Rare events are counted through the `metrics` crate where they happen. What happens in every
//! decision is counted per thread (see [`super::decisions`]) and handed over when a scrape asks.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::page::Page;

/// Decisions, by `arm`, `effect`, `reason_code`, `phase`, `agent` and `action`.
pub const DECISIONS: &str = "tollgate_decisions_total";
/// How long decisions took, without the network and the codec.
pub const DECISION_DURATION: &str = "tollgate_decision_duration_seconds";
/// Conditions that could not be evaluated, by `kind`: `decisive` or `other`.
pub const EVALUATION_ERRORS: &str = "tollgate_evaluation_errors_total";
/// Fields of a context that do not fit what the bundle declares.
pub const CONTEXT_VIOLATIONS: &str = "tollgate_context_violations_total";
/// Contents that a source offered, by `result`: `applied`, `unchanged` or `rejected`.
pub const BUNDLE_UPDATES: &str = "tollgate_bundle_updates_total";
/// 1 for the bundle that serves, by `version`, `digest` and `arm`.
pub const BUNDLE_INFO: &str = "tollgate_bundle_info";
/// How long ago the bundle that serves was put in force.
pub const BUNDLE_AGE: &str = "tollgate_bundle_age_seconds";
/// 1 while the bundle that serves is older than what its source holds, and that cannot be read.
pub const BUNDLE_STALE: &str = "tollgate_bundle_stale";
/// How long it took from the content of a bundle to its being in force.
pub const BUNDLE_SWAP_DURATION: &str = "tollgate_bundle_swap_duration_seconds";
/// Approvals by what `became` of them: `opened`, `granted`, `denied`, `expired` or `void`.
pub const APPROVALS: &str = "tollgate_approvals_total";
/// Approvals that are open now.
pub const APPROVALS_OPEN: &str = "tollgate_approvals_open";
/// Reports, by `result`: `APPLIED`, `DUPLICATE`, `RENEWED` or `UNKNOWN`.
pub const REPORTS: &str = "tollgate_reports_total";
/// Actions that ended and were reported for the first time, by `arm` and `status`.
pub const OUTCOMES: &str = "tollgate_outcomes_total";
/// What reported actions cost, in units of the bundle's currency, by `arm`.
pub const COST: &str = "tollgate_cost_total";
/// Retry decisions, by `result`: `RETRY`, `RETRY_AFTER` or `FAIL`.
pub const RETRY_DECISIONS: &str = "tollgate_retry_decisions_total";
/// Allowed actions whose report is awaited.
pub const OPEN_DECISIONS: &str = "tollgate_open_decisions";
/// Allowed actions that were forgotten before their report, for want of room.
pub const OPEN_DECISIONS_DROPPED: &str = "tollgate_open_decisions_dropped_total";
/// Allowed actions that nobody reported within the hour after their leases ended.
pub const OPEN_DECISIONS_EXPIRED: &str = "tollgate_open_decisions_expired_total";
/// Actions that a guardrail refused, by `guardrail`, `type` and `enforcement`: `enforce`, or
/// `shadow` where it only would have.
pub const GUARDRAIL_REFUSALS: &str = "tollgate_guardrail_refusals_total";
/// Keys that a guardrail holds.
pub const GUARDRAIL_KEYS: &str = "tollgate_guardrail_keys";
/// Keys that made room for others while they still held something.
pub const GUARDRAIL_EVICTED: &str = "tollgate_guardrail_keys_evicted_total";
/// Reports that a breaker could not count, for want of room for their key.
pub const GUARDRAIL_DROPPED: &str = "tollgate_guardrail_reports_dropped_total";
/// Keys of a circuit breaker that are in this `state`.
pub const BREAKER_STATE: &str = "tollgate_breaker_state";
/// What operators did, by `operation`: `FORCE_OPEN`, `CLOSE`, `DISABLE`, `RESET`, `SET_STOP` or
/// `CLEAR_STOP`.
pub const OPERATOR_ACTIONS: &str = "tollgate_operator_actions_total";
/// Emergency stops in force.
pub const EMERGENCY_STOPS: &str = "tollgate_emergency_stops";
/// What was shed so that others are served, by `reason` ([`SHED_REASONS`]).
pub const REQUESTS_SHED: &str = "tollgate_requests_shed_total";
/// Requests that were answered INTERNAL because deciding them panicked.
pub const REQUEST_PANICS: &str = "tollgate_request_panics_total";
/// Writes of the state file, by `result`: `written` or `failed`.
pub const STATE_WRITES: &str = "tollgate_state_writes_total";
/// How old the newest state file is: what a kill would lose.
pub const STATE_AGE: &str = "tollgate_state_age_seconds";
/// How many bytes it has.
pub const STATE_BYTES: &str = "tollgate_state_bytes";
/// Events, by `type`.
pub const EVENTS: &str = "tollgate_events_total";
/// Events that nobody got, since too many came at once.
pub const EVENTS_DROPPED: &str = "tollgate_events_dropped_total";
/// Who follows the events now.
pub const EVENT_SUBSCRIBERS: &str = "tollgate_event_subscribers";
/// Subscribers of events that were too slow.
pub const EVENT_SUBSCRIBERS_DROPPED: &str = "tollgate_event_subscribers_dropped_total";

/// The values of `reason` in [`REQUESTS_SHED`]: calls and items that waited too long for their turn,
/// that would have held too much memory, that came when enough streams or explanations were open, or
/// were not done in time; clients that read nothing, gave up too much, or said nothing at all.
pub const SHED_REASONS: [&str; 8] =
    ["overloaded", "memory", "streams", "explanations", "late", "stalled", "resets", "silent"];
/// The values of `result` in [`STATE_WRITES`].
pub const WRITE_RESULTS: [&str; 2] = ["written", "failed"];
/// The values of `result` in [`BUNDLE_UPDATES`].
pub const UPDATE_RESULTS: [&str; 3] = ["applied", "unchanged", "rejected"];
/// The values of `became` in [`APPROVALS`].
pub const APPROVALS_BECAME: [&str; 5] = ["opened", "granted", "denied", "expired", "void"];
/// The values of `operation` in [`OPERATOR_ACTIONS`].
pub const OPERATIONS: [&str; 6] = ["FORCE_OPEN", "CLOSE", "DISABLE", "RESET", "SET_STOP", "CLEAR_STOP"];
/// The values of `kind` in [`EVALUATION_ERRORS`].
pub const ERROR_KINDS: [&str; 2] = ["decisive", "other"];

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
    describe();
    start_at_zero();
    handle
}

fn describe() {
    describe_counter!(DECISIONS, Unit::Count, "Decisions");
    describe_counter!(EVALUATION_ERRORS, Unit::Count, "Conditions that could not be evaluated");
    describe_counter!(
        CONTEXT_VIOLATIONS,
        Unit::Count,
        "Fields of a context that do not fit what the bundle declares"
    );
    describe_counter!(BUNDLE_UPDATES, Unit::Count, "Contents that a bundle source offered");
    describe_counter!(REPORTS, Unit::Count, "Reports of how actions ended");
    describe_counter!(OUTCOMES, Unit::Count, "Actions that ended, as reported");
    describe_counter!(RETRY_DECISIONS, Unit::Count, "Answers to whether to try again");
    describe_gauge!(OPEN_DECISIONS, Unit::Count, "Allowed actions whose report is awaited");
    describe_counter!(
        OPEN_DECISIONS_DROPPED,
        Unit::Count,
        "Allowed actions that were forgotten before their report, for want of room"
    );
    describe_counter!(OPEN_DECISIONS_EXPIRED, Unit::Count, "Allowed actions that nobody reported in time");
    describe_counter!(
        REQUEST_PANICS,
        Unit::Count,
        "Requests that were answered INTERNAL because deciding them panicked"
    );
    describe_counter!(
        REQUESTS_SHED,
        Unit::Count,
        "Requests and connections that were shed so that others are served"
    );
    describe_counter!(APPROVALS, Unit::Count, "Approvals by what became of them");
    describe_gauge!(APPROVALS_OPEN, Unit::Count, "Approvals that are open now");
    describe_counter!(OPERATOR_ACTIONS, Unit::Count, "What operators did to guardrails and stops");
    describe_gauge!(EMERGENCY_STOPS, Unit::Count, "Emergency stops in force");
    describe_counter!(STATE_WRITES, Unit::Count, "Writes of the state file");
    describe_gauge!(STATE_AGE, Unit::Seconds, "Age of the newest state file");
    describe_gauge!(STATE_BYTES, Unit::Bytes, "Size of the newest state file");
    describe_counter!(EVENTS, Unit::Count, "Events that subscribers can follow");
    describe_counter!(EVENTS_DROPPED, Unit::Count, "Events that nobody got, since too many came at once");
    describe_gauge!(EVENT_SUBSCRIBERS, Unit::Count, "Subscribers that follow the events");
    describe_counter!(
        EVENT_SUBSCRIBERS_DROPPED,
        Unit::Count,
        "Subscribers of events that were dropped since they were too slow"
    );
    describe_gauge!(BUNDLE_AGE, Unit::Seconds, "Age of the bundle that serves");
    describe_gauge!(
        BUNDLE_STALE,
        Unit::Count,
        "Whether the bundle that serves is older than what its source holds"
    );
    describe_histogram!(
        BUNDLE_SWAP_DURATION,
        Unit::Seconds,
        "From the content of a bundle to its being in force"
    );
}

/// A series that is missing and one that stands at zero are different alarms.
fn start_at_zero() {
    for result in UPDATE_RESULTS {
        counter!(BUNDLE_UPDATES, "result" => result).absolute(0);
    }
    for became in APPROVALS_BECAME {
        counter!(APPROVALS, "became" => became).absolute(0);
    }
    for kind in ERROR_KINDS {
        counter!(EVALUATION_ERRORS, "kind" => kind).absolute(0);
    }
    for result in WRITE_RESULTS {
        counter!(STATE_WRITES, "result" => result).absolute(0);
    }
    for result in ["APPLIED", "DUPLICATE", "RENEWED", "UNKNOWN"] {
        counter!(REPORTS, "result" => result).absolute(0);
    }
    for result in ["RETRY", "RETRY_AFTER", "FAIL"] {
        counter!(RETRY_DECISIONS, "result" => result).absolute(0);
    }
    for operation in OPERATIONS {
        counter!(OPERATOR_ACTIONS, "operation" => operation).absolute(0);
    }
    counter!(CONTEXT_VIOLATIONS).absolute(0);
    for reason in SHED_REASONS {
        counter!(REQUESTS_SHED, "reason" => reason).absolute(0);
    }
    counter!(REQUEST_PANICS).absolute(0);
    counter!(EVENTS_DROPPED).absolute(0);
    counter!(EVENT_SUBSCRIBERS_DROPPED).absolute(0);
    gauge!(EVENT_SUBSCRIBERS).set(0.0);
}

impl Handle {
    /// The page that a scrape gets, in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        let mut page = Page::default();
        for counting in counting() {
            counting.hand_over(&mut page);
        }
        let mut text = self.0.render();
        page.append_to(&mut text);
        text
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

    #[test]
    fn every_series_without_free_labels_is_there_from_the_start() {
        let first = install();
        let second = install();
        counter!(REQUEST_PANICS).increment(1);
        for page in [first.render(), second.render()] {
            for want in [
                r#"tollgate_bundle_updates_total{result="applied"} "#,
                r#"tollgate_bundle_updates_total{result="unchanged"} "#,
                r#"tollgate_bundle_updates_total{result="rejected"} "#,
                r#"tollgate_evaluation_errors_total{kind="decisive"} "#,
                r#"tollgate_evaluation_errors_total{kind="other"} "#,
                "tollgate_context_violations_total ",
                "tollgate_requests_shed_total{reason=\"overloaded\"} ",
                "tollgate_decision_duration_seconds_count ",
                "# TYPE tollgate_bundle_info gauge",
            ] {
                assert!(page.lines().any(|line| line.starts_with(want)), "{want}\n{page}");
            }
            assert!(!page.contains("tollgate_request_panics_total 0"), "{page}");
        }
    }
}
