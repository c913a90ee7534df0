//! Items of streams, what Envoy asks and what comes over HTTP, each under its own trace.

use std::collections::HashMap;

use tollgate::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use tollgate::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use tollgate::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use tollgate::pb::envoy::service::auth::v3::attribute_context::http_request::HeadersEntry;
use tollgate::pb::envoy::service::auth::v3::attribute_context::{self, HttpRequest};
use tollgate::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tollgate::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest};
use tollgate::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use tollgate::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;

use super::*;
use crate::binary::exchange;

const OWN: &str = "0af7651916cd43dd8448eb211c80319c";
const OWN_PARENT: &str = "b7ad6b7169203331";

/// One that records what its callers record, and nothing else.
async fn serving(folder: &Path, collector: &Collector, more: &[&str]) -> Serving {
    let endpoint = format!("http://{}", collector.clone().start().await);
    let traces = ["--otlp-endpoint", endpoint.as_str(), "--otlp-sample-ratio", "0"];
    start(folder, &[&traces[..], more].concat())
}

/// All spans once there are so many, and no more come.
async fn all(collector: &Collector, count: usize) -> Vec<Span> {
    collector.spans(count).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let spans: Vec<Span> = collector.spans(count).await.into_iter().map(|got| got.span).collect();
    assert_eq!(spans.len(), count, "{spans:?}");
    spans
}

fn context(span: &Span) -> (String, String) {
    (hex(&span.trace_id), hex(&span.parent_span_id))
}

