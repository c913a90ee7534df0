//! Guardrails for tests, with one thing said about each.

use std::sync::Arc;

use super::ask::{Asks, Facts};
use super::budget::Expected;
use super::guard::Guard;
use super::live::{Guards, Live, Reconciled};
use super::state::At;
use crate::id::GuardrailName;
use crate::model::guardrail::{
    Algorithm, Budget, BudgetEstimate, BudgetLimits, CircuitBreaker, Concurrency, Cooldown, Enforcement,
    ErrorKind, OnExpiry, OnMaxKeys, RateLimit, Refusal, Rules, Sampling, ScopeOfState, State,
};
use crate::model::place::Placed;
use crate::model::request::Estimate;
use crate::model::rule::Estimate as RuleEstimate;
use crate::model::{ActionKind, Guardrail, Place, Target};
use crate::time::{Moment, WallTime};
use crate::unit::{Money, Span};

/// Milliseconds.
pub(super) const fn ms(millis: u64) -> Span {
    Span::from_nanos(millis * 1_000_000)
}

/// Seconds.
pub(super) const fn s(seconds: u64) -> Span {
    ms(seconds * 1_000)
}

/// So many milliseconds after the start, by both clocks; the wall clock starts on a whole hour.
pub(super) fn at(millis: u64) -> At {
    at_nanos(millis * 1_000_000)
}

/// So many nanoseconds after the start.
pub(super) fn at_nanos(nanos: u64) -> At {
    let wall = 1_799_996_400_000_000_000 + i64::try_from(nanos).unwrap();
    At { now: Moment::START.after(Span::from_nanos(nanos)), wall: WallTime::from_nanos(wall) }
}

pub(super) fn guardrail(name: &str, rules: Rules) -> Guardrail {
    Guardrail {
        name: Placed { value: GuardrailName::parse(name).unwrap(), place: Place::default() },
        rules,
        targeting: Target::default(),
        state: State::Enabled,
        priority: 50,
        scope_of_state: ScopeOfState::Local,
        enforcement: Enforcement::Enforce,
        refusal: Refusal::Throttle,
        max_keys: 1_000_000,
        on_max_keys: OnMaxKeys::Refuse,
        idle: s(86_400),
        description: "".into(),
        tags: Vec::new(),
    }
}

pub(super) fn window(name: &str, limit: u64, window: Span) -> Guardrail {
    rate_limit(name, limit, window, Algorithm::SlidingWindow)
}

pub(super) fn bucket(name: &str, limit: u64, window: Span, burst: u64) -> Guardrail {
    rate_limit(name, limit, window, Algorithm::TokenBucket { burst })
}

fn rate_limit(name: &str, limit: u64, window: Span, algorithm: Algorithm) -> Guardrail {
    let rules = RateLimit {
        limit,
        window: Some(window),
        key_by: Vec::new(),
        algorithm,
        cost: None,
        retry_after_spread: 0.0,
    };
    guardrail(name, Rules::RateLimit(rules))
}

pub(super) fn concurrency(name: &str, max_in_flight: u64) -> Guardrail {
    let rules = Concurrency { max_in_flight, key_by: Vec::new(), lease: s(60) };
    guardrail(name, Rules::Concurrency(rules))
}

pub(super) fn sampling(name: &str, rate: f64) -> Guardrail {
    let rules = Rules::Sampling(Sampling { rate, key_by: Vec::new() });
    Guardrail { refusal: Refusal::Drop, ..guardrail(name, rules) }
}

/// Three failures in ten seconds open it for five.
pub(super) fn breaker_rules() -> CircuitBreaker {
    CircuitBreaker {
        failure_threshold: Some(3),
        failure_rate: None,
        minimum_calls: 10,
        window: s(10),
        cooldown: Cooldown::For(s(5)),
        key_by: Vec::new(),
        half_open_probes: 1,
        slow_call: None,
        lease: s(60),
        count_errors: vec![ErrorKind::Transient, ErrorKind::Timeout, ErrorKind::RateLimited],
        cooldown_multiplier: 1.0,
        max_cooldown: None,
        retry_after_spread: 0.0,
    }
}

pub(super) fn breaker(name: &str) -> Guardrail {
    guardrail(name, Rules::CircuitBreaker(breaker_rules()))
}

/// A budget in money, in windows of this length; zero: for life.
pub(super) fn budget(name: &str, cost: f64, window: Span) -> Guardrail {
    let limits = BudgetLimits { max_cost: Money::from_units(cost), ..BudgetLimits::default() };
    budget_of(name, limits, window)
}

pub(super) fn budget_of(name: &str, limits: BudgetLimits, window: Span) -> Guardrail {
    let rules = Budget {
        limits,
        window,
        key_by: Vec::new(),
        default_estimate: BudgetEstimate::default(),
        lease: s(600),
        on_expiry: OnExpiry::Charge,
    };
    guardrail(name, Rules::Budget(rules))
}

/// An action that says nothing about what it will use.
pub(super) fn facts() -> Facts {
    facts_costing(None)
}

pub(super) fn facts_costing(cost: Option<f64>) -> Facts {
    let cost = cost.and_then(Money::from_units);
    Facts {
        expected: Expected {
            kind: ActionKind::Tool,
            estimate: Estimate { cost, ..Estimate::default() },
            rule: RuleEstimate::default(),
            timeout: None,
        },
        first_attempt: true,
    }
}

/// Some live guardrails.
pub(super) struct Fixture {
    pub(super) live: Live,
    pub(super) guards: Arc<Guards>,
    pub(super) list: Vec<Arc<Guard>>,
}

impl Fixture {
    pub(super) fn new(guardrails: &[Guardrail]) -> Self {
        Self::sharded(guardrails, 16)
    }

    pub(super) fn sharded(guardrails: &[Guardrail], shards: usize) -> Self {
        let live = Live::new(shards, 42);
        let made = live.reconcile(&[guardrails]);
        Self { live, guards: Arc::clone(&made.guards), list: all(made) }
    }

    /// Asks the guardrails of these numbers about one key.
    pub(super) fn asks(&self, guards: &[usize], key: &str, units: u64) -> Asks<'_> {
        let mut asks = Asks::default();
        for guard in guards {
            asks.ask_values(&self.list[*guard], &[key], units);
        }
        asks
    }
}

fn all(made: Reconciled) -> Vec<Arc<Guard>> {
    made.arms.into_iter().flatten().flatten().collect()
}
