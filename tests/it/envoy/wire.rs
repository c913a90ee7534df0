//! What no Envoy would send, or not on demand: over gRPC, without one.

use serde_json::json;
use tollgate::pb::envoy::config::core::v3::metadata::FilterMetadataEntry;
use tollgate::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, Metadata};
use tollgate::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use tollgate::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use tollgate::pb::envoy::service::auth::v3::attribute_context::http_request::HeadersEntry;
use tollgate::pb::envoy::service::auth::v3::attribute_context::{
    ContextExtensionsEntry, HttpRequest, Peer, Request,
};
use tollgate::pb::envoy::service::auth::v3::authorization_client::AuthorizationClient;
use tollgate::pb::envoy::service::auth::v3::check_response::HttpResponse;
use tollgate::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use tollgate::pb::envoy::service::ratelimit::v3::rate_limit_response::Code as Over;
use tollgate::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use tollgate::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use tonic::{Code, Status};

use crate::served::{self, Served};

const BUNDLE: &str = r#"
format: tollgate/v1
version: 2.0.0
rules:
  - {id: allow-all, action: "*", effect: allow, reason: Everything may pass here}
guardrails:
  - {name: ten, type: rate_limit, rules: {limit: 10, window_seconds: 60, key_by: [user]}, targeting: {tags: {include: ["entries:user"]}}, state: enabled}
  - {name: week, type: rate_limit, rules: {limit: 5, window_seconds: 604800}, targeting: {tools: [w]}, state: enabled}
"#;

fn extension(key: &str, value: &str) -> ContextExtensionsEntry {
    ContextExtensionsEntry { key: key.into(), value: value.into() }
}

fn http(http: HttpRequest) -> AttributeContext {
    AttributeContext { request: Some(Request { http: Some(http) }), ..Default::default() }
}

async fn served() -> Served {
    let plane = served::plane();
    served::install(&plane, BUNDLE);
    Served::start(plane)
}

async fn check(served: &Served, attributes: Option<AttributeContext>) -> Result<CheckResponse, Status> {
    let mut client = AuthorizationClient::new(served.channel().await);
    client.check(CheckRequest { attributes }).await.map(tonic::Response::into_inner)
}

/// Its code, and the status that the client would get.
fn outcome(answer: Result<CheckResponse, Status>) -> Result<(i32, i32), Code> {
    let answer = answer.map_err(|status| status.code())?;
    let status = match answer.http_response {
        Some(HttpResponse::DeniedResponse(denied)) => denied.status.unwrap().code,
        Some(HttpResponse::OkResponse(_)) => 0,
        None => panic!("an answer without a response"),
    };
    Ok((answer.status.unwrap().code, status))
}

#[tokio::test]
async fn what_a_client_can_bring_about_is_denied_and_what_an_operator_can_is_an_error() {
    let served = served().await;
    let header = |n: usize| HeadersEntry { key: format!("h{n}"), value: "v".into() };
    let headers =
        |n: usize| http(HttpRequest { headers: (0..n).map(header).collect(), ..Default::default() });
    let raw = |n: usize| {
        let one = HeaderValue { key: "same".into(), raw_value: vec![0xff, b'\n'], ..Default::default() };
        http(HttpRequest { header_map: Some(HeaderMap { headers: vec![one; n] }), ..Default::default() })
    };
    let with = |mut attributes: AttributeContext, extensions: Vec<ContextExtensionsEntry>| {
        attributes.context_extensions = extensions;
        attributes
    };
    let claims = |json: serde_json::Value| {
        let serde_json::Value::Object(map) = json else { panic!("an object") };
        let entry = FilterMetadataEntry { key: "ns".into(), value: Some(map.into()) };
        let metadata_context = Some(Metadata { filter_metadata: vec![entry] });
        AttributeContext { metadata_context, ..Default::default() }
    };
    let principal = |n: usize| Peer { principal: "p".repeat(n), ..Default::default() };
    let deep = (0..20).fold(json!(1), |inner, _| json!({"d": inner}));
    let (allowed, denied, error) = (Ok((0, 0)), Ok((7, 403)), Err(Code::InvalidArgument));
    for (what, attributes, want) in [
        ("nothing at all", AttributeContext::default(), allowed),
        ("an empty request", http(HttpRequest::default()), allowed),
        ("a hundred headers", headers(100), allowed),
        ("too many values", headers(400), denied),
        ("too many headers", headers(5_000), denied),
        (
            "400 headers, of which one is wanted",
            with(headers(400), vec![extension("headers", "h3")]),
            allowed,
        ),
        ("bytes for headers", raw(200), allowed),
        ("a long path", http(HttpRequest { path: "p".repeat(70_000), ..Default::default() }), denied),
        ("a long body", http(HttpRequest { body: "b".repeat(70_000), ..Default::default() }), denied),
        ("a long principal", AttributeContext { source: Some(principal(300)), ..Default::default() }, denied),
        ("deep claims", claims(json!({"a": deep})), denied),
        (
            "a claim that is a list",
            with(claims(json!({"u": ["a", "b"]})), vec![extension("user.from", "metadata:ns/u")]),
            denied,
        ),
        (
            "a claim that is not there",
            with(claims(json!({})), vec![extension("user.from", "metadata:ns/u")]),
            allowed,
        ),
        ("no kind", with(headers(1), vec![extension("kind", "x")]), error),
        ("an empty action", with(headers(1), vec![extension("action", "")]), error),
        ("a long tool", with(headers(1), vec![extension("tool", &"t".repeat(300))]), error),
        ("a header as action", with(headers(1), vec![extension("action.from", "header:h0")]), error),
        ("no source", with(headers(1), vec![extension("run.from", " ")]), error),
        ("many sources", with(headers(1), vec![extension("run.from", &"http.id ".repeat(9))]), error),
        ("many entries", with(headers(1), vec![extension("x", "y"); 300]), error),
        ("many named headers", with(headers(1), vec![extension("headers", &"a ".repeat(300))]), error),
    ] {
        assert_eq!(outcome(check(&served, Some(attributes)).await), want, "{what}");
    }
    assert_eq!(outcome(check(&served, None).await), error);
    let giant = http(HttpRequest { raw_body: vec![b'x'; 2 << 20], ..Default::default() });
    assert_eq!(outcome(check(&served, Some(giant)).await), error);
    let bomb = http(HttpRequest { headers: vec![HeadersEntry::default(); 500_000], ..Default::default() });
    assert_eq!(outcome(check(&served, Some(bomb)).await), error);
}

