//! The fields of each type of guardrail's rules (design 1.7).

use super::form::{Kind, Known, Shape};

pub(super) static RATE_LIMIT: Shape = Shape {
    what: "`rules` of a rate_limit",
    fields: &[
        Known::plain("limit"),
        Known::plain("window_seconds"),
        Known::of("key_by", Kind::Dimensions),
        Known::plain("algorithm"),
        Known::plain("burst"),
        Known::plain("cost"),
        Known::plain("retry_after_spread"),
    ],
};

pub(super) static RETRY: Shape = Shape {
    what: "`rules` of a retry",
    fields: &[
        Known::plain("max_retries"),
        Known::plain("interval_seconds"),
        Known::plain("backoff_multiplier"),
        Known::plain("max_interval_seconds"),
        Known::plain("jitter"),
        Known::plain("jitter_ratio"),
        Known::of("retry_on", Kind::Texts),
        Known::plain("max_server_delay_seconds"),
        Known::of("key_by", Kind::Dimensions),
        Known::of("retry_budget", Kind::Form(&RETRY_BUDGET)),
    ],
};

pub(super) static RETRY_BUDGET: Shape = Shape {
    what: "`retry_budget`",
    fields: &[Known::plain("ratio"), Known::plain("min_per_second"), Known::plain("window_seconds")],
};

pub(super) static TIMEOUT: Shape =
    Shape { what: "`rules` of a timeout", fields: &[Known::plain("timeout_seconds")] };

pub(super) static CIRCUIT_BREAKER: Shape = Shape {
    what: "`rules` of a circuit_breaker",
    fields: &[
        Known::plain("failure_threshold"),
        Known::plain("window_seconds"),
        Known::plain("cooldown_seconds"),
        Known::of("key_by", Kind::Dimensions),
        Known::plain("failure_rate"),
        Known::plain("minimum_calls"),
        Known::plain("half_open_probes"),
        Known::plain("slow_call_seconds"),
        Known::plain("lease_seconds"),
        Known::of("count_errors", Kind::Texts),
        Known::plain("cooldown_multiplier"),
        Known::plain("max_cooldown_seconds"),
        Known::plain("retry_after_spread"),
    ],
};

pub(super) static BUDGET: Shape = Shape {
    what: "`rules` of a budget",
    fields: &[
        Known::plain("max_tool_calls"),
        Known::plain("max_llm_calls"),
        Known::plain("max_llm_tokens"),
        Known::plain("max_cost"),
        Known::plain("max_compute"),
        Known::plain("max_duration_seconds"),
        Known::plain("window_seconds"),
        Known::of("key_by", Kind::Dimensions),
        Known::of("default_estimate", Kind::Form(&DEFAULT_ESTIMATE)),
        Known::plain("lease_seconds"),
        Known::plain("on_expiry"),
    ],
};

pub(super) static DEFAULT_ESTIMATE: Shape = Shape {
    what: "`default_estimate`",
    fields: &[
        Known::plain("cost"),
        Known::plain("tokens"),
        Known::plain("compute"),
        Known::plain("duration_seconds"),
    ],
};

pub(super) static CONCURRENCY: Shape = Shape {
    what: "`rules` of a concurrency",
    fields: &[
        Known::plain("max_in_flight"),
        Known::of("key_by", Kind::Dimensions),
        Known::plain("lease_seconds"),
    ],
};

pub(super) static SAMPLING: Shape = Shape {
    what: "`rules` of a sampling",
    fields: &[Known::plain("rate"), Known::of("key_by", Kind::Dimensions)],
};

/// The fields of all types; a name means the same in each that has it.
pub(super) static SHAPES: &[&Shape] =
    &[&RATE_LIMIT, &RETRY, &TIMEOUT, &CIRCUIT_BREAKER, &BUDGET, &CONCURRENCY, &SAMPLING];
