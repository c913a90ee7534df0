//! The spans of RPCs: what was asked and what came out, under the caller's own trace.

use std::sync::Arc;

use tonic::metadata::MetadataMap;
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
        let Some(tracer) = &self.0 else { return guarded(name, || work(rpc.into_inner())) };
        let Some(mut span) = begin(tracer, name, clock, rpc.metadata()) else {
            return guarded(name, || work(rpc.into_inner()));
        };
        span.set("rpc.system.name", Value::Name("grpc"));
        span.set("rpc.method", Value::Name(name));
        rpc.get_ref().tell(&mut span);
        let answer = within(span.trace(), || guarded(name, || work(rpc.into_inner())));
        match &answer {
            Ok(answer) => answer.get_ref().tell(&mut span),
            Err(status) => {
                span.set("rpc.response.status_code", Value::Text(format!("{:?}", status.code())));
                if is_ours(status.code()) {
                    span.fail(status.message());
                }
            }
        }
        span.end_at(now(clock));
        tracer.end(span);
        answer
    }
}

fn begin(tracer: &Tracer, name: &'static str, clock: &Clock, metadata: &MetadataMap) -> Option<Span> {
    let header = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok());
    let state = || header("tracestate").unwrap_or_default();
    let caller = header("traceparent").and_then(|parent| Caller::read(parent, state()));
    tracer.begin(name, caller, clock::any_seed, now(clock))
}

fn now(clock: &Clock) -> u64 {
    clock.wall().nanos().max(0).unsigned_abs()
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
