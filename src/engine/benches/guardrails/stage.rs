//! Guardrails and requests to measure with: who is asked about is drawn anew each time, from one
//! key or from many.

use std::sync::Arc;
use std::time::Instant;

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{
    Action, Answer, Decided, Desk, Estimate, Grant, NoGrants, Question, Request, Stops, Subject, Tools,
};
use tollgate_engine::guardrail::budget::Expected;
use tollgate_engine::guardrail::key::Flush;
use tollgate_engine::guardrail::ledger::SHARDS;
use tollgate_engine::guardrail::live::Reconciled;
use tollgate_engine::guardrail::open::{OpenTable, Opened, Reported};
use tollgate_engine::guardrail::report::{Ending, Outcome};
use tollgate_engine::guardrail::settle::Taken;
use tollgate_engine::guardrail::{Asks, At, Facts, Guard, Live, Verdict};
use tollgate_engine::id::GuardrailName;
use tollgate_engine::model::guardrail::{
    Algorithm, Budget, BudgetEstimate, BudgetLimits, CircuitBreaker, Concurrency, Cooldown, Enforcement,
    ErrorKind, KeyDimension, OnExpiry, OnMaxKeys, RateLimit, Refusal, Rules, Sampling, ScopeOfState, State,
};
use tollgate_engine::model::{Field, Guardrail, Phase, Place, Placed, RuleEffect, Target};
use tollgate_engine::time::{Moment, WallTime};
use tollgate_engine::unit::Span;
use tollgate_engine::value::ConstMap;

use super::workload::shape;

/// Three guardrails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Three {
    /// Sliding windows.
    Windows,
    /// Token buckets.
    Buckets,
    /// A sliding window, a budget and a concurrency limit, each action reported at once.
    Mixed,
}

/// How many keys there are.
pub const MANY: usize = 1 << 20;

/// How many rules there are, each about another agent.
const RULES: usize = 10_000;

static NONE: &[&str] = &[];
const START: WallTime = WallTime::from_nanos(1_795_248_000_000_000_000);

/// Live guardrails, and a bundle that allows all that they admit.
#[derive(Debug)]
pub struct Stage {
    pub live: Live,
    pub made: Reconciled,
    pub bundle: Compiled,
    agents: Vec<Box<str>>,
    open: OpenTable<()>,
    since: Instant,
}

/// One thread's way through the requests.
#[derive(Debug)]
pub struct Hand<'s> {
    stage: &'s Stage,
    pub keys: usize,
    /// Asks about the keys of this number only, of so many threads.
    share: (usize, usize),
    asks: Asks<'static>,
    tools: Tools,
    key: String,
    at: At,
    turn: usize,
    id: u128,
    /// How many requests were refused.
    pub refused: usize,
}

impl Three {
    pub const ALL: [(&'static str, Self); 3] =
        [("windows", Self::Windows), ("buckets", Self::Buckets), ("mixed", Self::Mixed)];

    /// The guardrails, of one key or of many: few units of many keys, many of one.
    pub fn guardrails(self, keys: usize) -> Vec<Guardrail> {
        let (limit, window) = if keys == 1 { (50_000_000, SECOND) } else { (10, SECOND * 4 / 10) };
        let own = |name: &str, algorithm| rate_limit(name, limit, window, algorithm);
        let bucket = Algorithm::TokenBucket { burst: limit };
        match self {
            Self::Windows => ["per-tenant", "burst", "a-fair-share"]
                .map(|name| own(name, Algorithm::SlidingWindow))
                .to_vec(),
            Self::Buckets => ["per-tenant", "burst", "a-fair-share"].map(|name| own(name, bucket)).to_vec(),
            Self::Mixed => {
                vec![own("per-tenant", Algorithm::SlidingWindow), budget("calls"), concurrency("at-once")]
            }
        }
    }
}

static NO_CONTEXT: ConstMap = ConstMap::new();
/// A second, in nanoseconds.
pub const SECOND: u64 = 1_000_000_000;

impl Stage {
    /// These guardrails over rules that allow all.
    pub fn of(guardrails: Vec<Guardrail>) -> Self {
        let live = Live::new(SHARDS, 0x5eed);
        let made = live.reconcile(&[&guardrails]);
        let agents: Vec<Box<str>> = (0..RULES).map(|agent| format!("agent-{agent}").into()).collect();
        let rules = agents.iter().enumerate().map(|(number, agent)| {
            let mut rule = shape::rule(number, RuleEffect::Allow);
            rule.agent = shape::exactly(agent);
            rule
        });
        let mut bundle = shape::bundle(rules.collect());
        bundle.guardrails = guardrails;
        let Ok(bundle) = compile::bundle(bundle) else {
            unreachable!("rules without conditions compile");
        };
        let open = OpenTable::new(1 << 16, 0x5eed);
        Self { live, made, bundle, agents, open, since: Instant::now() }
    }

    /// A thread's hand, for keys up to this one, of which it takes its share: the number of this
    /// thread, and how many there are. So many turns were taken before.
    pub fn hand(&self, keys: usize, share: (usize, usize), turn: usize) -> Hand<'_> {
        Hand {
            stage: self,
            keys,
            share,
            asks: Asks::default(),
            tools: Tools::seeded(7),
            key: String::new(),
            at: self.now(),
            turn,
            id: (turn * share.1 + share.0) as u128,
            refused: 0,
        }
    }

    /// A stage with these three whose keys are all there.
    pub fn with(three: Three, keys: usize) -> Self {
        let stage = Self::of(three.guardrails(keys));
        let mut hand = stage.hand(keys, (0, 1), 0);
        (0..keys).for_each(|_| hand.charge());
        stage
    }

    pub fn guards(&self) -> impl Iterator<Item = &Guard> {
        self.made.arms.iter().flatten().flatten().map(|guard| &**guard)
    }

    pub fn now(&self) -> At {
        let since = self.since.elapsed().as_nanos();
        at(u64::try_from(since).unwrap_or(u64::MAX))
    }

    fn desk(&self) -> Desk<'_> {
        let guards: &[Option<Arc<Guard>>] = self.made.arms.first().map_or(&[], Vec::as_slice);
        Desk {
            bundle: &self.bundle,
            guards,
            ledger: &self.live.ledger,
            stops: Stops::NONE,
            environment: "production",
        }
    }
}

