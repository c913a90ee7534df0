//! Every metric: its name, kind, labels, and what it says.
//!
//! The page of a scrape takes its HELP and TYPE lines from this table, and so does `docs/metrics.md`.
//! What is not in it is not on the page.

pub use super::scrape::{AtScrape, Handle, ask_at_scrape, install};

use Values::{Of, Open};

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How its values move.
    pub kind: Kind,
    /// Its labels, in the order in which they are written.
    pub labels: &'static [(&'static str, Values)],
    /// The lines of what it says.
    pub help: &'static [&'static str],
    /// The chapter of the manual that it belongs to.
    pub group: &'static str,
}

/// How the values of a metric move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Up, and back to 0 with a new process.
    Counter,
    /// Up and down.
    Gauge,
    /// Counters by size.
    Histogram,
}

/// What a label can be.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// One of these. A counter has a series for each from the start: one that is missing and one
    /// that stands at zero are different alarms.
    Of(&'static [&'static str]),
    /// Not known beforehand, but bounded by this.
    Open(&'static str),
}

impl Kind {
    /// The name in Prometheus' formats.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

impl Metric {
    /// What it says, as one text.
    #[must_use]
    pub fn about(&self) -> String {
        let lines: Vec<&str> = self.help.iter().map(|line| line.trim()).collect();
        lines.join(" ")
    }

    /// The unit at the end of its name.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes"].into_iter().find(|unit| name.ends_with(&format!("_{unit}")))
    }

    /// Every set of its labels, as it is written, if all are known.
    #[must_use]
    pub fn known_series(&self) -> Option<Vec<String>> {
        let mut sets = vec![String::new()];
        for (label, values) in self.labels {
            let Of(values) = values else { return None };
            let one = |set: &String, value: &&str| {
                let comma = if set.is_empty() { "" } else { "," };
                format!("{set}{comma}{label}=\"{value}\"")
            };
            sets = sets.iter().flat_map(|set| values.iter().map(move |value| one(set, value))).collect();
        }
        let braced = |set: &String| if set.is_empty() { String::new() } else { format!("{{{set}}}") };
        Some(sets.iter().map(braced).collect())
    }
}

const AGENTS: Values = Open("those that the bundle names, else `other`");
const ACTIONS: Values = AGENTS;
const GUARDRAILS: Values = Open("the guardrails of the bundle that serves");
const ARMS: Values = Of(&["STABLE"]);

