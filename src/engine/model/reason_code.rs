//! Why a decision came out as it did: stable codes, never renumbered, never reused.

/// The reason code of an answer; the numbers are those of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// A rule allowed or denied.
    Rule = 1,
    /// No rule matched and the bundle allows by default.
    DefaultAllow = 2,
    /// No rule matched and the bundle denies by default.
    DefaultDeny = 3,
    /// No rule matched at enqueue; the dispatch decides.
    DefaultEnqueue = 4,
    /// A deny or require_approval rule decided because its condition erred.
    ConditionError = 5,
    /// No bundle has been read yet.
    NoBundle = 6,
    /// The bundle may not be used any longer.
    BundleExpired = 7,
    /// An operator stopped it.
    EmergencyStop = 8,
    /// People must approve and no grant was presented.
    ApprovalRequired = 10,
    /// A grant was accepted.
    GrantAccepted = 11,
    /// The grant is out of date.
    GrantExpired = 12,
    /// The grant was used before.
    GrantSpent = 13,
    /// The grant is for another request.
    GrantMismatch = 14,
    /// The grant cannot be verified.
    GrantUnverifiable = 15,
    /// Too many approvals are open.
    ApprovalsFull = 16,
    /// A rate limit is used up.
    RateLimited = 20,
    /// A circuit breaker is open.
    BreakerOpen = 21,
    /// A circuit breaker is half open and its probes are out.
    BreakerProbing = 22,
    /// Too many are in flight.
    ConcurrencyFull = 23,
    /// What is left of a budget is reserved.
    BudgetReserved = 24,
    /// The sample leaves it out.
    SampledOut = 25,
    /// A guardrail holds as many keys as it may.
    KeysFull = 26,
    /// Another item of an all-or-nothing batch was refused.
    BatchRefused = 27,
    /// One item of a batch or stream was shed.
    Overloaded = 28,
    /// No wait can make room for it.
    LimitUnreachable = 30,
    /// A budget is used up.
    BudgetExhausted = 31,
    /// An operator holds a breaker open.
    ForcedOpen = 32,
    /// One item of a batch or stream is malformed.
    InvalidRequest = 33,
    /// It cannot be logged and may not go unlogged.
    LogUnavailable = 34,
    /// The context does not fit the declared fields.
    ContextInvalid = 35,
    /// Retry after the computed delay.
    RetryBackoff = 40,
    /// Retry when the server said.
    RetryServerHint = 41,
    /// The error is permanent.
    RetryPermanent = 42,
    /// All attempts are used.
    RetryAttemptsExhausted = 43,
    /// This kind of error is not retried.
    RetryKindNotRetryable = 44,
    /// The server said not to.
    RetryServerRefused = 45,
    /// The server asks for too long a delay.
    RetryServerDelayTooLong = 46,
    /// The delay passes the deadline of the caller.
    RetryDeadline = 47,
    /// The retry budget is used up.
    RetryBudgetExhausted = 48,
    /// No retry policy matches.
    RetryNoPolicy = 49,
    /// A circuit breaker will still be open.
    RetryBreakerOpen = 50,
    /// The budget of the run is used up.
    RetryRunBudgetExhausted = 51,
}

impl ReasonCode {
    /// Every code.
    pub const ALL: [Self; 42] = [
        Self::Rule,
        Self::DefaultAllow,
        Self::DefaultDeny,
        Self::DefaultEnqueue,
        Self::ConditionError,
        Self::NoBundle,
        Self::BundleExpired,
        Self::EmergencyStop,
        Self::ApprovalRequired,
        Self::GrantAccepted,
        Self::GrantExpired,
        Self::GrantSpent,
        Self::GrantMismatch,
        Self::GrantUnverifiable,
        Self::ApprovalsFull,
        Self::RateLimited,
        Self::BreakerOpen,
        Self::BreakerProbing,
        Self::ConcurrencyFull,
        Self::BudgetReserved,
        Self::SampledOut,
        Self::KeysFull,
        Self::BatchRefused,
        Self::Overloaded,
        Self::LimitUnreachable,
        Self::BudgetExhausted,
        Self::ForcedOpen,
        Self::InvalidRequest,
        Self::LogUnavailable,
        Self::ContextInvalid,
        Self::RetryBackoff,
        Self::RetryServerHint,
        Self::RetryPermanent,
        Self::RetryAttemptsExhausted,
        Self::RetryKindNotRetryable,
        Self::RetryServerRefused,
        Self::RetryServerDelayTooLong,
        Self::RetryDeadline,
        Self::RetryBudgetExhausted,
        Self::RetryNoPolicy,
        Self::RetryBreakerOpen,
        Self::RetryRunBudgetExhausted,
    ];

    /// The code as logs, metrics and test files spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::DefaultAllow => "default_allow",
            Self::DefaultDeny => "default_deny",
            Self::DefaultEnqueue => "default_enqueue",
            Self::ConditionError => "condition_error",
            Self::NoBundle => "no_bundle",
            Self::BundleExpired => "bundle_expired",
            Self::EmergencyStop => "emergency_stop",
            Self::ApprovalRequired => "approval_required",
            Self::GrantAccepted => "grant_accepted",
            Self::GrantExpired => "grant_expired",
            Self::GrantSpent => "grant_spent",
            Self::GrantMismatch => "grant_mismatch",
            Self::GrantUnverifiable => "grant_unverifiable",
            Self::ApprovalsFull => "approvals_full",
            Self::RateLimited => "rate_limited",
            Self::BreakerOpen => "breaker_open",
            Self::BreakerProbing => "breaker_probing",
            Self::ConcurrencyFull => "concurrency_full",
            Self::BudgetReserved => "budget_reserved",
            Self::SampledOut => "sampled_out",
            Self::KeysFull => "keys_full",
            Self::BatchRefused => "batch_refused",
            Self::Overloaded => "overloaded",
            Self::LimitUnreachable => "limit_unreachable",
            Self::BudgetExhausted => "budget_exhausted",
            Self::ForcedOpen => "forced_open",
            Self::InvalidRequest => "invalid_request",
            Self::LogUnavailable => "log_unavailable",
            Self::ContextInvalid => "context_invalid",
            Self::RetryBackoff => "retry_backoff",
            Self::RetryServerHint => "retry_server_hint",
            Self::RetryPermanent => "retry_permanent",
            Self::RetryAttemptsExhausted => "retry_attempts_exhausted",
            Self::RetryKindNotRetryable => "retry_kind_not_retryable",
            Self::RetryServerRefused => "retry_server_refused",
            Self::RetryServerDelayTooLong => "retry_server_delay_too_long",
            Self::RetryDeadline => "retry_deadline",
            Self::RetryBudgetExhausted => "retry_budget_exhausted",
            Self::RetryNoPolicy => "retry_no_policy",
            Self::RetryBreakerOpen => "retry_breaker_open",
            Self::RetryRunBudgetExhausted => "retry_run_budget_exhausted",
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> i32 {
        self as i32
    }
}
