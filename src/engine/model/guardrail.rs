//! Guardrails as written: stateful action policies (design 1.7).

use super::{Placed, Target};
use crate::id::GuardrailName;
use crate::unit::{Money, Span};

/// One guardrail of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Guardrail {
    /// Its name, unique in the bundle, with where it stands.
    pub name: Placed<GuardrailName>,
    /// What it does.
    pub rules: Rules,
    /// What it is about.
    pub targeting: Target,
    /// Only `enabled` is evaluated.
    pub state: State,
    /// Orders retry policies and the report of several refusals: 50 by default.
    pub priority: i32,
    /// Whose state it is.
    pub scope_of_state: ScopeOfState,
    /// Whether it refuses or only counts.
    pub enforcement: Enforcement,
    /// How it refuses.
    pub refusal: Refusal,
    /// How many keys it may hold.
    pub max_keys: u64,
    /// What happens to a new key when it holds as many.
    pub on_max_keys: OnMaxKeys,
    /// After how long without a charge a key is dropped.
    pub idle: Span,
    /// For people.
    pub description: Box<str>,
    /// Free labels.
    pub tags: Vec<Box<str>>,
}

/// Whether a guardrail takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// It is evaluated.
    #[default]
    Enabled,
    /// Switched off.
    Disabled,
    /// Switched off for a while; keeps its counts.
    Paused,
    /// Not switched on yet.
    Draft,
}

/// Where a guardrail's state lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScopeOfState {
    /// In this process.
    #[default]
    Local,
    /// Shared by the fleet.
    Fleet,
}

/// Whether a guardrail refuses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// It does.
    #[default]
    Enforce,
    /// It counts what it would refuse.
    Shadow,
}

/// How a guardrail refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// THROTTLE, or DENY where no wait helps.
    Throttle,
    /// DENY, silently.
    Drop,
    /// DENY, loudly.
    Raise,
}

/// What happens to a new key when a guardrail is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMaxKeys {
    /// It is refused.
    #[default]
    Refuse,
    /// The least recently used key makes room.
    EvictLru,
}

/// One dimension of a guardrail's key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyDimension {
    /// One key for all.
    Global,
    /// A field of the request.
    Field(super::Field),
    /// The request id.
    Request,
    /// The flush.
    Batch,
    /// A value of the context.
    Context(Vec<Box<str>>),
}

impl KeyDimension {
    /// The name, as bundles spell it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Global => "global".into(),
            Self::Field(field) => field.name().into(),
            Self::Request => "request".into(),
            Self::Batch => "batch".into(),
            Self::Context(path) => format!("context.{}", path.join(".")),
        }
    }
}

/// The rules of a guardrail, by its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Rules {
    /// At most so many in any window.
    RateLimit(RateLimit),
    /// Whether and when to try again.
    Retry(Retry),
    /// The longest that an action may take.
    Timeout(Timeout),
    /// Stops calls to what keeps failing.
    CircuitBreaker(CircuitBreaker),
    /// How much a key may use.
    Budget(Budget),
    /// How many at once.
    Concurrency(Concurrency),
    /// A share of all.
    Sampling(Sampling),
}

impl Rules {
    /// The name of the type, as bundles spell it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::RateLimit(_) => "rate_limit",
            Self::Retry(_) => "retry",
            Self::Timeout(_) => "timeout",
            Self::CircuitBreaker(_) => "circuit_breaker",
            Self::Budget(_) => "budget",
            Self::Concurrency(_) => "concurrency",
            Self::Sampling(_) => "sampling",
        }
    }
}

/// `rate_limit`: at most `limit` in any window of that length.
#[derive(Clone, Debug, PartialEq)]
pub struct RateLimit {
    /// How many units.
    pub limit: u64,
    /// The window; `None` only where the key holds `batch`, whose flush is the window.
    pub window: Option<Span>,
    /// What is counted apart.
    pub key_by: Vec<KeyDimension>,
    /// How it is counted.
    pub algorithm: Algorithm,
    /// The request field that says how many units an action takes; absent: one.
    pub cost: Option<super::Path>,
    /// A random share added to `retry_after`, against herds.
    pub retry_after_spread: f64,
}

/// How a rate limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// Exact over every window.
    SlidingWindow,
    /// GCRA with this burst.
    TokenBucket {
        /// How many at once.
        burst: u64,
    },
}

