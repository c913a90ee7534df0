//! The spans of evaluations, under the trace that the headers name.

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::{EVALUATION, Point, Refused};
use crate::clock;
use crate::telemetry::traces::{Caller, Kept, Span, Tracer, Value, within};

/// Whose evaluation it is, if anybody wants to know.
pub(super) fn caller(point: &Point, headers: &HeaderMap) -> Option<Kept> {
    point.tracer.as_ref().and_then(|_| Caller::of(headers)).map(Caller::keep)
}

/// Answers; the work tells the span what it knows.
pub(super) fn answer(
    point: &Point,
    route: &'static str,
    caller: Option<Kept>,
    work: impl FnOnce(&mut Option<Span>) -> Result<serde_json::Value, Refused>,
) -> Result<Response, Refused> {
    let answer = |done: serde_json::Value| Json(done).into_response();
    let begun = point.tracer.as_ref().and_then(|tracer| Some((tracer, begin(point, tracer, route, caller)?)));
    let Some((tracer, span)) = begun else { return work(&mut None).map(answer) };
    let (trace, mut span) = (span.trace(), Some(span));
    let done = within(trace, || work(&mut span));
    if let Some(mut span) = span {
        let status = done.as_ref().map_or_else(|refused| refused.0, |_| StatusCode::OK);
        span.set("http.response.status_code", Value::Int(status.as_u16().into()));
        span.end_at(point.plane.clock().unix_nanos());
        tracer.end(span);
    }
    done.map(answer)
}

fn begin(point: &Point, tracer: &Tracer, route: &'static str, caller: Option<Kept>) -> Option<Span> {
    let name = if route == EVALUATION { "POST /access/v1/evaluation" } else { "POST /access/v1/evaluations" };
    let caller = caller.as_ref().map(Kept::caller);
    let mut span = tracer.begin(name, caller, clock::any_seed, point.plane.clock().unix_nanos())?;
    span.set("http.request.method", Value::Name("POST"));
    span.set("http.route", Value::Name(route));
    Some(span)
}
