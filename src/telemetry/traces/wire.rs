//! Spans as OTLP writes them.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as otlp, ResourceSpans, ScopeSpans, span::SpanKind};

use super::span::{Span, Value};

/// What all spans of a process share.
#[derive(Clone, Debug)]
pub(super) struct Shared(Resource);

impl Shared {
    pub(super) fn new(service: &str, instance: &str) -> Self {
        let attributes = [
            ("service.name", service),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", instance),
        ];
        let attributes = attributes.map(|(name, text)| attribute(name, &Value::Text(text.to_owned())));
        Self(Resource { attributes: attributes.into(), ..Resource::default() })
    }

    pub(super) fn request(&self, spans: &[Span]) -> ExportTraceServiceRequest {
        let scope = InstrumentationScope {
            name: "tollgate".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        };
        let spans = spans.iter().map(span).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..ScopeSpans::default() }];
        let resource = Some(self.0.clone());
        let all = ResourceSpans { resource, scope_spans, ..ResourceSpans::default() };
        ExportTraceServiceRequest { resource_spans: vec![all] }
    }
}

/// Sampled, and whether the parent is remote is known: it is.
const FLAGS: u32 = 0x301;

fn span(own: &Span) -> otlp::Span {
    let parent = if own.parent == 0 { vec![] } else { own.parent.to_be_bytes().into() };
    let status = own
        .failure
        .as_ref()
        .map(|why| otlp::Status { message: why.clone(), code: otlp::status::StatusCode::Error.into() });
    otlp::Span {
        trace_id: own.trace.to_be_bytes().into(),
        span_id: own.id.to_be_bytes().into(),
        trace_state: own.state.clone(),
        flags: if parent.is_empty() { 1 } else { FLAGS },
        parent_span_id: parent,
        name: own.name.to_owned(),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: own.started,
        end_time_unix_nano: own.ended,
        attributes: own.attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        status,
        ..otlp::Span::default()
    }
}

fn attribute(name: &str, value: &Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => any_value::Value::StringValue(text.clone()),
        Value::Name(name) => any_value::Value::StringValue((*name).to_owned()),
        Value::Int(number) => any_value::Value::IntValue(*number),
        Value::Bool(truth) => any_value::Value::BoolValue(*truth),
    };
    KeyValue { key: name.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
