//! The world of one case: a bundle in force, the state of its guardrails, the decisions that are
//! open, and a clock that moves when the case says so.

use super::answer;
use super::answer_guardrails::{left, reported, retry};
use super::sequence::{Batch, Retry, Says};
use super::suite::Asked;
use crate::compile::Compiled;
use crate::decide::{Answer, BadCost, Decided, Desk, Explained, NoGrants, Request, Stops, Tools};
use crate::guardrail::key::Flush;
use crate::guardrail::open::{OpenTable, Opened, Renewed, Reported};
use crate::guardrail::retry::Attempt;
use crate::guardrail::settle::Taken;
use crate::guardrail::sweep::Sweeper;
use crate::guardrail::{At, Guard, Guards, Live};
use crate::model::Finding;
use crate::read::request::RequestDocument;
use crate::time::{Moment, WallTime};
use crate::unit::Span;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shards of the state: enough that the threads of a parallel step meet in several.
const SHARDS: usize = 16;
/// Decisions that are open at once, as a server has it by default.
const MOST_OPEN: usize = 1_000_000;
/// Items of a batch (design 1.8).
const MOST_ITEMS: usize = 1_000;
/// The id of a decision that nobody has taken.
const NOBODYS: u128 = 0;

/// A bundle in force with its state, at a time.
#[derive(Debug)]
pub struct World<'a> {
    pub(super) bundle: &'a Compiled,
    pub(super) live: Live,
    guards: Vec<Option<Arc<Guard>>>,
    pub(super) all: Arc<Guards>,
    open: OpenTable<()>,
    sweeper: Sweeper,
    pub(super) environment: &'a str,
    start: WallTime,
    pub(super) at: At,
    next: AtomicU64,
}

/// What came of one question.
#[derive(Debug)]
pub(super) struct Reply<'s> {
    /// The answer, as a server's reply.
    pub(super) answer: Value,
    /// Why there is none, for people.
    pub(super) refused: Vec<String>,
    /// The decisions that were taken.
    pub(super) taken: Vec<Decision<'s>>,
}

/// A decision that a report may be about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decision<'s> {
    /// Its id; `None` where it was no ALLOW, or none at all.
    pub(super) id: Option<u128>,
    /// What was asked.
    pub(super) request: Option<&'s RequestDocument>,
}

impl<'a> World<'a> {
    /// The bundle with guardrails that nobody has used yet.
    #[must_use]
    pub fn new(bundle: &'a Compiled, environment: &'a str, start: WallTime) -> Self {
        let mut world = Self {
            bundle,
            live: Live::new(SHARDS, 0),
            guards: vec![],
            all: Arc::default(),
            open: OpenTable::new(MOST_OPEN, 0),
            sweeper: Sweeper::default(),
            environment,
            start,
            at: At { now: Moment::START, wall: start },
            next: AtomicU64::new(1),
        };
        world.reload(bundle);
        world
    }

    /// Goes over to another bundle; guardrails of the same name keep their state.
    pub(super) fn reload(&mut self, bundle: &'a Compiled) {
        let mut made = self.live.reconcile(&[bundle.guardrails()]);
        self.guards = made.arms.pop().unwrap_or_default();
        (self.all, self.bundle) = (made.guards, bundle);
    }

    /// Goes on to this time since the start, and sweeps as a server would have done meanwhile.
    pub(super) fn move_to(&mut self, since: Span) {
        let now = Moment::START.after(since);
        if now <= self.at.now {
            return;
        }
        let nanos = i64::try_from(since.nanos()).unwrap_or(i64::MAX);
        self.at = At { now, wall: WallTime::from_nanos(self.start.nanos().saturating_add(nanos)) };
        self.sweeper.step(&self.live, &self.all, self.at, usize::MAX);
        for shard in 0..self.open.shards() {
            self.open.sweep(shard, usize::MAX, now);
        }
    }

