//! A guardrail as requests meet it: its rules in the form that state is held against.

use std::sync::Arc;

use super::breaker::BreakerRules;
use super::budget::{Amounts, BudgetRules, Latest};
use super::concurrency::Concurrency;
use super::count_log::Shape;
use super::directory::Directory;
use super::key::{self, Key};
use super::rate_limit::{PerFlush, SlidingWindow, TokenBucket};
use super::retry::{RetryBudgetRules, RetryRules};
use super::sampling::{Sampling, kinds};
use crate::id::GuardrailName;
use crate::model::guardrail as written;
use crate::model::guardrail::{Algorithm, Enforcement, KeyDimension, OnMaxKeys, Refusal};
use crate::model::{Guardrail, Path};
use crate::unit::Span;

/// The number of a guardrail's state in this process. Two bundles that mean the same guardrail
/// share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GuardId(pub u32);

/// A guardrail as requests meet it.
#[derive(Debug)]
pub struct Guard {
    /// Whose state it reads.
    pub id: GuardId,
    /// Its name.
    pub name: GuardrailName,
    /// The place of its name among those of all guardrails that are live with it.
    pub(super) rank: u32,
    /// Which refusal is reported of several.
    pub priority: i32,
    /// Whether it refuses.
    pub enforcement: Enforcement,
    /// How it refuses.
    pub refusal: Refusal,
    /// How many keys it may hold.
    pub max_keys: u64,
    /// What happens to a new key then.
    pub on_max_keys: OnMaxKeys,
    /// After how long without a charge a key is dropped.
    pub idle: Span,
    /// What is counted apart.
    pub key_by: Vec<KeyDimension>,
    /// The request field that says how many units an action takes.
    pub cost: Option<Path>,
    /// A random share added to `retry_after`.
    pub spread: f64,
    /// What it does.
    pub rules: Rules,
    /// Its keys, shared by all who read the same state.
    pub(super) keys: Arc<Directory>,
    /// How far its windows have come, shared by those with windows of the same length: a request
    /// that still reads the guardrail as it was before a change cannot move the new windows.
    pub(super) latest: Arc<Latest>,
}

/// What a guardrail does, in the form that state is held against.
#[derive(Clone, Debug, PartialEq)]
pub enum Rules {
    /// `circuit_breaker`
    Breaker(BreakerRules),
    /// `concurrency`
    Concurrency(Concurrency),
    /// `rate_limit`, `sliding_window`
    SlidingWindow(SlidingWindow),
    /// `rate_limit`, `token_bucket`
    TokenBucket(TokenBucket),
    /// `rate_limit` by `batch`
    PerFlush(PerFlush),
    /// `budget`
    Budget(BudgetRules),
    /// `sampling`, with the kinds of its key
    Sampling(Sampling, Box<str>),
    /// `retry`
    Retry(RetryRules),
    /// `timeout`: needs no state
    Timeout(Span),
}

/// What the arms that share a state need of it together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The longest window; zero where there is none.
    pub window: Span,
    /// The smallest limit of a rate limit.
    pub smallest: u64,
    /// The largest limit of a rate limit.
    pub largest: u64,
    /// Whether a budget of one of them counts for life.
    pub for_life: bool,
}

impl Shared {
    /// What one guardrail needs.
    #[must_use]
    pub fn of(guardrail: &Guardrail) -> Self {
        let (window, limit) = match &guardrail.rules {
            written::Rules::RateLimit(rules) => (rules.window.unwrap_or_default(), rules.limit),
            written::Rules::Budget(rules) => (rules.window, 0),
            written::Rules::Retry(_)
            | written::Rules::Timeout(_)
            | written::Rules::CircuitBreaker(_)
            | written::Rules::Concurrency(_)
            | written::Rules::Sampling(_) => (Span::default(), 0),
        };
        let for_life = window == Span::default();
        Self { window, smallest: limit, largest: limit, for_life }
    }

    /// What both need: the longer window, both limits.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            window: self.window.max(other.window),
            smallest: self.smallest.min(other.smallest),
            largest: self.largest.max(other.largest),
            for_life: self.for_life || other.for_life,
        }
    }
}