#[tokio::test]
async fn before_the_first_bundle_both_answer_unavailable() {
    let served = Served::start(served::plane());
    assert_eq!(outcome(check(&served, Some(AttributeContext::default())).await), Err(Code::Unavailable));
    let asked = ask(&served, vec![descriptor(&[("user", "a")], None)], 0).await;
    assert_eq!(asked.unwrap_err().code(), Code::Unavailable);
}

fn descriptor(entries: &[(&str, &str)], hits_addend: Option<u64>) -> RateLimitDescriptor {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).into(), value: (*value).into() };
    RateLimitDescriptor { entries: entries.iter().map(entry).collect(), hits_addend, is_negative_hits: false }
}

async fn ask(
    served: &Served,
    descriptors: Vec<RateLimitDescriptor>,
    hits_addend: u32,
) -> Result<RateLimitResponse, Status> {
    let mut client = RateLimitServiceClient::new(served.channel().await);
    let request = RateLimitRequest { domain: "web".into(), descriptors, hits_addend };
    client.should_rate_limit(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn hits_are_charged_for_all_descriptors_or_for_none() {
    let served = served().await;
    let user = |name, hits| descriptor(&[("user", name)], hits);
    let unlimited = || descriptor(&[("nobody", "counts")], None);
    let (ok, over) = (Over::Ok as i32, Over::OverLimit as i32);
    for (what, descriptors, hits, overall, codes, left) in [
        ("0 is 1", vec![user("a", None)], 0, ok, vec![ok], vec![9]),
        ("the request's", vec![user("a", None)], 3, ok, vec![ok], vec![6]),
        ("the descriptor's wins", vec![user("a", Some(2))], 3, ok, vec![ok], vec![4]),
        ("a set 0 looks", vec![user("a", Some(0))], 3, ok, vec![ok], vec![4]),
        (
            "one is over",
            vec![user("b", None), unlimited(), user("a", Some(5))],
            1,
            over,
            vec![ok, ok, over],
            vec![10, u32::MAX, 4],
        ),
        (
            "and nothing was charged",
            vec![user("a", Some(0)), user("b", Some(0))],
            1,
            ok,
            vec![ok, ok],
            vec![4, 10],
        ),
        ("no wait helps", vec![user("c", Some(11))], 1, over, vec![over], vec![10]),
        ("no limit", vec![unlimited()], 1, ok, vec![ok], vec![u32::MAX]),
        ("twice the same", vec![user("d", Some(6)), user("d", Some(4))], 1, ok, vec![ok, ok], vec![0, 0]),
    ] {
        let answer = ask(&served, descriptors, hits).await.unwrap();
        assert_eq!(answer.overall_code, overall, "{what}: {answer:?}");
        let got: Vec<i32> = answer.statuses.iter().map(|status| status.code).collect();
        assert_eq!(got, codes, "{what}: {answer:?}");
        let got: Vec<u32> = answer.statuses.iter().map(|status| status.limit_remaining).collect();
        assert_eq!(got, left, "{what}: {answer:?}");
        let waits = answer.response_headers_to_add.iter().any(|header| header.key == "retry-after");
        assert_eq!(waits, overall == over && what != "no wait helps", "{what}: {answer:?}");
    }
    let week = ask(&served, vec![descriptor(&[("tool", "w")], None)], 1).await.unwrap();
    let limit = week.statuses[0].current_limit.clone().unwrap();
    assert_eq!((limit.name.as_str(), limit.requests_per_unit, limit.unit), ("week", 5, 7));
}

#[tokio::test]
async fn limits_that_cannot_be_asked_about_are_refused_or_over() {
    let served = served().await;
    let long = "x".repeat(300);
    let negative = RateLimitDescriptor { is_negative_hits: true, ..descriptor(&[("user", "a")], Some(1)) };
    let many: Vec<(&str, &str)> = vec![("k", "v"); 300];
    for (what, descriptors, want) in [
        ("none", vec![], Err(Code::InvalidArgument)),
        ("too many", vec![descriptor(&[], None); 1_001], Err(Code::InvalidArgument)),
        ("giving back", vec![negative], Err(Code::InvalidArgument)),
        ("too many hits", vec![descriptor(&[("user", "a")], Some(u64::MAX))], Err(Code::InvalidArgument)),
        ("no entries", vec![descriptor(&[], None)], Ok(Over::Ok as i32)),
        ("a long user", vec![descriptor(&[("user", &long)], None)], Ok(Over::OverLimit as i32)),
        ("a long other", vec![descriptor(&[("other", &long)], None)], Ok(Over::Ok as i32)),
        ("many entries", vec![descriptor(&many, None)], Ok(Over::OverLimit as i32)),
    ] {
        let answer = ask(&served, descriptors, 1).await;
        let got = answer.map(|answer| answer.overall_code).map_err(|status| status.code());
        assert_eq!(got, want, "{what}");
    }
}
