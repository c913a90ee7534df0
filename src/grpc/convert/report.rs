//! Reports and failed attempts to the engine's types.

use tollgate_engine::guardrail::report::{Ending, Outcome};
use tollgate_engine::guardrail::retry::{Attempt, Hint};
use tollgate_engine::model::guardrail::ErrorKind;
use tollgate_engine::unit::Span;
use uuid::Uuid;

use super::Limits;
use super::amount;
use super::violation::{Place, Violations};
use crate::pb;

/// A report within all bounds.
#[derive(Clone, Copy, Debug)]
pub enum Report {
    /// The action ended.
    Ended(Outcome),
    /// It still runs.
    InProgress,
}

/// Checks a report.
///
/// # Errors
/// Names each field that does not fit, and what to send instead.
pub fn report(sent: &pb::ReportRequest, limits: &Limits) -> Result<(Uuid, Report), Violations> {
    let mut wrong = Violations::default();
    let id = Uuid::parse_str(&sent.decision_id);
    if id.is_err() {
        let what = "is no UUID; send the `decision_id` of the answer";
        wrong.add(Place::Field("decision_id"), what);
    }
    code(&sent.error_code, "error_code", limits, &mut wrong);
    let kind = error_kind(sent.error_kind, "error_kind", &mut wrong);
    let report = match pb::Status::try_from(sent.status) {
        Ok(pb::Status::Success) => ended(Ending::Success, sent, &mut wrong),
        Ok(pb::Status::Failure) => {
            ended(Ending::Failure(kind.unwrap_or(ErrorKind::Transient)), sent, &mut wrong)
        }
        Ok(pb::Status::Cancelled) => ended(Ending::Cancelled, sent, &mut wrong),
        Ok(pb::Status::InProgress) => Report::InProgress,
        Ok(pb::Status::Unspecified) => {
            wrong.add(Place::Field("status"), "is required; say how the action ended");
            Report::InProgress
        }
        Err(_) => {
            let what = format!("is {}, which is no status; send 1 to 4", sent.status);
            wrong.add(Place::Field("status"), what);
            Report::InProgress
        }
    };
    match id {
        Ok(id) if wrong.is_empty() => Ok((id, report)),
        _ => Err(wrong),
    }
}

fn ended(ending: Ending, sent: &pb::ReportRequest, wrong: &mut Violations) -> Report {
    Report::Ended(Outcome {
        ending,
        cost: sent.cost.and_then(|cost| amount::money(cost, "cost", wrong)),
        tokens: sent.tokens.and_then(|n| amount::count(n, "tokens", wrong)),
        compute: sent.compute.and_then(|n| amount::count(n, "compute", wrong)),
        duration: amount::span(sent.duration.as_ref(), "duration", wrong),
    })
}

/// Checks what a caller tells about an attempt that failed.
///
/// # Errors
/// Names each field that does not fit, and what to send instead.
pub fn attempt(sent: &pb::RetryDecisionRequest, limits: &Limits) -> Result<Attempt, Violations> {
    let mut wrong = Violations::default();
    let error = sent.error.as_ref();
    if !sent.decision_id.is_empty() && Uuid::parse_str(&sent.decision_id).is_err() {
        let what = "is no UUID; send the `decision_id` of the answer, or nothing";
        wrong.add(Place::Field("decision_id"), what);
    }
    let kind = error.and_then(|error| error_kind(error.kind, "error.kind", &mut wrong));
    if kind.is_none() && wrong.is_empty() {
        let what = "is required; send TRANSIENT, RATE_LIMITED, TIMEOUT or PERMANENT";
        wrong.add(Place::Field("error.kind"), what);
    }
    if let Some(error) = error {
        code(&error.code, "error.code", limits, &mut wrong);
        text(&error.message, "error.message", limits.string_bytes, &mut wrong);
    }
    let hint = error.and_then(|error| error.retry_after.as_ref());
    let hint = hint.and_then(|sent| amount::signed(sent, "error.retry_after", &mut wrong)).map(hint_of);
    let time_left = amount::time_left(sent.time_left.as_ref(), &mut wrong);
    match kind {
        Some(kind) if wrong.is_empty() => Ok(Attempt { kind, hint, number: sent.attempt, time_left }),
        _ => Err(wrong),
    }
}

/// A hint that is negative refuses; one that is too long to be told is as long as can be.
fn hint_of(nanos: i128) -> Hint {
    if nanos < 0 {
        return Hint::Refuses;
    }
    Hint::After(Span::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
}

fn error_kind(number: i32, field: &'static str, wrong: &mut Violations) -> Option<ErrorKind> {
    match pb::ErrorKind::try_from(number) {
        Ok(pb::ErrorKind::Unspecified) => None,
        Ok(pb::ErrorKind::Transient) => Some(ErrorKind::Transient),
        Ok(pb::ErrorKind::RateLimited) => Some(ErrorKind::RateLimited),
        Ok(pb::ErrorKind::Timeout) => Some(ErrorKind::Timeout),
        Ok(pb::ErrorKind::Permanent) => Some(ErrorKind::Permanent),
        Err(_) => {
            wrong.add(Place::Field(field), format!("is {number}, which is no kind of error; send 0 to 4"));
            None
        }
    }
}

fn code(sent: &str, field: &'static str, limits: &Limits, wrong: &mut Violations) {
    text(sent, field, limits.name_bytes, wrong);
}

fn text(sent: &str, field: &'static str, most: usize, wrong: &mut Violations) {
    if sent.len() > most {
        wrong.add(Place::Field(field), super::context::too_long("is a text", sent.len(), most));
    }
}