impl Guard {
    /// The guardrail with this number, whose state is shared like this.
    #[must_use]
    pub(super) fn of(guardrail: &Guardrail, id: GuardId, shared: Shared, keys: Arc<Directory>) -> Self {
        let (key_by, cost, spread) = match &guardrail.rules {
            written::Rules::RateLimit(r) => (&*r.key_by, r.cost.clone(), r.retry_after_spread),
            written::Rules::Retry(r) => (&*r.key_by, None, 0.0),
            written::Rules::Timeout(_) => (&[] as &[_], None, 0.0),
            written::Rules::CircuitBreaker(r) => (&*r.key_by, None, r.retry_after_spread),
            written::Rules::Budget(r) => (&*r.key_by, None, 0.0),
            written::Rules::Concurrency(r) => (&*r.key_by, None, 0.0),
            written::Rules::Sampling(r) => (&*r.key_by, None, 0.0),
        };
        Self {
            id,
            name: guardrail.name.value.clone(),
            rank: 0,
            priority: guardrail.priority,
            enforcement: guardrail.enforcement,
            refusal: guardrail.refusal,
            max_keys: guardrail.max_keys,
            on_max_keys: guardrail.on_max_keys,
            idle: guardrail.idle,
            key_by: key_by.to_vec(),
            cost,
            spread,
            rules: Rules::of(&guardrail.rules, shared),
            keys,
            latest: Arc::default(),
        }
    }

    /// The key that has these values, one for each dimension but `global`, which has none; `None`
    /// where they are not as many.
    #[must_use]
    pub fn key_of(&self, values: &[impl AsRef<str>]) -> Option<Key> {
        let mut given = values.iter().map(AsRef::as_ref);
        let dimensions = self.key_by.iter().map(|dimension| match dimension {
            KeyDimension::Global => Some(""),
            _ => given.next(),
        });
        let all: Vec<&str> = dimensions.collect::<Option<_>>()?;
        let mut text = Vec::new();
        key::write_values(&mut text, &all);
        given.next().is_none().then(|| Key::of(&text))
    }

    /// Of two retry policies the one to follow: the higher priority, then the first name.
    #[must_use]
    pub fn preferred<'g>(&'g self, other: &'g Self) -> &'g Self {
        let order = other.priority.cmp(&self.priority).then_with(|| self.name.cmp(&other.name));
        if order.is_le() { self } else { other }
    }

    /// The length of a budget's windows.
    pub(super) fn window_length(&self) -> Option<Span> {
        match &self.rules {
            Rules::Budget(rules) => rules.window,
            _ => None,
        }
    }

    /// How many keys it has.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys.keys()
    }

    /// How many bytes the list of its keys takes, beside the keys themselves.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.keys.heap()
    }

    /// How many keys made room for others while they still held something.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.keys.evicted()
    }

    /// How many reports could not be counted, for want of room for their key.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.keys.dropped()
    }

    /// How often it refused, or, as a shadow, would have.
    #[must_use]
    pub fn refused(&self, shadow: bool) -> u64 {
        self.keys.refused(shadow)
    }

    /// Counts a refusal that became an answer.
    pub fn count_refused(&self) {
        self.keys.count_refused(self.is_shadow());
    }

    /// Whether it only counts what it would refuse.
    #[must_use]
    pub fn is_shadow(&self) -> bool {
        self.enforcement == Enforcement::Shadow
    }
}

impl Rules {
    fn of(rules: &written::Rules, shared: Shared) -> Self {
        match rules {
            written::Rules::RateLimit(rules) => Self::rate_limit(rules, shared),
            written::Rules::Retry(rules) => Self::Retry(retry(rules)),
            written::Rules::Timeout(rules) => Self::Timeout(rules.timeout),
            written::Rules::CircuitBreaker(rules) => Self::Breaker(breaker(rules)),
            written::Rules::Budget(rules) => Self::Budget(BudgetRules {
                limits: Amounts::of_limits(&rules.limits),
                window: (!shared.for_life).then_some(shared.window),
                default: rules.default_estimate,
                lease: rules.lease,
                on_expiry: rules.on_expiry,
            }),
            written::Rules::Concurrency(rules) => {
                Self::Concurrency(Concurrency { max_in_flight: rules.max_in_flight, lease: rules.lease })
            }
            written::Rules::Sampling(rules) => {
                Self::Sampling(Sampling::new(rules.rate), kinds(&rules.key_by).into())
            }
        }
    }

