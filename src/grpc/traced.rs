//! The spans of RPCs: what was asked and what came out, under the caller's own trace.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};

use super::guard::guarded;
use crate::clock::{self, Clock};
use crate::pb;
use crate::telemetry::traces::{Caller, Span, Tracer, Value, within};

/// Something that a span tells of.
pub(super) trait Told {
    /// Says it.
    fn tell(&self, span: &mut Span);
}

/// Traces, or nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces(pub Option<Arc<Tracer>>);

impl Traces {
    /// Answers one call; a panic is INTERNAL. Without a tracer that is all.
    pub(super) fn answer<Q: Told, A: Told>(
        &self,
        name: &'static str,
        clock: &Clock,
        rpc: Request<Q>,
        work: impl FnOnce(Q) -> Result<A, Status>,
    ) -> Result<Response<A>, Status> {
        let span = self.begin(name, clock, || Caller::of(rpc.metadata().as_ref()));
        self.finish(name, clock, span, |span| {
            let asked = rpc.into_inner();
            if let Some(span) = span {
                asked.tell(span);
            }
            let answer = work(asked)?;
            if let Some(span) = span {
                answer.tell(span);
            }
            Ok(answer)
        })
    }

    /// Begins the span of a call, if it is to have one; only then anybody asks whose call it is.
    pub(super) fn begin<'c>(
        &self,
        name: &'static str,
        clock: &Clock,
        caller: impl FnOnce() -> Option<Caller<'c>>,
    ) -> Option<Span> {
        let tracer = self.0.as_ref()?;
        let mut span = tracer.begin(name, caller(), clock::any_seed, clock.unix_nanos())?;
        span.set("rpc.system.name", Value::Name("grpc"));
        span.set("rpc.method", Value::Name(name));
        Some(span)
    }

    /// Answers a call whose span has begun; the work tells the span what it knows.
    pub(super) fn finish<A>(
        &self,
        name: &'static str,
        clock: &Clock,
        mut span: Option<Span>,
        work: impl FnOnce(&mut Option<Span>) -> Result<A, Status>,
    ) -> Result<Response<A>, Status> {
        let answer = under(span.as_ref().map(Span::trace), || guarded(name, || work(&mut span)));
        if let (Some(span), Err(status)) = (&mut span, &answer) {
            span.set("rpc.response.status_code", Value::Text(format!("{:?}", status.code())));
            if is_ours(status.code()) {
                span.fail(status.message());
            }
        }
        self.end(clock, span);
        answer
    }

    /// Ends a span.
    pub(super) fn end(&self, clock: &Clock, span: Option<Span>) {
        if let (Some(tracer), Some(mut span)) = (&self.0, span) {
            span.end_at(clock.unix_nanos());
            tracer.end(span);
        }
    }
}

/// Does work for a trace, if there is one.
pub(super) fn under<R>(trace: Option<u128>, work: impl FnOnce() -> R) -> R {
    match trace {
        Some(trace) => within(trace, work),
        None => work(),
    }
}

/// As OpenTelemetry counts the errors of a server: the others are the caller's.
const fn is_ours(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The name of an enum value without its prefix.
fn name(prefix: &str, full: &'static str) -> Value {
    Value::Name(full.strip_prefix(prefix).unwrap_or(full))
}

fn code(code: pb::ReasonCode) -> Value {
    let name = code.as_str_name();
    Value::Text(name.strip_prefix("REASON_CODE_").unwrap_or(name).to_ascii_lowercase())
}

fn count(n: usize) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

fn facts(span: &mut Span, subject: Option<&pb::Subject>, action: Option<&pb::Action>) {
    if let Some(subject) = subject {
        span.set("tollgate.agent", Value::Text(subject.agent.clone()));
    }
    if let Some(action) = action {
        span.set("tollgate.action", Value::Text(action.name.clone()));
    }
}

impl Told for pb::AuthorizeRequest {
    fn tell(&self, span: &mut Span) {
        facts(span, self.subject.as_ref(), self.action.as_ref());
        span.set("tollgate.request_id", Value::Text(self.request_id.clone()));
        if self.dry_run {
            span.set("tollgate.dry_run", Value::Bool(true));
        }
    }
}

impl Told for pb::AuthorizeResponse {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.decision_id", Value::Text(self.decision_id.clone()));
        span.set("tollgate.effect", name("EFFECT_", self.effect().as_str_name()));
        span.set("tollgate.reason_code", code(self.reason_code()));
        span.set("tollgate.rule_id", Value::Text(self.rule_id.clone()));
        span.set("tollgate.guardrail", Value::Text(self.guardrail.clone()));
        bundle(span, self.bundle.as_ref());
    }
}

