//! What is recorded, and how a serving thread writes it down.

use tollgate_engine::decide::{Answer, Decision, Grant, Obligations, Question, Read, Request};
use tollgate_engine::guardrail::At;
use tollgate_engine::guardrail::report::{Ending, Outcome};
use tollgate_engine::guardrail::retry::{Attempt, Hint, Plan};
use tollgate_engine::guardrail::verdict::{Limit, Refusal, RefusalEffect, Verdict};
use tollgate_engine::model::guardrail::ErrorKind;
use tollgate_engine::model::request::Estimate;
use tollgate_engine::model::{Disposition, Phase};
use tollgate_engine::time::WallTime;
use tollgate_engine::unit::{Money, Span};
use uuid::Uuid;

use super::code::Put;
use crate::config::decision_log::{EACH_GUARDRAIL, FIXED, MOST_TOLD};

/// The longest reason that a record holds.
const MOST_REASON: usize = 1_024;

/// The first byte of a record.
pub const DECISION: u8 = 1;
/// A report.
pub const REPORT: u8 = 2;
/// A retry decision.
pub const RETRY: u8 = 3;

/// Which bundle decided, and how its records are read: see `edition`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// The edition's number; 0: none.
    pub edition: u32,
    /// Which bundle decided, by the name in logs and metrics.
    pub arm: &'static str,
    /// Whether newer content could not be used.
    pub stale: bool,
}

/// The place of a decision in its batch.
#[derive(Clone, Copy, Debug)]
pub struct InBatch {
    /// The flush of the call.
    pub call: u128,
    /// From 0.
    pub index: usize,
    /// How many decisions the call asked for.
    pub of: usize,
    /// Whether all or none were to be allowed.
    pub all_or_nothing: bool,
}

/// What people are asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The approval.
    pub id: Option<Uuid>,
    /// When it was opened.
    pub opened_at: Option<WallTime>,
    /// Until when it may be answered.
    pub expires_at: Option<WallTime>,
    /// How many must agree.
    pub approvers: u32,
    /// Of which role.
    pub role: &'a str,
    /// How often the grant may be used.
    pub uses: u32,
    /// What they agree to.
    pub request_digest: &'a str,
    /// Who asks.
    pub instance: Uuid,
}

/// A decision.
#[derive(Clone, Copy, Debug)]
pub struct DecisionRecord<'r, 'q, 'a> {
    /// Its id.
    pub id: Uuid,
    /// When it was taken.
    pub at: At,
    /// How long it took, in nanoseconds.
    pub took: u64,
    /// The state of the thread's draws before it.
    pub draw: u64,
    /// Which bundle decided.
    pub origin: Origin,
    /// The request; `None` where it was malformed.
    pub request: Option<&'r Request<'q>>,
    /// The id that the caller gave it.
    pub request_id: &'r str,
    /// Its place in a batch.
    pub batch: Option<InBatch>,
    /// What was decided.
    pub decision: &'r Decision<'a>,
    /// What the guardrails said.
    pub verdict: &'r Verdict<'a>,
    /// What people are asked.
    pub asked: Option<Asked<'r>>,
    /// What was read besides.
    pub read: &'r Read<'a>,
    /// The share of such decisions that is kept, where it is not all.
    pub sampled: Option<f64>,
}

/// A report.
#[derive(Clone, Copy, Debug)]
pub struct ReportRecord<'r> {
    /// When it came.
    pub at: At,
    /// The decision.
    pub id: Uuid,
    /// How the action ended; `None`: it still runs.
    pub outcome: Option<&'r Outcome>,
    /// What became of the report.
    pub result: &'static str,
    /// The shortest lease that was renewed.
    pub within: Option<Span>,
}

/// A retry decision.
#[derive(Clone, Copy, Debug)]
pub struct RetryRecord<'r, 'a> {
    /// When it was taken.
    pub at: At,
    /// The state of the thread's draws before it.
    pub draw: u64,
    /// Which bundle decided.
    pub origin: Origin,
    /// The action.
    pub request: &'r Request<'a>,
    /// The attempt that failed.
    pub attempt: &'r Attempt,
    /// Whether and when to try again.
    pub plan: Plan,
    /// The policy that says so.
    pub policy: &'r str,
    /// Why, for people.
    pub reason: &'r str,
    /// Where it was decided.
    pub environment: &'r str,
}