/// `retry`: whether and when to try again.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// How often after the first attempt.
    pub max_retries: u32,
    /// The first delay.
    pub interval: Span,
    /// What each further delay is multiplied by.
    pub backoff_multiplier: f64,
    /// The longest delay.
    pub max_interval: Span,
    /// How delays are spread.
    pub jitter: Jitter,
    /// The errors worth another try.
    pub retry_on: Vec<ErrorKind>,
    /// The longest hint of a server that is obeyed.
    pub max_server_delay: Span,
    /// What the retry budget counts apart.
    pub key_by: Vec<KeyDimension>,
    /// A cap on retries as a share of first attempts.
    pub retry_budget: Option<RetryBudget>,
    /// The share of a server's hint, or of the delay under `ratio`, that jitter may move.
    pub jitter_ratio: f64,
}

/// How delays are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// Not at all.
    None,
    /// Anywhere from 0 to the delay.
    Full,
    /// Half fixed, half random.
    Equal,
    /// Around the delay by a ratio.
    Ratio,
}

/// What went wrong with an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// It may work next time.
    Transient,
    /// The other side asks for less.
    RateLimited,
    /// It took too long.
    Timeout,
    /// It will never work.
    Permanent,
}

/// A cap on retries as a share of first attempts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryBudget {
    /// Retries per first attempt.
    pub ratio: f64,
    /// Retries that are always allowed.
    pub min_per_second: f64,
    /// Over which both are counted.
    pub window: Span,
}

/// `timeout`: the longest that an action may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// That long.
    pub timeout: Span,
}

/// `circuit_breaker`: stops calls to what keeps failing.
#[derive(Clone, Debug, PartialEq)]
pub struct CircuitBreaker {
    /// So many failures in the window trip it.
    pub failure_threshold: Option<u32>,
    /// Such a share of failures trips it.
    pub failure_rate: Option<f64>,
    /// From how many calls on the share counts.
    pub minimum_calls: u32,
    /// The window; zero: since it closed.
    pub window: Span,
    /// How long it stays open.
    pub cooldown: Cooldown,
    /// What is counted apart.
    pub key_by: Vec<KeyDimension>,
    /// How many probes it lets through when it is half open.
    pub half_open_probes: u32,
    /// A success this slow counts as a failure.
    pub slow_call: Option<Span>,
    /// After how long an unreported probe is given to the next caller.
    pub lease: Span,
    /// Which errors count.
    pub count_errors: Vec<ErrorKind>,
    /// What the cooldown is multiplied by when a probe fails.
    pub cooldown_multiplier: f64,
    /// The longest cooldown.
    pub max_cooldown: Option<Span>,
    /// A random share added to `retry_after`, against herds.
    pub retry_after_spread: f64,
}

/// How long a breaker stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cooldown {
    /// That long.
    For(Span),
    /// Until an operator closes it.
    Never,
}

/// `budget`: how much a key may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// What may be used; at least one.
    pub limits: BudgetLimits,
    /// The window; zero: the life of the key.
    pub window: Span,
    /// What is counted apart.
    pub key_by: Vec<KeyDimension>,
    /// What is reserved where no estimate is given.
    pub default_estimate: BudgetEstimate,
    /// After how long an unreported reservation ends.
    pub lease: Span,
    /// What happens then.
    pub on_expiry: OnExpiry,
}

/// The measures of a budget; absent ones do not bind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BudgetLimits {
    /// Actions of kind tool or other.
    pub max_tool_calls: Option<u64>,
    /// Actions of kind llm.
    pub max_llm_calls: Option<u64>,
    /// Tokens of actions of kind llm.
    pub max_llm_tokens: Option<u64>,
    /// Money.
    pub max_cost: Option<Money>,
    /// Compute units.
    pub max_compute: Option<u64>,
    /// Time.
    pub max_duration: Option<Span>,
}

/// What is reserved where no estimate is given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BudgetEstimate {
    /// Money.
    pub cost: Option<Money>,
    /// Tokens.
    pub tokens: Option<u64>,
    /// Compute units.
    pub compute: Option<u64>,
    /// Time.
    pub duration: Option<Span>,
}

/// What happens to a reservation that nobody settles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpiry {
    /// It is charged.
    #[default]
    Charge,
    /// It is given back.
    Release,
}

/// `concurrency`: how many at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Concurrency {
    /// That many.
    pub max_in_flight: u64,
    /// What is counted apart.
    pub key_by: Vec<KeyDimension>,
    /// After how long an unreported action gives its place back.
    pub lease: Span,
}

/// `sampling`: a share of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// The share that is kept, 0 to 1.
    pub rate: f64,
    /// What is kept or dropped together.
    pub key_by: Vec<KeyDimension>,
}
