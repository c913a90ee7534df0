//! A collector gets spans under the caller's own trace, and one that hangs harms nobody.

mod edges;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;
use tokio_stream::wrappers::TcpListenerStream;
use tollgate::pb;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient as Client;
use tonic::transport::{Channel, Identity, ServerTlsConfig};
use tonic::{Request, Response, Status};

use crate::binary::{Serving, run};
use crate::served::request;

const BUNDLE: &str = "format: tollgate/v1\nversion: 1.2.0\nrules:\n  - {id: send-it, action: send, effect: allow, \
                      reason: Anybody may send something}\n";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A span, what its process says of itself, and the headers that it came with.
#[derive(Clone, Debug)]
struct Got {
    span: Span,
    service: String,
    token: String,
}

#[derive(Clone, Default)]
struct Collector {
    got: Arc<Mutex<Vec<Got>>>,
    hangs: bool,
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(
        &self,
        sent: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let token = sent.metadata().get("x-token").map(|token| token.to_str().unwrap().to_owned());
        for resource in sent.into_inner().resource_spans {
            let service = text(&resource.resource.unwrap().attributes, "service.name");
            let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let got = spans.map(|span| {
                let (service, token) = (service.clone(), token.clone().unwrap_or_default());
                Got { span, service, token }
            });
            self.got.lock().unwrap().extend(got);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    async fn start(self) -> SocketAddr {
        self.start_with(None).await
    }

    async fn start_with(self, tls: Option<ServerTlsConfig>) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = TraceServiceServer::new(self);
        let incoming = TcpListenerStream::new(listener);
        tokio::spawn(async move {
            let mut server = tonic::transport::Server::builder();
            if let Some(tls) = tls {
                server = server.tls_config(tls).unwrap();
            }
            server.serve_with_incoming(service, incoming).await
        });
        address
    }

    /// The spans as soon as there are so many.
    async fn spans(&self, count: usize) -> Vec<Got> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let got = self.got.lock().unwrap().clone();
            if got.len() >= count {
                return got;
            }
            assert!(Instant::now() < until, "{} of {count} spans within a minute", got.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn text(attributes: &[KeyValue], name: &str) -> String {
    let found = attributes.iter().find(|attribute| attribute.key == name);
    match found.and_then(|attribute| attribute.value.clone()?.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{name}: {other:?} in {attributes:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn traced<T>(message: T, flags: &str) -> Request<T> {
    let mut request = Request::new(message);
    let parent = format!("00-{TRACE}-{PARENT}-{flags}");
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    request.metadata_mut().insert("tracestate", "vendor=x".parse().unwrap());
    request
}

fn start(folder: &Path, more: &[&str]) -> Serving {
    fs::write(folder.join("b.yaml"), BUNDLE).unwrap();
    Serving::start(folder, &[&["b.yaml"], more].concat())
}

async fn client(serving: &Serving) -> Client<Channel> {
    Client::connect(format!("http://{}", serving.grpc)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_join_the_callers_trace() {
    let collector = Collector::default();
    let endpoint = format!("http://{}", collector.clone().start().await);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("headers"), "X-Token: secret\n").unwrap();
    let more =
        ["--otlp-endpoint", &endpoint, "--otlp-headers-file", "headers", "--otlp-service-name", "gate"];
    let serving = start(folder.path(), &[&more[..], &["--otlp-sample-ratio", "0"]].concat());
    let mut client = client(&serving).await;
    let ask = || request("send", json!({}));
    // Neither who does not record nor who has no trace is recorded here.
    client.authorize(traced(ask(), "00")).await.unwrap();
    client.authorize(ask()).await.unwrap();
    let answer = client.authorize(traced(ask(), "01")).await.unwrap().into_inner();
    let report = pb::ReportRequest {
        decision_id: answer.decision_id.clone(),
        status: pb::Status::Success.into(),
        ..Default::default()
    };
    client.report(traced(report, "01")).await.unwrap();
    let batch =
        pb::AuthorizeBatchRequest { requests: vec![ask(), request("x", json!({}))], ..Default::default() };
    client.authorize_batch(traced(batch, "01")).await.unwrap();
    let bad = pb::AuthorizeRequest::default();
    assert!(client.authorize(traced(bad, "01")).await.is_err());
    let explain = pb::ExplainRequest { request: Some(ask()) };
    client.explain(traced(explain, "01")).await.unwrap();

    let spans = collector.spans(5).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(collector.spans(5).await.len(), 5, "{spans:?}");
    for Got { span, service, token } in &spans {
        assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, PARENT));
        assert_eq!(
            (service.as_str(), token.as_str(), span.trace_state.as_str()),
            ("gate", "secret", "vendor=x")
        );
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano && span.start_time_unix_nano > 0);
        assert_eq!(hex(&span.span_id).len(), 16);
    }
    let names: Vec<&str> = spans.iter().map(|got| got.span.name.as_str()).collect();
    assert_eq!(names, ["Authorize", "Report", "AuthorizeBatch", "Authorize", "Explain"]);
    for (at, name, want) in [
        (0, "tollgate.decision_id", answer.decision_id.as_str()),
        (0, "tollgate.effect", "ALLOW"),
        (0, "tollgate.reason_code", "rule"),
        (0, "tollgate.rule_id", "send-it"),
        (0, "tollgate.bundle.version", "1.2.0"),
        (0, "tollgate.agent", "inbox"),
        (0, "tollgate.action", "send"),
        (0, "tollgate.arm", "STABLE"),
        (1, "tollgate.decision_id", answer.decision_id.as_str()),
        (1, "tollgate.result", "APPLIED"),
        (2, "tollgate.batch.items", "2"),
        (2, "tollgate.batch.allowed", "1"),
        (3, "rpc.response.status_code", "InvalidArgument"),
    ] {
        assert_eq!(text(&spans[at].span.attributes, name), want, "{name}");
    }
    exemplars_carry_the_trace(&serving);
}

fn exemplars_carry_the_trace(serving: &Serving) {
    let reply = crate::binary::exchange(
        serving.metrics,
        b"GET /metrics HTTP/1.0\r\nhost: x\r\naccept: application/openmetrics-text;version=1.0.0\r\n\r\n",
    );
    let of_buckets = |line: &&str| line.starts_with("tollgate_decision_duration_seconds_bucket");
    let traced =
        reply.lines().filter(of_buckets).filter(|line| line.contains(&format!("trace_id=\"{TRACE}\"")));
    assert!(traced.count() > 0 && reply.ends_with("# EOF\n"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn traces_that_begin_here_have_no_parent_and_the_last_ones_are_sent() {
    let collector = Collector::default();
    let endpoint = format!("http://{}", collector.clone().start().await);
    let folder = tempfile::tempdir().unwrap();
    let mut serving = start(folder.path(), &["--otlp-endpoint", &endpoint]);
    client(&serving).await.authorize(request("send", json!({}))).await.unwrap();
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
    let got = collector.spans(1).await.remove(0);
    assert_eq!(
        (got.span.parent_span_id.len(), got.span.trace_id.len(), got.service.as_str()),
        (0, 16, "tollgate")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_is_spoken_to_by_tls_if_its_certificate_is_good() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let identity = Identity::from_pem(own.cert.pem(), own.signing_key.serialize_pem());
    let collector = Collector::default();
    let address = collector.clone().start_with(Some(ServerTlsConfig::new().identity(identity))).await;
    let endpoint = format!("https://localhost:{}", address.port());
    for (authority, taken) in [(other, 0), (own, 1)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.cert.pem()).unwrap();
        let mut serving = start(folder.path(), &["--otlp-endpoint", &endpoint, "--otlp-ca-file", "ca.pem"]);
        client(&serving).await.authorize(request("send", json!({}))).await.unwrap();
        serving.signal("TERM");
        assert_eq!(serving.wait().code(), Some(0));
        assert_eq!(collector.spans(taken).await.len(), taken);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_or_is_away_harms_nobody() {
    let hangs = Collector { hangs: true, ..Collector::default() }.start().await;
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for collector in [hangs, away] {
        let folder = tempfile::tempdir().unwrap();
        let mut serving = start(folder.path(), &["--otlp-endpoint", &format!("http://{collector}")]);
        let mut client = client(&serving).await;
        for _ in 0..30 {
            let batch = pb::AuthorizeBatchRequest {
                requests: vec![request("send", json!({}))],
                ..Default::default()
            };
            client.authorize_batch(batch).await.unwrap();
        }
        // More than the queue has room for.
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let mut client = client.clone();
            calls.spawn(async move {
                for _ in 0..1_200 {
                    client.authorize(request("send", json!({}))).await.unwrap();
                }
            });
        }
        while let Some(done) = calls.join_next().await {
            done.unwrap();
        }
        let page = serving.get("/metrics").1;
        let line =
            page.lines().find_map(|line| line.strip_prefix("tollgate_trace_spans_dropped_total ")).unwrap();
        let dropped: u64 = line.parse().unwrap();
        assert!((1..9_000).contains(&dropped), "{dropped}");
        serving.signal("TERM");
        assert_eq!(serving.wait().code(), Some(0));
    }
}

#[test]
fn what_cannot_work_ends_the_start_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    for (more, code, want) in [
        (vec!["--otlp-endpoint", "collector:4317"], 2, "such as `http://collector:4317`"),
        (vec!["--otlp-endpoint", "https://collector:4317"], 3, "--otlp-ca-file"),
        (
            vec!["--otlp-endpoint", "http://127.0.0.1:1", "--otlp-headers-file", "none"],
            3,
            "none: cannot be read",
        ),
        (vec!["--otlp-sample-ratio", "1.5"], 2, "from 0 to 1"),
    ] {
        let start = ["serve", "b.yaml", "--grpc", "127.0.0.1:0", "--metrics", "none"];
        let ended = run(folder.path(), &[&start[..], &more].concat());
        assert_eq!(ended.code, code, "{more:?} {ended:?}");
        assert!(ended.stderr.contains(want), "{want}: {}", ended.stderr);
    }
}
