//! The rules of each type of guardrail: fields, defaults, and what makes no sense (design 1.7).

use super::Findings;
use super::form::{Field, Form};
use super::guardrail_shapes::{
    BUDGET, CIRCUIT_BREAKER, CONCURRENCY, DEFAULT_ESTIMATE, RATE_LIMIT, RETRY, RETRY_BUDGET, SAMPLING,
    TIMEOUT,
};
use super::key::key_by;
use super::path;
use super::take::{Choices, Least};
use crate::model::guardrail::{
    Algorithm, Budget, BudgetEstimate, BudgetLimits, CircuitBreaker, Concurrency, Cooldown, ErrorKind,
    Jitter, KeyDimension, OnExpiry, RateLimit, Retry, RetryBudget, Rules, Sampling, Timeout,
};
use crate::model::{Code, Field as Own, Path};
use crate::unit::Span;

#[derive(Clone, Copy)]
enum Type {
    RateLimit,
    Retry,
    Timeout,
    CircuitBreaker,
    Budget,
    Concurrency,
    Sampling,
}

const TYPES: &Choices<Type> = &[
    ("rate_limit", Type::RateLimit),
    ("retry", Type::Retry),
    ("timeout", Type::Timeout),
    ("circuit_breaker", Type::CircuitBreaker),
    ("budget", Type::Budget),
    ("concurrency", Type::Concurrency),
    ("sampling", Type::Sampling),
];

const JITTERS: &Choices<Jitter> =
    &[("none", Jitter::None), ("full", Jitter::Full), ("equal", Jitter::Equal), ("ratio", Jitter::Ratio)];

const ERROR_KINDS: &Choices<ErrorKind> = &[
    ("transient", ErrorKind::Transient),
    ("rate_limited", ErrorKind::RateLimited),
    ("timeout", ErrorKind::Timeout),
    ("permanent", ErrorKind::Permanent),
];

const ON_EXPIRY: &Choices<OnExpiry> = &[("charge", OnExpiry::Charge), ("release", OnExpiry::Release)];

/// What a share of something may be.
const SHARE: (f64, f64) = (0.0, 1.0);
/// More tries than this are a loop.
const MOST_RETRIES: u32 = 1_000;
/// Delays that grow faster than this jump past any maximum at once.
const MULTIPLIERS: (f64, f64) = (1.0, 1_000.0);

/// Reads `type` and the `rules` that belong to it.
pub(super) fn rules(guardrail: &Form<'_>, found: &mut Findings) -> Option<Rules> {
    let kind = guardrail.required("type", found).and_then(|f| f.choice(TYPES, found));
    let field = guardrail.required("rules", found);
    let (kind, field) = (kind?, field?);
    let mut open = |shape| Form::open(field, shape, found);
    match kind {
        Type::RateLimit => rate_limit(&open(&RATE_LIMIT)?, found).map(Rules::RateLimit),
        Type::Retry => retry(&open(&RETRY)?, found).map(Rules::Retry),
        Type::Timeout => timeout(&open(&TIMEOUT)?, found).map(Rules::Timeout),
        Type::CircuitBreaker => circuit_breaker(&open(&CIRCUIT_BREAKER)?, found).map(Rules::CircuitBreaker),
        Type::Budget => Some(Rules::Budget(budget(&open(&BUDGET)?, found))),
        Type::Concurrency => concurrency(&open(&CONCURRENCY)?, found).map(Rules::Concurrency),
        Type::Sampling => sampling(&open(&SAMPLING)?, found).map(Rules::Sampling),
    }
}

fn rate_limit(form: &Form<'_>, found: &mut Findings) -> Option<RateLimit> {
    let key_by = key_by(form, &[KeyDimension::Global], found);
    let limit = form.required("limit", found).and_then(|f| f.count(0, found));
    // the flush is the window of a key by batch
    let window = match form.get("window_seconds") {
        None if key_by.contains(&KeyDimension::Batch) => Some(None),
        _ => {
            form.required("window_seconds", found).and_then(|f| f.seconds(Least::AboveZero, found)).map(Some)
        }
    };
    let algorithm = algorithm(form, limit.unwrap_or(1), found);
    if let (Algorithm::TokenBucket { burst }, Some(limit), Some(Some(window))) = (algorithm, limit, window) {
        bucket_fits(form, burst, limit, window, found);
    }
    Some(RateLimit {
        algorithm,
        cost: form.get("cost").and_then(|f| cost(f, found)),
        retry_after_spread: form.number_or("retry_after_spread", SHARE, 0.0, found),
        limit: limit?,
        window: window?,
        key_by,
    })
}

/// A bucket is one time, when it is full again: that must not lie beyond all clocks.
fn bucket_fits(form: &Form<'_>, burst: u64, limit: u64, window: Span, found: &mut Findings) {
    #[expect(clippy::cast_precision_loss, reason = "an estimate of years")]
    let seconds = burst as f64 * window.seconds() / limit.max(1) as f64;
    if seconds > Span::MAX_SECONDS {
        let what = "takes more than 31 years to come back";
        form.refuse("burst", what, "write a smaller burst, a larger limit or a shorter window", found);
    }
}