/// At least as many bytes as the record of a decision about this request takes, where so many
/// guardrails are live.
pub fn most_bytes(request: Option<&Request<'_>>, guards: usize, room: &mut Vec<u8>) -> usize {
    room.clear();
    if let Some(asked) = request {
        self::request(&mut Put(room), asked);
    }
    // An environment, an id and a mode are told twice.
    let twice = request.map_or(0, |r| r.environment.len() + r.request_id.len() + r.mode.len());
    room.len() + twice + FIXED + guards.min(MOST_TOLD) * EACH_GUARDRAIL
}

/// Writes a decision down.
pub fn decision(out: &mut Vec<u8>, record: &DecisionRecord<'_, '_, '_>) {
    let mut put = Put(out);
    put.byte(DECISION);
    put.whole(record.at.wall.nanos().cast_unsigned());
    put.id(record.id);
    origin(&mut put, record.origin);
    put.small(record.took);
    put.whole(record.draw);
    put.some(record.sampled, Put::number);
    put.some(record.request, request);
    put.text(record.request_id);
    put.some(record.request.and_then(within_limits), Put::small);
    put.some(record.batch, |put, batch| {
        put.id(Uuid::from_u128(batch.call));
        put.small(batch.index as u64);
        put.small(batch.of as u64);
        put.flag(batch.all_or_nothing);
    });
    answer(&mut put, record);
    limits(&mut put, &record.verdict.limits);
    refusals(&mut put, &record.verdict.refusals);
    refusals(&mut put, &record.verdict.shadows);
    put.some(record.verdict.report_within, Put::span);
    read(&mut put, record.read);
    put.small(record.decision.other_errors.into());
    put.small(record.decision.context_violations.into());
}

/// The units of a question about limits; `None`: whether it may run was asked.
const fn within_limits(request: &Request<'_>) -> Option<u64> {
    match request.question {
        Question::MayRun => None,
        Question::WithinLimits { units } => Some(units),
    }
}

/// Writes a report down.
pub fn report(out: &mut Vec<u8>, record: &ReportRecord<'_>) {
    let mut put = Put(out);
    put.byte(REPORT);
    put.whole(record.at.wall.nanos().cast_unsigned());
    put.id(record.id);
    put.some(record.outcome, |put, outcome| {
        let (status, kind) = match outcome.ending {
            Ending::Success => (0, None),
            Ending::Failure(kind) => (1, Some(kind)),
            Ending::Cancelled => (2, None),
        };
        put.byte(status);
        put.some(kind, |put, kind| put.byte(error_kind(kind)));
        let Outcome { cost, tokens, compute, duration, ending: _ } = *outcome;
        estimate(put, &Estimate { cost, tokens, compute, duration });
    });
    put.text(record.result);
    put.some(record.within, Put::span);
}

/// Writes a retry decision down.
pub fn retry(out: &mut Vec<u8>, record: &RetryRecord<'_, '_>) {
    let mut put = Put(out);
    put.byte(RETRY);
    put.whole(record.at.wall.nanos().cast_unsigned());
    origin(&mut put, record.origin);
    put.whole(record.draw);
    request(&mut put, record.request);
    put.byte(error_kind(record.attempt.kind));
    put.small(match record.attempt.hint {
        None => 0,
        Some(Hint::Refuses) => 1,
        Some(Hint::After(_)) => 2,
    });
    if let Some(Hint::After(wait)) = record.attempt.hint {
        put.span(wait);
    }
    put.text(record.plan.verdict());
    put.some(
        match record.plan {
            Plan::Again { delay, .. } if delay != Span::default() => Some(delay),
            Plan::Again { .. } | Plan::Fail(_) => None,
        },
        Put::span,
    );
    put.text(record.plan.code().name());
    put.text(record.policy);
    put.clipped(record.reason, MOST_REASON);
    put.text(record.environment);
}

fn origin(put: &mut Put<'_>, origin: Origin) {
    put.small(origin.edition.into());
    put.text(origin.arm);
    put.flag(origin.stale);
}

fn request(put: &mut Put<'_>, request: &Request<'_>) {
    let (subject, action) = (&request.subject, &request.action);
    for text in
        [subject.agent, subject.user, subject.tenant, subject.app, subject.workflow, subject.run, action.name]
    {
        put.text(text);
    }
    put.texts(subject.roles);
    put.text(action.kind.map_or("", |kind| kind.name()));
    for text in [
        action.tool,
        action.provider,
        action.model,
        action.pipeline,
        action.stage,
        action.handler,
        request.environment,
        request.mode,
        request.batch_id,
        request.request_id,
    ] {
        put.text(text);
    }
    put.texts(action.tags);
    put.texts(request.grants);
    put.flag(request.phase == Phase::Enqueue);
    put.some(request.priority, |put, priority| put.whole(i64::from(priority).cast_unsigned()));
    put.small(request.attempt.into());
    put.flag(request.dry_run);
    put.some(request.time_left, Put::span);
    estimate(put, &request.estimate);
    put.fields(request.context);
}

