//! What the span of a decision tells, for edges whose messages are not ours.

use tollgate_engine::decide::Request;

use super::Answer;
use crate::telemetry::traces::{Span, Value};

/// Tells what was asked.
pub fn tell_request(request: &Request<'_>, span: &mut Span) {
    span.set("tollgate.agent", text(request.subject.agent));
    span.set("tollgate.action", text(request.action.name));
    span.set("tollgate.request_id", text(request.request_id));
    if request.dry_run {
        span.set("tollgate.dry_run", Value::Bool(true));
    }
}

/// Tells how many there are of something.
pub fn tell_count(name: &'static str, count: usize, span: &mut Span) {
    span.set(name, Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
}

impl Answer<'_> {
    /// Tells what was decided.
    pub fn tell(&self, span: &mut Span) {
        let decision = &self.decision;
        span.set("tollgate.decision_id", Value::Text(self.decision_id.to_string()));
        span.set("tollgate.effect", Value::Name(self.effect_name()));
        span.set("tollgate.reason_code", Value::Name(decision.reason_code.name()));
        span.set("tollgate.rule_id", text(decision.rule.map_or("", |rule| rule.as_str())));
        span.set("tollgate.guardrail", text(decision.guardrail.map_or("", |name| name.as_str())));
        self.tell_bundle(span);
    }

    /// Tells who decided.
    pub fn tell_bundle(&self, span: &mut Span) {
        span.set("tollgate.arm", Value::Name(self.arm.name()));
        span.set("tollgate.bundle.version", text(self.bundle.map_or("", |bundle| bundle.version)));
        span.set("tollgate.environment", text(self.decision.environment));
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