fn algorithm(form: &Form<'_>, limit: u64, found: &mut Findings) -> Algorithm {
    let choices = &[("sliding_window", false), ("token_bucket", true)];
    if !form.choice_or("algorithm", choices, false, found) {
        let remedy = "remove it, or write `algorithm: token_bucket`";
        form.refuse("burst", "belongs to algorithm `token_bucket` alone", remedy, found);
        return Algorithm::SlidingWindow;
    }
    let burst = form.get("burst").and_then(|f| f.count(1, found));
    Algorithm::TokenBucket { burst: burst.unwrap_or(limit) }
}

/// A field of the request that says how many units an action takes.
fn cost(field: Field<'_>, found: &mut Findings) -> Option<Path> {
    let text = field.filled_text(found)?;
    match path::parse(text) {
        Ok(path @ (Path::Request(_) | Path::Either(_) | Path::Context(_))) => Some(path),
        Ok(Path::Data(_) | Path::Usage(_)) => {
            let remedy = "write a field of the request, such as `estimate.tokens`";
            field.bad_value("reads nothing of the request", remedy, found);
            None
        }
        Err(problem) => {
            found.error_with(problem.code, field.node.place, problem.message, problem.suggestion);
            None
        }
    }
}

fn retry(form: &Form<'_>, found: &mut Findings) -> Option<Retry> {
    let max_retries = form.required("max_retries", found).and_then(|f| f.whole(0, MOST_RETRIES, found));
    let interval = form.required("interval_seconds", found).and_then(|f| f.seconds(Least::Zero, found));
    let retry = Retry {
        backoff_multiplier: form.number_or("backoff_multiplier", MULTIPLIERS, 2.0, found),
        max_interval: form.seconds_or("max_interval_seconds", Least::Zero, 300, found),
        jitter: form.choice_or("jitter", JITTERS, Jitter::None, found),
        jitter_ratio: form.number_or("jitter_ratio", SHARE, 0.2, found),
        retry_on: error_kinds(form, "retry_on", found).unwrap_or_else(passing),
        max_server_delay: form.seconds_or("max_server_delay_seconds", Least::Zero, 600, found),
        key_by: key_by(form, &[KeyDimension::Global], found),
        retry_budget: form.get("retry_budget").and_then(|f| retry_budget(f, found)),
        max_retries: max_retries?,
        interval: interval?,
    };
    if let Some(field) = form.get("max_interval_seconds")
        && retry.max_interval < retry.interval
    {
        field.bad_value("is below `interval_seconds`", "write at least as many", found);
    }
    Some(retry)
}

fn retry_budget(field: Field<'_>, found: &mut Findings) -> Option<RetryBudget> {
    let form = Form::open(field, &RETRY_BUDGET, found)?;
    Some(RetryBudget {
        ratio: form.number_or("ratio", (0.0, 1_000.0), 0.2, found),
        min_per_second: form.number_or("min_per_second", (0.0, 1e9), 10.0, found),
        window: form.seconds_or("window_seconds", Least::AboveZero, 10, found),
    })
}

/// The errors that may pass by themselves.
fn passing() -> Vec<ErrorKind> {
    vec![ErrorKind::Transient, ErrorKind::RateLimited, ErrorKind::Timeout]
}

/// A list of kinds of errors.
fn error_kinds(form: &Form<'_>, name: &str, found: &mut Findings) -> Option<Vec<ErrorKind>> {
    let field = form.get(name)?;
    let mut kinds = Vec::new();
    for element in field.one_or_many() {
        let kind = element.choice(ERROR_KINDS, found)?;
        if kinds.contains(&kind) {
            element.bad_value("stands twice", "keep one of them", found);
            continue;
        }
        if kind == ErrorKind::Permanent && name == "retry_on" {
            let remedy = "remove it: what is permanent is never tried again";
            element.bad_value("cannot be `permanent`", remedy, found);
        }
        kinds.push(kind);
    }
    if kinds.is_empty() {
        field.bad_value("is an empty list", "name a kind, or leave it out", found);
        return None;
    }
    Some(kinds)
}

fn timeout(form: &Form<'_>, found: &mut Findings) -> Option<Timeout> {
    let timeout = form.required("timeout_seconds", found)?.seconds(Least::AboveZero, found)?;
    Some(Timeout { timeout })
}