fn estimate(put: &mut Put<'_>, estimate: &Estimate) {
    put.some(estimate.cost.map(Money::billionths), Put::small);
    put.some(estimate.tokens, Put::small);
    put.some(estimate.compute, Put::small);
    put.some(estimate.duration, Put::span);
}

fn answer(put: &mut Put<'_>, record: &DecisionRecord<'_, '_, '_>) {
    let decision = record.decision;
    put.text(decision.environment);
    put.text(decision.reason_code.name());
    put.clipped(decision.reason, MOST_REASON);
    put.text(decision.rule.map_or("", |rule| rule.as_str()));
    put.text(decision.guardrail.map_or("", |name| name.as_str()));
    match &decision.answer {
        Answer::Allow(all) => {
            put.byte(0);
            obligations(put, all);
        }
        Answer::Deny(Disposition::Raise) => put.byte(1),
        Answer::Deny(Disposition::Drop) => put.byte(2),
        Answer::RequireApproval(_) => put.byte(3),
        Answer::Throttle(wait) => {
            put.byte(4);
            put.span(*wait);
        }
    }
    put.some(record.asked, |put, asked| {
        put.some(asked.id, Put::id);
        for time in [asked.opened_at, asked.expires_at] {
            put.some(time, |put, time| put.whole(time.nanos().cast_unsigned()));
        }
        put.small(asked.approvers.into());
        put.text(asked.role);
        put.small(asked.uses.into());
        put.text(asked.request_digest);
        put.id(asked.instance);
    });
}

fn obligations(put: &mut Put<'_>, all: &Obligations<'_>) {
    put.text(all.mode);
    let caps = &all.limits;
    put.some(caps.max_tool_calls, Put::small);
    put.some(caps.max_llm_calls, Put::small);
    put.some(caps.max_llm_tokens, Put::small);
    put.some(caps.max_cost.map(Money::billionths), Put::small);
    put.some(caps.max_compute, Put::small);
    put.some(caps.max_duration, Put::span);
    put.some(all.timeout, Put::span);
    put.some(all.retry, |put, plan| {
        put.text(plan.guardrail.as_str());
        put.small(plan.rules.max_retries.into());
        put.span(plan.rules.interval);
        put.number(plan.rules.multiplier);
        put.span(plan.rules.max_interval);
        put.small(plan.rules.retry_on.len() as u64);
        plan.rules.retry_on.iter().for_each(|kind| put.byte(error_kind(*kind)));
    });
}

/// How many there are, and how many are told.
fn told<T>(put: &mut Put<'_>, all: &[T]) -> usize {
    put.small(all.len() as u64);
    all.len().min(MOST_TOLD)
}

fn limits(put: &mut Put<'_>, limits: &[Limit<'_>]) {
    let most = told(put, limits);
    for limit in limits.iter().take(most) {
        put.small(limit.guard.id.0.into());
        put.byte(limit.room.measure as u8);
        put.small(limit.room.limit);
        put.small(limit.room.used);
        put.small(limit.room.reserved);
        put.some(limit.room.window, Put::span);
        put.some(limit.room.reset_after, Put::span);
    }
}

fn refusals(put: &mut Put<'_>, refusals: &[Refusal<'_>]) {
    let most = told(put, refusals);
    for refusal in refusals.iter().take(most) {
        put.small(refusal.guard.id.0.into());
        put.bytes(refusal.key.as_bytes());
        put.text(refusal.code.name());
        let wait = match refusal.effect {
            RefusalEffect::Throttle(wait) => Some(wait),
            RefusalEffect::Deny(_) => None,
        };
        put.some(wait, Put::span);
    }
}

fn read(put: &mut Put<'_>, read: &Read<'_>) {
    put.some(read.usage, |put, usage| {
        for amount in [usage.tool_calls, usage.llm_calls, usage.llm_tokens, usage.cost, usage.compute] {
            put.number(amount);
        }
    });
    match read.grant {
        Grant::None => put.byte(0),
        Grant::Accepted(rule) => {
            put.byte(1);
            put.text(rule.as_str());
        }
        Grant::Refused(code, _) => {
            put.byte(2);
            put.text(code.name());
        }
    }
}

const fn error_kind(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Transient => 0,
        ErrorKind::RateLimited => 1,
        ErrorKind::Timeout => 2,
        ErrorKind::Permanent => 3,
    }
}