fn own(flags: &str) -> String {
    format!("00-{OWN}-{OWN_PARENT}-{flags}")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_item_of_a_stream_has_its_own() {
    let (collector, folder) = (Collector::default(), tempfile::tempdir().unwrap());
    let serving = serving(folder.path(), &collector, &[]).await;
    let item = |id: &str, action: &str, traceparent: &str| {
        let request = pb::AuthorizeRequest { request_id: id.into(), ..request(action, json!({})) };
        let (traceparent, tracestate) = (traceparent.into(), "item=y".into());
        pb::AuthorizeStreamRequest { request: Some(request), traceparent, tracestate }
    };
    let items = vec![
        item("own", "send", &own("01")),
        item("openers", "send", ""),
        item("noise", "send", "no-trace"),
        item("silent", "send", &own("00")),
        item("wrong", "", &own("01")),
        pb::AuthorizeStreamRequest { traceparent: own("01"), ..Default::default() },
    ];
    let mut client = client(&serving).await;
    let answers = client.authorize_stream(traced(tokio_stream::iter(items.clone()), "01")).await.unwrap();
    let mut answers = answers.into_inner();
    let mut ids = HashMap::new();
    while let Some(answer) = answers.message().await.unwrap() {
        let answer = answer.response.unwrap();
        ids.insert(answer.request_id, answer.decision_id);
    }
    assert_eq!(ids.len(), 6);
    // Who opens a stream without a context has nothing recorded but what names its own.
    client.authorize_stream(tokio_stream::iter(items)).await.unwrap().into_inner().message().await.unwrap();

    let spans = all(&collector, 5 + 3).await;
    assert!(spans.iter().all(|span| span.name == "AuthorizeStream"));
    let (mine, openers) = ((OWN.to_owned(), OWN_PARENT.to_owned()), (TRACE.to_owned(), PARENT.to_owned()));
    for (span, id, context_of, state, code) in [
        (&spans[0], "own", &mine, "item=y", "rule"),
        (&spans[1], "openers", &openers, "vendor=x", "rule"),
        (&spans[2], "noise", &openers, "vendor=x", "rule"),
        (&spans[3], "wrong", &mine, "item=y", "invalid_request"),
        (&spans[4], "", &mine, "", "invalid_request"),
    ] {
        assert_eq!((&context(span), span.trace_state.as_str()), (context_of, state), "{id}");
        assert_eq!(text(&span.attributes, "tollgate.decision_id"), ids[id], "{id}");
        assert_eq!(text(&span.attributes, "tollgate.reason_code"), code, "{id}");
        assert_eq!(text(&span.attributes, "rpc.method"), "AuthorizeStream", "{id}");
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano && span.start_time_unix_nano > 0);
    }
    for (name, want) in [
        ("tollgate.request_id", "own"),
        ("tollgate.agent", "inbox"),
        ("tollgate.action", "send"),
        ("tollgate.effect", "ALLOW"),
        ("tollgate.rule_id", "send-it"),
        ("tollgate.bundle.version", "1.2.0"),
        ("tollgate.arm", "STABLE"),
        ("tollgate.environment", "default"),
    ] {
        assert_eq!(text(&spans[0].attributes, name), want, "{name}");
    }
    exemplars_carry_the_trace(&serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_belongs_to_the_request_that_envoy_asks_about() {
    let (collector, folder) = (Collector::default(), tempfile::tempdir().unwrap());
    let serving = serving(folder.path(), &collector, &[]).await;
    let channel = Channel::from_shared(format!("http://{}", serving.grpc)).unwrap().connect().await.unwrap();
    let mut client = AuthorizationClient::new(channel.clone());
    let plain = |parent: String| HttpRequest {
        headers: vec![HeadersEntry { key: "traceparent".into(), value: parent }],
        ..Default::default()
    };
    let raw = |parent: String| HttpRequest {
        header_map: Some(HeaderMap {
            headers: vec![HeaderValue {
                key: "Traceparent".into(),
                raw_value: parent.into_bytes(),
                ..Default::default()
            }],
        }),
        ..Default::default()
    };
    let of = |http: HttpRequest| {
        let request = Some(attribute_context::Request { http: Some(http) });
        CheckRequest { attributes: Some(AttributeContext { request, ..Default::default() }) }
    };
    let same = format!("00-{TRACE}-{OWN_PARENT}-01");
    let (client_s, envoys) = ((OWN, OWN_PARENT), (TRACE, PARENT));
    for (what, request, wants) in [
        ("a header", Request::new(of(plain(own("01")))), Some(client_s)),
        ("as bytes", Request::new(of(raw(own("01")))), Some(client_s)),
        ("none is recorded", Request::new(of(plain(own("00")))), None),
        ("another trace than Envoy's", traced(of(plain(own("01"))), "01"), Some(client_s)),
        ("Envoy's own span of it", traced(of(plain(same.clone())), "01"), Some(envoys)),
        ("Envoy does not record it", traced(of(plain(same)), "00"), None),
        ("Envoy's alone", traced(of(HttpRequest::default()), "01"), Some(envoys)),
        ("a header that is none", traced(of(plain("none".into())), "01"), Some(envoys)),
        ("neither", Request::new(of(HttpRequest::default())), None),
        ("no attributes", traced(CheckRequest::default(), "01"), Some(envoys)),
    ] {
        let before = collector.got.lock().unwrap().len();
        let answer = client.check(request).await;
        let spans = all(&collector, before + usize::from(wants.is_some())).await;
        let Some((trace, parent)) = wants else { continue };
        let span = spans.last().unwrap();
        assert_eq!(context(span), (trace.to_owned(), parent.to_owned()), "{what}");
        assert_eq!((span.name.as_str(), answer.is_ok()), ("Check", what != "no attributes"), "{what}");
        let (name, want) = match answer {
            Ok(_) => ("tollgate.action", "http.request"),
            Err(_) => ("rpc.response.status_code", "InvalidArgument"),
        };
        assert_eq!(text(&span.attributes, name), want, "{what}");
    }

    let before = collector.got.lock().unwrap().len();
    let entries = vec![Entry { key: "user".into(), value: "ann".into() }];
    let descriptors = vec![RateLimitDescriptor { entries, ..Default::default() }; 3];
    let asked = RateLimitRequest { domain: "web".into(), descriptors, hits_addend: 1 };
    RateLimitServiceClient::new(channel).should_rate_limit(traced(asked, "01")).await.unwrap();
    let span = all(&collector, before + 1).await.pop().unwrap();
    assert_eq!(
        (span.name.as_str(), context(&span)),
        ("ShouldRateLimit", (TRACE.to_owned(), PARENT.to_owned()))
    );
    for (name, want) in [
        ("tollgate.batch.items", "3"),
        ("tollgate.batch.allowed", "3"),
        ("tollgate.bundle.version", "1.2.0"),
        ("rpc.method", "ShouldRateLimit"),
    ] {
        assert_eq!(text(&span.attributes, name), want, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn evaluations_belong_to_the_trace_of_their_headers() {
    let (collector, folder) = (Collector::default(), tempfile::tempdir().unwrap());
    let serving = serving(folder.path(), &collector, &["--http", "127.0.0.1:0"]).await;
    let address = serving.http.unwrap();
    let post = |path: &str, parent: &str, body: &serde_json::Value| {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-request-id: one\r\ntraceparent: {parent}\r\ntracestate: vendor=x\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        exchange(address, [head, body].concat().as_bytes())
    };
    let facts = |action: &str| {
        json!({
            "subject": {"type": "agent", "id": "inbox"}, "action": {"name": action},
            "resource": {"type": "t", "id": "1"},
        })
    };
    let several = |semantic: &str| {
        json!({
            "evaluations": [facts("send"), facts("x"), 7], "options": {"evaluations_semantic": semantic},
        })
    };
    let (one, many) = ("/access/v1/evaluation", "/access/v1/evaluations");
    for (path, flags, body) in [
        (one, "01", facts("send")),
        (one, "00", facts("send")),
        (one, "01", json!({})),
        (many, "01", several("execute_all")),
        (many, "01", several("permit_on_first_permit")),
        (many, "01", facts("x")),
    ] {
        post(path, &own(flags), &body);
    }
    post(one, "none", &facts("send"));
    let spans = all(&collector, 5).await;
    for span in &spans {
        assert_eq!(context(span), (OWN.to_owned(), OWN_PARENT.to_owned()));
        assert_eq!(span.trace_state, "vendor=x");
        assert_eq!(span.name, format!("POST {}", text(&span.attributes, "http.route")));
    }
    for (at, name, want) in [
        (0, "http.route", one),
        (0, "http.request.method", "POST"),
        (0, "http.response.status_code", "200"),
        (0, "tollgate.agent", "inbox"),
        (0, "tollgate.action", "send"),
        (0, "tollgate.request_id", "one"),
        (0, "tollgate.effect", "ALLOW"),
        (0, "tollgate.rule_id", "send-it"),
        (1, "http.response.status_code", "400"),
        (2, "http.route", many),
        (2, "tollgate.batch.items", "3"),
        (2, "tollgate.batch.allowed", "1"),
        (2, "tollgate.bundle.version", "1.2.0"),
        (3, "tollgate.batch.allowed", "1"),
        (3, "tollgate.bundle.version", "1.2.0"),
        (4, "tollgate.effect", "DENY"),
    ] {
        assert_eq!(text(&spans[at].attributes, name), want, "{at} {name}");
    }
}