/// So many nanoseconds after the start, by both clocks.
pub fn at(nanos: u64) -> At {
    let wall = START.nanos().saturating_add_unsigned(nanos);
    At { now: Moment::START.after(Span::from_nanos(nanos)), wall: WallTime::from_nanos(wall) }
}

/// An action of which nothing is known.
pub fn facts() -> Facts {
    Facts { expected: Expected::nothing(), first_attempt: true }
}

/// Writes the name of a key.
pub fn name(into: &mut String, number: usize) {
    into.clear();
    into.push_str("tenant-");
    for shift in (0..7).rev() {
        let digit = (number >> (4 * shift)) & 15;
        into.push(char::from(b"0123456789abcdef"[digit]));
    }
}

impl Hand<'_> {
    /// Asks the guardrails alone: the key written, all checked and charged.
    pub fn charge(&mut self) {
        self.next();
        let mut asks = std::mem::take(&mut self.asks).recycle();
        for guard in self.stage.made.arms[0].iter().flatten() {
            asks.ask_values(guard, &[&self.key], 1);
        }
        let mut verdict = self.stage.live.ledger.charge(&asks, &facts(), self.at, &mut self.tools.draw);
        self.asks = asks.recycle();
        self.refused += usize::from(!verdict.is_allowed());
        self.report(&mut verdict);
    }

    /// A whole decision: the rules, then the guardrails that are about it.
    pub fn decide(&mut self) {
        let stage = self.stage;
        let allowed = self.authorize(|decided, id, at| {
            report(stage, id, at, &mut decided.verdict);
            matches!(decided.decision.answer, Answer::Allow(_))
        });
        self.refused += usize::from(!allowed);
    }

    /// The same, given to `then` instead of being reported.
    pub fn authorize<R>(&mut self, then: impl FnOnce(&mut Decided<'_>, u128, At) -> R) -> R {
        self.next();
        let stage = self.stage;
        let agent = stage.agents.get(self.turn.wrapping_mul(7_919) % RULES).map_or("", |agent| agent);
        let request = request(agent, &self.key);
        let flush = Flush::Alone(0);
        let (at, tools) = (self.at, &mut self.tools);
        let mut decided = stage.desk().authorize(&request, at, flush, &mut NoGrants, tools);
        then(&mut decided, self.id, at)
    }

    fn report(&mut self, verdict: &mut Verdict<'_>) {
        report(self.stage, self.id, self.at, verdict);
    }

    fn next(&mut self) {
        // Reading the clock is measured elsewhere.
        if self.turn.is_multiple_of(64) {
            self.at = self.stage.now();
        }
        self.turn += 1;
        self.id += self.share.1 as u128;
        let (own, threads) = self.share;
        let number = if self.keys == 1 {
            0
        } else {
            let each = self.keys / threads;
            self.turn.wrapping_mul(0x9e37_79b1) % each * threads + own
        };
        name(&mut self.key, number);
    }
}