macro_rules! metrics {
    ($($group:literal => { $(
        $(#[doc = $help:literal])+
        $name:ident: $kind:ident $text:literal [$($label:literal: $values:expr),*],
    )* })*) => {
        $($( $(#[doc = $help])+ pub const $name: &str = $text; )*)*

        /// All of them, in the order of the manual.
        pub const METRICS: &[Metric] = &[$($(Metric {
            name: $text,
            kind: Kind::$kind,
            labels: &[$(($label, $values)),*],
            help: &[$($help),+],
            group: $group,
        },)*)*];
    };
}

metrics! {
    "Decisions" => {
        /// Decisions, dry runs aside. At most `--metrics-max-series` series; further ones are counted
        /// with agent and action `other`.
        DECISIONS: Counter "tollgate_decisions_total" [
            "arm": Open("`STABLE`, or `BUILTIN` where no bundle decided"),
            "effect": Open("`ALLOW`, `DENY`, `REQUIRE_APPROVAL`, `THROTTLE`"),
            "reason_code": Open("the reason codes, in lower case"),
            "phase": Open("`DISPATCH`, `ENQUEUE`"),
            "agent": AGENTS,
            "action": ACTIONS
        ],
        /// How long decisions took, without the network and the codec. In OpenMetrics each bucket
        /// carries a decision as its exemplar.
        DECISION_DURATION: Histogram "tollgate_decision_duration_seconds" [],
        /// Conditions that could not be evaluated: `decisive` are decisions by `condition_error`, `other`
        /// are rules that did not decide, as far as they were looked at.
        EVALUATION_ERRORS: Counter "tollgate_evaluation_errors_total" ["kind": Of(&ERROR_KINDS)],
        /// Fields of a context that do not fit what the bundle declares.
        CONTEXT_VIOLATIONS: Counter "tollgate_context_violations_total" [],
        /// Decisions that would have come out as `to` instead of `from` if the guardrails in shadow were
        /// enforced.
        SHADOW_FLIPS: Counter "tollgate_shadow_flips_total" [
            "from": Open("an effect"),
            "to": Open("a stricter effect")
        ],
        /// What was shed so that others are served: calls, items of a stream and connections, by why.
        REQUESTS_SHED: Counter "tollgate_requests_shed_total" ["reason": Of(&SHED_REASONS)],
        /// Requests that were answered INTERNAL because deciding them panicked.
        REQUEST_PANICS: Counter "tollgate_request_panics_total" [],
    }
    "Reports and retries" => {
        /// Reports of how actions ended, by what became of the report.
        REPORTS: Counter "tollgate_reports_total" [
            "result": Of(&["APPLIED", "DUPLICATE", "RENEWED", "UNKNOWN"])
        ],
        /// Actions that ended and were reported for the first time.
        OUTCOMES: Counter "tollgate_outcomes_total" [
            "arm": ARMS,
            "status": Of(&["SUCCESS", "FAILURE", "CANCELLED"])
        ],
        /// What reported actions cost, in units of the bundle's currency.
        COST: Counter "tollgate_cost_total" ["arm": ARMS],
        /// Answers to whether to try again.
        RETRY_DECISIONS: Counter "tollgate_retry_decisions_total" [
            "result": Of(&["RETRY", "RETRY_AFTER", "FAIL"])
        ],
        /// Allowed actions whose report is awaited.
        OPEN_DECISIONS: Gauge "tollgate_open_decisions" [],
        /// Allowed actions that were forgotten before their report, for want of room.
        OPEN_DECISIONS_DROPPED: Counter "tollgate_open_decisions_dropped_total" [],
        /// Allowed actions that nobody reported within the hour after their leases ended.
        OPEN_DECISIONS_EXPIRED: Counter "tollgate_open_decisions_expired_total" [],
    }
    "Health of the policy" => {
        /// The share of the last five minutes' decisions that went wrong: a condition could not be
        /// evaluated, or the action was reported as failed, each decision once. Failures count where at
        /// least half of the allowed actions were reported. No series while there was no decision.
        ERROR_RATE: Gauge "policy_error_rate_5m" [],
        /// What the actions cost that were reported in the last 24 hours, in units of the bundle's
        /// currency, as far as this process lived.
        COST_24H: Gauge "policy_cost_24h" [],
        /// Whether the gates of the rollout under way passed when they were last judged (1) or not (0). No
        /// series while no rollout is under way, and a sidecar that follows a file has none.
        CANARY_GATE: Gauge "policy_canary_gate_passed" [],
    }
    "Guardrails" => {
        /// Actions that a guardrail refused, or with `shadow` would have.
        GUARDRAIL_REFUSALS: Counter "tollgate_guardrail_refusals_total" [
            "guardrail": GUARDRAILS,
            "type": Open("the types of guardrails"),
            "enforcement": Open("`enforce`, `shadow`")
        ],
        /// Keys that a guardrail holds.
        GUARDRAIL_KEYS: Gauge "tollgate_guardrail_keys" ["guardrail": GUARDRAILS],
        /// Keys that made room for others while they still held something.
        GUARDRAIL_EVICTED: Counter "tollgate_guardrail_keys_evicted_total" ["guardrail": GUARDRAILS],
        /// Reports that a breaker or a budget could not count, for want of room for their key.
        GUARDRAIL_DROPPED: Counter "tollgate_guardrail_reports_dropped_total" ["guardrail": GUARDRAILS],
        /// Keys of a circuit breaker that are in this state.
        BREAKER_STATE: Gauge "tollgate_breaker_state" [
            "guardrail": GUARDRAILS,
            "state": Open("`closed`, `open`, `half_open`, `forced_open`, `disabled`")
        ],
    }
    "Approvals and operators" => {
        /// Approvals by what became of them.
        APPROVALS: Counter "tollgate_approvals_total" ["became": Of(&APPROVALS_BECAME)],
        /// Approvals that are open now.
        APPROVALS_OPEN: Gauge "tollgate_approvals_open" [],
        /// What operators did to guardrails and stops.
        OPERATOR_ACTIONS: Counter "tollgate_operator_actions_total" ["operation": Of(&OPERATIONS)],
        /// Emergency stops in force.
        EMERGENCY_STOPS: Gauge "tollgate_emergency_stops" [],
    }
    "The bundle" => {
        /// Contents that a source offered.
        BUNDLE_UPDATES: Counter "tollgate_bundle_updates_total" ["result": Of(&UPDATE_RESULTS)],
        /// 1 for the bundle that serves.
        BUNDLE_INFO: Gauge "tollgate_bundle_info" [
            "version": Open("that of the bundle that serves"),
            "digest": Open("that of the bundle that serves"),
            "arm": Open("`STABLE`")
        ],
        /// How long ago the bundle that serves was put in force.
        BUNDLE_AGE: Gauge "tollgate_bundle_age_seconds" [],
        /// 1 while the bundle that serves is older than what its source holds, and that cannot be read.
        BUNDLE_STALE: Gauge "tollgate_bundle_stale" [],
        /// How long it took from the content of a bundle to its being in force.
        BUNDLE_SWAP_DURATION: Histogram "tollgate_bundle_swap_duration_seconds" [],
    }
    "TLS" => {
        /// Handshakes of TLS. What they mean is in `docs/tls.md`.
        TLS_HANDSHAKES: Counter "tollgate_tls_handshakes_total" [
            "port": Of(&["grpc", "http"]),
            "result": Of(&HANDSHAKE_RESULTS)
        ],
        /// Looks at changed certificates, keys and roots; `unchanged` at SIGHUP alone.
        TLS_RELOADS: Counter "tollgate_tls_reloads_total" ["result": Of(&UPDATE_RESULTS)],
        /// When the certificate that serves ends, in seconds since 1970.
        TLS_EXPIRY: Gauge "tollgate_tls_certificate_expiry_timestamp_seconds" [],
        /// 1 while what serves of TLS is older than its files, and those are refused.
        TLS_STALE: Gauge "tollgate_tls_stale" [],
    }
    "State over a restart" => {
        /// Writes of the state file.
        STATE_WRITES: Counter "tollgate_state_writes_total" ["result": Of(&WRITE_RESULTS)],
        /// How old the newest state file is: what a kill would lose.
        STATE_AGE: Gauge "tollgate_state_age_seconds" [],
        /// The size of the newest state file.
        STATE_BYTES: Gauge "tollgate_state_bytes" [],
    }
    "Traces" => {
        /// Spans that the collector took.
        SPANS_EXPORTED: Counter "tollgate_trace_spans_exported_total" [],
        /// Spans that nobody gets, because the collector is slow, away, or refuses them.
        SPANS_DROPPED: Counter "tollgate_trace_spans_dropped_total" [],
    }
    "Decision log" => {
        /// Records of the decision log that are where they should go: in a file, or with the collector.
        LOG_WRITTEN: Counter "tollgate_decision_log_written_total" [],
        /// Records of the decision log that were lost: for want of room (`drop_newest`, `drop_oldest`,
        /// `too_large`, `queue`), together with the action (`refused`), or since nobody took them
        /// (`unsent`).
        LOG_DROPPED: Counter "tollgate_decision_log_dropped_total" ["reason": Of(&LOG_REASONS)],
        /// Decisions and reports that are not recorded, since only a share of them is.
        LOG_SAMPLED_OUT: Counter "tollgate_decision_log_sampled_out_total" [],
        /// Bytes of the decision log, as lines.
        LOG_BYTES: Counter "tollgate_decision_log_bytes_total" [],
        /// Attempts to write or to send the decision log that failed.
        LOG_ERRORS: Counter "tollgate_decision_log_errors_total" [],
        /// Records that wait to be written.
        LOG_QUEUE: Gauge "tollgate_decision_log_queue_bytes" [],
        /// What waits for the collector.
        LOG_UNSENT: Gauge "tollgate_decision_log_unsent_bytes" [],
        /// How long the oldest record has waited that is not where it should go.
        LOG_LAG: Gauge "tollgate_decision_log_lag_seconds" [],
    }
    "Events" => {
        /// Events that subscribers can follow.
        EVENTS: Counter "tollgate_events_total" ["type": Open("the types of events")],
        /// Events that nobody got, since too many came at once.
        EVENTS_DROPPED: Counter "tollgate_events_dropped_total" [],
        /// Subscribers that follow the events now.
        EVENT_SUBSCRIBERS: Gauge "tollgate_event_subscribers" [],
        /// Subscribers of events that were dropped since they were too slow.
        EVENT_SUBSCRIBERS_DROPPED: Counter "tollgate_event_subscribers_dropped_total" [],
    }
}

/// The values of `reason` in [`REQUESTS_SHED`]: calls and items that waited too long for their turn,
/// that would have held too much memory, that came when enough streams or explanations were open, or
/// were not done in time; clients that read nothing, gave up too much, or said nothing at all.
pub const SHED_REASONS: [&str; 8] =
    ["overloaded", "memory", "streams", "explanations", "late", "stalled", "resets", "silent"];
/// The values of `reason` in [`LOG_DROPPED`].
pub const LOG_REASONS: [&str; 6] = ["drop_newest", "drop_oldest", "refused", "too_large", "unsent", "queue"];
/// The values of `result` in [`STATE_WRITES`].
pub const WRITE_RESULTS: [&str; 2] = ["written", "failed"];
/// The values of `result` in [`BUNDLE_UPDATES`].
pub const UPDATE_RESULTS: [&str; 3] = ["applied", "unchanged", "rejected"];
/// The values of `result` in [`TLS_HANDSHAKES`].
pub const HANDSHAKE_RESULTS: [&str; 9] = [
    "accepted",
    "timeout",
    "shed",
    "no_certificate",
    "bad_certificate",
    "name_not_allowed",
    "refused_by_client",
    "protocol",
    "closed",
];
/// The values of `became` in [`APPROVALS`].
pub const APPROVALS_BECAME: [&str; 5] = ["opened", "granted", "denied", "expired", "void"];
/// The values of `operation` in [`OPERATOR_ACTIONS`].
pub const OPERATIONS: [&str; 6] = ["FORCE_OPEN", "CLOSE", "DISABLE", "RESET", "SET_STOP", "CLEAR_STOP"];
/// The values of `kind` in [`EVALUATION_ERRORS`].
pub const ERROR_KINDS: [&str; 2] = ["decisive", "other"];

/// The metric of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|metric| metric.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_their_kind() {
        let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
        for metric in METRICS {
            let counts = metric.kind == Kind::Counter;
            assert_eq!(metric.name.ends_with("_total"), counts, "{}", metric.name);
            assert!(metric.about().ends_with('.'), "{}", metric.name);
        }
    }

    #[test]
    fn the_series_of_known_labels_are_all_their_combinations() {
        let series = |name| find(name).and_then(Metric::known_series);
        assert_eq!(series(REQUEST_PANICS), Some(vec![String::new()]));
        assert_eq!(series(OUTCOMES).unwrap()[1], r#"{arm="STABLE",status="FAILURE"}"#);
        assert_eq!(series(OUTCOMES).unwrap().len(), 3);
        assert_eq!(series(DECISIONS), None);
        assert_eq!(find(STATE_AGE).and_then(Metric::unit), Some("seconds"));
    }
}