    fn desk(&self) -> Desk<'_> {
        Desk {
            bundle: self.bundle,
            stops: Stops::NONE,
            guards: &self.guards,
            ledger: &self.live.ledger,
            environment: self.environment,
        }
    }

    /// Decides one request as a server does, and charges it. A decision whose cost cannot be read
    /// is none: a server refuses the call.
    pub fn decide<'w>(&'w self, request: &Request<'w>, tools: &mut Tools) -> Decided<'w> {
        self.desk().authorize(request, self.at, Flush::Alone(0), &mut NoGrants, tools)
    }

    /// The same, charging nothing, with the account of every rule and guardrail.
    pub fn explain<'w>(&'w self, request: &Request<'w>, tools: &mut Tools) -> Explained<'w> {
        self.desk().explain(request, self.at, &mut NoGrants, tools)
    }

    pub(super) fn authorize<'s>(&self, asked: &'s Asked, tools: &mut Tools) -> Reply<'s> {
        let document = match asked {
            Ok(document) => document,
            Err(why) => return Reply::refused(reasons(why)),
        };
        let request = document.request();
        let decided = self.decide(&request, tools);
        if let Some(bad) = decided.decision.bad_cost {
            return Reply::bad_cost(bad);
        }
        let answer = answer::json(&decided, &request, self.bundle, self.at.wall);
        let taken = vec![Decision { id: self.open(&request, decided), request: Some(document) }];
        Reply { answer, refused: vec![], taken }
    }

    pub(super) fn authorize_batch<'s>(&self, batch: &'s Batch, tools: &mut Tools) -> Reply<'s> {
        let items = batch.requests.len();
        if items > MOST_ITEMS {
            let why = format!("`requests` has {items} elements; at most {MOST_ITEMS} are taken");
            return Reply::refused(vec![why]);
        }
        // The flush of the call has a number that no other call has.
        let call = Flush::Unnamed(u128::from(self.next.fetch_add(1, Ordering::Relaxed)));
        let requests: Vec<Request<'_>> =
            batch.requests.iter().flatten().map(RequestDocument::request).collect();
        let decided = if batch.all_or_nothing {
            let malformed = requests.len() < items;
            self.desk().authorize_together(&requests, malformed, self.at, call, &mut NoGrants, tools)
        } else {
            let one = |request| self.desk().authorize(request, self.at, call, &mut NoGrants, tools);
            requests.iter().map(one).collect()
        };
        let mut decided = requests.iter().zip(decided);
        let (mut responses, mut taken) = (vec![], vec![]);
        for asked in &batch.requests {
            match (asked, asked.as_ref().ok().and_then(|_| decided.next())) {
                (Ok(document), Some((request, decided))) => {
                    responses.push(answer::json(&decided, request, self.bundle, self.at.wall));
                    taken.push(Decision { id: self.open(request, decided), request: Some(document) });
                }
                (refused, _) => {
                    let why = refused.as_ref().err().map(|why| reasons(why).join("; "));
                    let (why, environment) = (why.unwrap_or_default(), self.environment);
                    responses.push(answer::malformed(&why, environment, self.bundle, self.at.wall));
                    taken.push(Decision { id: None, request: None });
                }
            }
        }
        Reply { answer: json!({"responses": responses}), refused: vec![], taken }
    }

    /// Keeps what an allowed action took, until its report; the id of the decision.
    fn open(&self, request: &Request<'_>, decided: Decided<'_>) -> Option<u128> {
        let Answer::Allow(obligations) = &decided.decision.answer else { return None };
        if request.dry_run {
            return None;
        }
        let id = u128::from(self.next.fetch_add(1, Ordering::Relaxed));
        let tickets: Box<[_]> = decided.verdict.tickets.into_vec().into();
        let timeout = if tickets.is_empty() { None } else { obligations.timeout };
        self.open.open(id, Opened { taken: Taken { at: self.at.now, timeout }, tickets, meta: () });
        Some(id)
    }

    pub(super) fn report(&self, decision: Option<u128>, says: &Says) -> Value {
        let (ledger, id) = (&self.live.ledger, decision.unwrap_or(NOBODYS));
        match says {
            Says::Ended(outcome) => match self.open.report(ledger, &self.all, id, outcome, self.at) {
                Reported::Applied(..) => reported("APPLIED", None),
                Reported::Duplicate => reported("DUPLICATE", None),
                Reported::Unknown => reported("UNKNOWN", None),
            },
            Says::InProgress => match self.open.renew(ledger, &self.all, id, self.at.now) {
                Renewed::Renewed(shortest) => reported("RENEWED", Some(shortest)),
                Renewed::Duplicate => reported("DUPLICATE", None),
                Renewed::Unknown => reported("UNKNOWN", None),
            },
        }
    }

    pub(super) fn retry<'s>(&self, asked: &'s Retry, tools: &mut Tools) -> Reply<'s> {
        let document = match &asked.request {
            Ok(document) => document,
            Err(why) => return Reply::refused(reasons(why)),
        };
        let request = document.request();
        let attempt = Attempt {
            kind: asked.kind,
            hint: asked.hint,
            number: request.attempt,
            time_left: request.time_left,
        };
        let planned = self.desk().retry(&request, &attempt, self.at, tools);
        let environment = request.environment_or(self.environment);
        match planned {
            Ok(planned) => Reply::about(document, retry(&planned, self.bundle, environment)),
            Err(bad) => Reply::bad_cost(bad),
        }
    }

    pub(super) fn budget<'s>(&self, asked: &'s Asked, tools: &mut Tools) -> Reply<'s> {
        let document = match asked {
            Ok(document) => document,
            Err(why) => return Reply::refused(reasons(why)),
        };
        let request = document.request();
        let looked = self.desk().budget(&request, self.at, tools);
        let environment = request.environment_or(self.environment);
        match looked {
            Ok(verdict) => Reply::about(document, left(&verdict.limits, self.bundle, environment)),
            Err(bad) => Reply::bad_cost(bad),
        }
    }

    /// The guardrails of the bundle as requests meet them.
    pub(super) fn guards(&self) -> &[Option<Arc<Guard>>] {
        &self.guards
    }
}

impl<'s> Reply<'s> {
    fn about(request: &'s RequestDocument, answer: Value) -> Self {
        Self { answer, refused: vec![], taken: vec![Decision { id: None, request: Some(request) }] }
    }

    /// The call is refused with INVALID_ARGUMENT.
    fn refused(why: Vec<String>) -> Self {
        Self {
            answer: json!({"error": "INVALID_ARGUMENT"}),
            refused: why,
            taken: vec![Decision { id: None, request: None }],
        }
    }

    fn bad_cost(bad: BadCost<'_>) -> Self {
        let why =
            format!("`{}`: a rate limit reads its cost here; send a whole number from 0 to 2^53", bad.path);
        Self::refused(vec![why])
    }
}

fn reasons(refused: &[Finding]) -> Vec<String> {
    refused.iter().map(|finding| finding.message.clone()).collect()
}