/// Opens the decision and reports it, where there is something to report.
fn report(stage: &Stage, id: u128, at: At, verdict: &mut Verdict<'_>) {
    if verdict.tickets.is_empty() {
        return;
    }
    let taken = Taken { at: at.now, timeout: None };
    let tickets = std::mem::take(&mut verdict.tickets).into_vec().into();
    stage.open.open(id, Opened { taken, tickets, meta: () });
    let outcome = Outcome::of(Ending::Success);
    let told = stage.open.report(&stage.live.ledger, &stage.made.guards, id, &outcome, at);
    assert!(matches!(told, Reported::Applied(..)), "every decision is reported once");
}

fn request<'a>(agent: &'a str, tenant: &'a str) -> Request<'a> {
    Request {
        subject: Subject { agent, user: "", tenant, app: "", workflow: "", run: "", roles: &NONE },
        action: Action {
            name: "crm.read",
            kind: None,
            tool: "",
            provider: "",
            model: "",
            pipeline: "",
            stage: "",
            handler: "",
            tags: &NONE,
        },
        context: &NO_CONTEXT,
        environment: "production",
        mode: "",
        phase: Phase::Dispatch,
        priority: None,
        estimate: Estimate::default(),
        request_id: "",
        batch_id: "",
        attempt: 0,
        grants: &NONE,
        grant: Grant::None,
        dry_run: false,
        time_left: None,
        question: Question::MayRun,
    }
}

pub fn rate_limit(name: &str, limit: u64, window: u64, algorithm: Algorithm) -> Guardrail {
    let window = Some(Span::from_nanos(window));
    let key_by = by_tenant();
    guardrail(
        name,
        Rules::RateLimit(RateLimit { limit, window, key_by, algorithm, cost: None, retry_after_spread: 0.0 }),
    )
}

/// A budget of calls that nobody uses up.
pub fn budget(name: &str) -> Guardrail {
    let limits = BudgetLimits { max_tool_calls: Some(1 << 50), ..BudgetLimits::default() };
    guardrail(
        name,
        Rules::Budget(Budget {
            limits,
            window: Span::default(),
            key_by: by_tenant(),
            default_estimate: BudgetEstimate::default(),
            lease: Span::from_nanos(60 * SECOND),
            on_expiry: OnExpiry::Charge,
        }),
    )
}

pub fn concurrency(name: &str) -> Guardrail {
    let lease = Span::from_nanos(60 * SECOND);
    guardrail(name, Rules::Concurrency(Concurrency { max_in_flight: 1_000, key_by: by_tenant(), lease }))
}

/// A breaker that nobody trips.
pub fn breaker(name: &str) -> Guardrail {
    guardrail(
        name,
        Rules::CircuitBreaker(CircuitBreaker {
            failure_threshold: Some(3),
            failure_rate: None,
            minimum_calls: 10,
            window: Span::from_nanos(10 * SECOND),
            cooldown: Cooldown::For(Span::from_nanos(5 * SECOND)),
            key_by: by_tenant(),
            half_open_probes: 1,
            slow_call: None,
            lease: Span::from_nanos(60 * SECOND),
            count_errors: vec![ErrorKind::Transient],
            cooldown_multiplier: 1.0,
            max_cooldown: None,
            retry_after_spread: 0.0,
        }),
    )
}

/// A share of all tenants.
pub fn sampling(name: &str, rate: f64) -> Guardrail {
    guardrail(name, Rules::Sampling(Sampling { rate, key_by: by_tenant() }))
}

/// About this tenant only.
pub fn only(tenant: &str, guardrail: Guardrail) -> Guardrail {
    Guardrail { targeting: Target { tenants: shape::exactly(tenant), ..Target::default() }, ..guardrail }
}

fn by_tenant() -> Vec<KeyDimension> {
    vec![KeyDimension::Field(Field::Tenant)]
}

fn guardrail(name: &str, rules: Rules) -> Guardrail {
    let Some(value) = GuardrailName::parse(name) else {
        unreachable!("`{name}` is a name");
    };
    Guardrail {
        name: Placed { value, place: Place::default() },
        rules,
        targeting: Target::default(),
        state: State::Enabled,
        priority: 50,
        scope_of_state: ScopeOfState::Local,
        enforcement: Enforcement::Enforce,
        refusal: Refusal::Throttle,
        max_keys: 4 << 20,
        on_max_keys: OnMaxKeys::Refuse,
        idle: Span::from_nanos(SECOND),
        description: Box::default(),
        tags: Vec::new(),
    }
}