fn bundle(span: &mut Span, bundle: Option<&pb::BundleInfo>) {
    if let Some(bundle) = bundle {
        span.set("tollgate.arm", name("ARM_", bundle.arm().as_str_name()));
        span.set("tollgate.bundle.version", Value::Text(bundle.version.clone()));
        span.set("tollgate.environment", Value::Text(bundle.environment.clone()));
    }
}

impl Told for pb::AuthorizeBatchRequest {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.batch.items", count(self.requests.len()));
    }
}

impl Told for pb::AuthorizeBatchResponse {
    fn tell(&self, span: &mut Span) {
        let allowed = self.responses.iter().filter(|one| one.effect() == pb::Effect::Allow).count();
        span.set("tollgate.batch.allowed", count(allowed));
        bundle(span, self.responses.first().and_then(|one| one.bundle.as_ref()));
    }
}

impl Told for pb::ReportRequest {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.decision_id", Value::Text(self.decision_id.clone()));
        span.set("tollgate.status", name("STATUS_", self.status().as_str_name()));
    }
}

impl Told for pb::ReportResponse {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.result", name("REPORT_RESULT_", self.result().as_str_name()));
    }
}

impl Told for pb::ReportBatchRequest {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.batch.items", count(self.reports.len()));
    }
}

impl Told for pb::ReportBatchResponse {
    fn tell(&self, span: &mut Span) {
        let applied = |one: &&pb::ReportResponse| one.result() == pb::ReportResult::Applied;
        span.set("tollgate.batch.applied", count(self.responses.iter().filter(applied).count()));
    }
}

impl Told for pb::RetryDecisionRequest {
    fn tell(&self, span: &mut Span) {
        facts(span, self.subject.as_ref(), self.action.as_ref());
        span.set("tollgate.attempt", Value::Int(self.attempt.into()));
        span.set("tollgate.decision_id", Value::Text(self.decision_id.clone()));
    }
}

impl Told for pb::RetryDecisionResponse {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.retry", name("RETRY_VERDICT_", self.decision().as_str_name()));
        span.set("tollgate.reason_code", code(self.reason_code()));
        span.set("tollgate.guardrail", Value::Text(self.guardrail.clone()));
        bundle(span, self.bundle.as_ref());
    }
}

impl Told for pb::BudgetRequest {
    fn tell(&self, span: &mut Span) {
        facts(span, self.subject.as_ref(), self.action.as_ref());
    }
}

impl Told for pb::BudgetResponse {
    fn tell(&self, span: &mut Span) {
        span.set("tollgate.limits", count(self.limits.len()));
    }
}

impl Told for pb::ExplainRequest {
    fn tell(&self, span: &mut Span) {
        if let Some(request) = &self.request {
            request.tell(span);
        }
    }
}

impl Told for pb::ExplainResponse {
    fn tell(&self, span: &mut Span) {
        if let Some(decision) = &self.decision {
            decision.tell(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_tracer_nobody_asks_whose_call_it_is() {
        let (traces, clock) = (Traces::default(), Clock::system());
        assert_eq!(traces.begin("Check", &clock, || panic!("somebody asks")), None);
        let answer = traces.finish("Check", &clock, None, |span| {
            assert!(span.is_none() && under(None, crate::telemetry::traces::current) == 0);
            Ok(7)
        });
        assert_eq!(answer.unwrap().into_inner(), 7);
    }
}