fn circuit_breaker(form: &Form<'_>, found: &mut Findings) -> Option<CircuitBreaker> {
    let key = [Own::Handler, Own::Tool, Own::Provider].map(KeyDimension::Field);
    let cooldown = form.required("cooldown_seconds", found).and_then(|f| cooldown(f, found));
    let breaker = CircuitBreaker {
        failure_threshold: form.get("failure_threshold").and_then(|f| f.whole(1, 1_000_000_000, found)),
        failure_rate: form.get("failure_rate").and_then(|f| rate_above_zero(f, found)),
        minimum_calls: form.whole_or("minimum_calls", (1, 1_000_000_000), 10, found),
        window: form.seconds_or("window_seconds", Least::Zero, 0, found),
        key_by: key_by(form, &key, found),
        half_open_probes: form.whole_or("half_open_probes", (1, 1_000_000), 1, found),
        slow_call: form.get("slow_call_seconds").and_then(|f| f.seconds(Least::AboveZero, found)),
        lease: form.seconds_or("lease_seconds", Least::AboveZero, 60, found),
        count_errors: error_kinds(form, "count_errors", found).unwrap_or_else(passing),
        cooldown_multiplier: form.number_or("cooldown_multiplier", MULTIPLIERS, 1.0, found),
        max_cooldown: form.get("max_cooldown_seconds").and_then(|f| f.seconds(Least::AboveZero, found)),
        retry_after_spread: form.number_or("retry_after_spread", SHARE, 0.0, found),
        cooldown: cooldown?,
    };
    if form.get("failure_threshold").is_none() && form.get("failure_rate").is_none() {
        let message = "nothing opens the breaker";
        let remedy = "add `failure_threshold` or `failure_rate`";
        found.error_with(Code::MissingField, form.place, message, remedy);
    }
    if let (Cooldown::For(cooldown), Some(most)) = (breaker.cooldown, breaker.max_cooldown)
        && most < cooldown
        && let Some(field) = form.get("max_cooldown_seconds")
    {
        field.bad_value("is below `cooldown_seconds`", "write at least as many", found);
    }
    Some(breaker)
}

fn cooldown(field: Field<'_>, found: &mut Findings) -> Option<Cooldown> {
    if field.node.text() == Some("never") {
        return Some(Cooldown::Never);
    }
    if field.node.text().is_some() {
        field.wrong_type("write seconds, or the word `never`", found);
        return None;
    }
    field.seconds(Least::AboveZero, found).map(Cooldown::For)
}

/// A rate of 0 would open the breaker for nothing at all.
fn rate_above_zero(field: Field<'_>, found: &mut Findings) -> Option<f64> {
    let rate = field.number(found)?;
    if rate > 0.0 && rate <= 1.0 {
        return Some(rate);
    }
    let remedy = "write a share above 0 and at most 1";
    field.bad_value(&format!("is {}", super::take::plain(rate)), remedy, found);
    None
}

fn budget(form: &Form<'_>, found: &mut Findings) -> Budget {
    let measures = BUDGET.fields.iter().map(|known| known.name).filter(|n| n.starts_with("max_"));
    if measures.clone().all(|name| form.get(name).is_none()) {
        let remedy = format!("add one of {}", super::nearest::listed(measures));
        found.error_with(Code::MissingField, form.place, "the budget limits nothing", remedy);
    }
    let mut count = |name| form.get(name).and_then(|f| f.count(0, found));
    let limits = BudgetLimits {
        max_tool_calls: count("max_tool_calls"),
        max_llm_calls: count("max_llm_calls"),
        max_llm_tokens: count("max_llm_tokens"),
        max_compute: count("max_compute"),
        max_cost: form.get("max_cost").and_then(|f| f.money(found)),
        max_duration: form.get("max_duration_seconds").and_then(|f| f.seconds(Least::Zero, found)),
    };
    Budget {
        limits,
        window: form.seconds_or("window_seconds", Least::Zero, 0, found),
        key_by: key_by(form, &[KeyDimension::Field(Own::Run)], found),
        default_estimate: form
            .get("default_estimate")
            .and_then(|f| default_estimate(f, found))
            .unwrap_or_default(),
        lease: form.seconds_or("lease_seconds", Least::AboveZero, 600, found),
        on_expiry: form.choice_or("on_expiry", ON_EXPIRY, OnExpiry::Charge, found),
    }
}

fn default_estimate(field: Field<'_>, found: &mut Findings) -> Option<BudgetEstimate> {
    let form = Form::open(field, &DEFAULT_ESTIMATE, found)?;
    Some(BudgetEstimate {
        cost: form.get("cost").and_then(|f| f.money(found)),
        tokens: form.get("tokens").and_then(|f| f.count(0, found)),
        compute: form.get("compute").and_then(|f| f.count(0, found)),
        duration: form.get("duration_seconds").and_then(|f| f.seconds(Least::Zero, found)),
    })
}

fn concurrency(form: &Form<'_>, found: &mut Findings) -> Option<Concurrency> {
    let max_in_flight = form.required("max_in_flight", found).and_then(|f| f.count(0, found));
    Some(Concurrency {
        key_by: key_by(form, &[KeyDimension::Global], found),
        lease: form.seconds_or("lease_seconds", Least::AboveZero, 60, found),
        max_in_flight: max_in_flight?,
    })
}

fn sampling(form: &Form<'_>, found: &mut Findings) -> Option<Sampling> {
    let rate = form.required("rate", found).and_then(|f| f.number_in(SHARE.0, SHARE.1, found));
    Some(Sampling { key_by: key_by(form, &[KeyDimension::Request], found), rate: rate? })
}