    fn rate_limit(rules: &written::RateLimit, shared: Shared) -> Self {
        let window = match rules.window {
            Some(window) if !rules.key_by.contains(&KeyDimension::Batch) => window,
            _ => return Self::PerFlush(PerFlush { limit: rules.limit }),
        };
        match rules.algorithm {
            Algorithm::SlidingWindow => Self::SlidingWindow(SlidingWindow {
                limit: rules.limit,
                window,
                shape: Shape::of(shared.smallest, shared.largest, shared.window.max(window)),
            }),
            Algorithm::TokenBucket { burst } => {
                Self::TokenBucket(TokenBucket::new(rules.limit, window, burst))
            }
        }
    }

    /// What must be the same for a key to mean the same: the type, and how it counts.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Breaker(_) => "circuit_breaker",
            Self::Concurrency(_) => "concurrency",
            Self::SlidingWindow(_) => "sliding_window",
            Self::TokenBucket(_) => "token_bucket",
            Self::PerFlush(_) => "per_flush",
            Self::Budget(_) => "budget",
            Self::Sampling(..) => "sampling",
            Self::Retry(_) => "retry",
            Self::Timeout(_) => "timeout",
        }
    }

    /// The longest that an action may take, where it says so.
    #[must_use]
    pub const fn timeout(&self) -> Option<Span> {
        match self {
            Self::Timeout(timeout) => Some(*timeout),
            _ => None,
        }
    }

    /// The rules of a retry policy.
    #[must_use]
    pub const fn retry(&self) -> Option<&RetryRules> {
        match self {
            Self::Retry(rules) => Some(rules),
            _ => None,
        }
    }

    /// The name of the type, as bundles spell it.
    #[must_use]
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::SlidingWindow(_) | Self::TokenBucket(_) | Self::PerFlush(_) => "rate_limit",
            other => other.kind(),
        }
    }

    /// Its place in the order of design 1.6: breakers, concurrency, rate limits, budgets,
    /// sampling.
    #[must_use]
    pub const fn order(&self) -> u8 {
        match self {
            Self::Breaker(_) => 0,
            Self::Concurrency(_) => 1,
            Self::SlidingWindow(_) | Self::TokenBucket(_) | Self::PerFlush(_) => 2,
            Self::Budget(_) => 3,
            Self::Sampling(..) => 4,
            Self::Retry(_) | Self::Timeout(_) => 5,
        }
    }
}

pub(super) fn breaker(rules: &written::CircuitBreaker) -> BreakerRules {
    BreakerRules {
        threshold: rules.failure_threshold,
        rate: rules.failure_rate.map(billionths),
        minimum_calls: rules.minimum_calls,
        window: (rules.window > Span::default()).then_some(rules.window),
        cooldown: rules.cooldown,
        probes: rules.half_open_probes.max(1),
        slow_call: rules.slow_call,
        lease: rules.lease,
        count_errors: rules.count_errors.clone(),
        multiplier: rules.cooldown_multiplier,
        max_cooldown: rules.max_cooldown,
    }
}

fn retry(rules: &written::Retry) -> RetryRules {
    RetryRules {
        max_retries: rules.max_retries,
        interval: rules.interval,
        multiplier: rules.backoff_multiplier,
        max_interval: rules.max_interval,
        jitter: rules.jitter,
        jitter_ratio: rules.jitter_ratio,
        retry_on: rules.retry_on.clone(),
        max_server_delay: rules.max_server_delay,
        budget: rules.retry_budget.map(|budget| RetryBudgetRules {
            ratio: billionths(budget.ratio),
            min_per_second: billionths(budget.min_per_second),
            window: budget.window,
        }),
    }
}

/// A number in billionths, so that what was written as a decimal is counted as one.
fn billionths(number: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and NaN is 0"
    )]
    let whole = (number * 1e9).round() as u64;
    whole
}
