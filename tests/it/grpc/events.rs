//! `WatchEvents`: what happens reaches who follows it, and who does not keep up is told so.

use std::time::{Duration, Instant};

use serde_json::json;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{WatchEventsRequest, WatchEventsResponse};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::served::{self, Served, request};

type Client = PolicyDecisionServiceClient<Channel>;

/// One rule that denies, and a limit.
const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.0.0
defaults: {effect: allow}
rules:
  - {id: no-deletes, action: delete, effect: deny, reason: Nothing is ever deleted here}
guardrails:
  - name: two-sends
    type: rate_limit
    rules: {limit: 2, window_seconds: 1, key_by: [tenant]}
    targeting: {actions: [send]}
"#;

fn of_types(types: &[&str]) -> WatchEventsRequest {
    WatchEventsRequest { types: types.iter().map(|text| (*text).into()).collect(), ..Default::default() }
}

async fn served() -> (Served, Client) {
    let plane = served::plane();
    served::install(&plane, BUNDLE);
    let served = Served::start(plane);
    let client = served.client().await;
    (served, client)
}

async fn watch(client: &mut Client, sent: WatchEventsRequest) -> Streaming<WatchEventsResponse> {
    client.watch_events(sent).await.unwrap().into_inner()
}

async fn next(events: &mut Streaming<WatchEventsResponse>) -> WatchEventsResponse {
    let next = tokio::time::timeout(Duration::from_secs(10), events.message()).await;
    // In time, and it goes on.
    next.unwrap().unwrap().unwrap()
}

fn data(event: &WatchEventsResponse) -> serde_json::Value {
    event.data.as_ref().unwrap().into()
}

async fn ask(client: &mut Client, action: &str, tenant: &str) {
    let mut sent = request(action, json!({}));
    sent.subject.as_mut().unwrap().tenant = tenant.into();
    client.authorize(sent).await.unwrap();
}

#[tokio::test]
async fn a_stream_resumes_after_an_event_and_each_list_narrows_it() {
    let (served, mut client) = served().await;
    let mut all = watch(&mut client, WatchEventsRequest::default()).await;
    for tenant in ["acme", "acme", "acme", "other", "other", "other"] {
        ask(&mut client, "send", tenant).await;
    }
    ask(&mut client, "delete", "other").await;
    let first = next(&mut all).await;
    assert_eq!(data(&first)["tenant"], "acme");
    let denied = next(&mut all).await;
    assert_eq!((&data(&denied)["rule_id"], &data(&denied)["effect"]), (&json!("no-deletes"), &json!("DENY")));
    served::install(&served.plane, &BUNDLE.replace("1.0.0", "2.0.0").replace("limit: 2", "limit: 3"));
    let swapped = next(&mut all).await;
    assert_eq!(
        (&*swapped.r#type, &data(&swapped)["version"], &data(&swapped)["previous_version"]),
        ("bundle.swapped", &json!("2.0.0"), &json!("1.0.0"))
    );
    let changed = next(&mut all).await;
    assert_eq!((&*changed.r#type, data(&changed)), ("guardrail.changed", json!({"guardrail": "two-sends"})));
    let resume = |types: &[&str], guardrails: &[&str], tenants: &[&str]| WatchEventsRequest {
        guardrails: guardrails.iter().map(|name| (*name).into()).collect(),
        tenants: tenants.iter().map(|name| (*name).into()).collect(),
        after_event_id: first.event_id.clone(),
        ..of_types(types)
    };
    for (sent, want) in [
        (resume(&[], &[], &[]), &denied),
        (resume(&["bundle.*", "guardrail.*"], &[], &[]), &swapped),
        (resume(&[], &["two-sends"], &[]), &changed),
        (resume(&["policy.*"], &[], &["other"]), &denied),
    ] {
        let shown = format!("{sent:?}");
        assert_eq!(next(&mut watch(&mut client, sent).await).await, *want, "{shown}");
    }
}

#[tokio::test]
async fn what_is_left_out_is_counted_and_told() {
    let (_served, mut client) = served().await;
    let mut events = watch(&mut client, of_types(&["policy.triggered"])).await;
    for _ in 0..50 {
        ask(&mut client, "delete", "").await;
    }
    let (first, begin) = (next(&mut events).await, Instant::now());
    let mut told = 1 + first.repeated_count;
    while told < 50 {
        told += 1 + next(&mut events).await.repeated_count;
    }
    assert_eq!((told, first.repeated_count), (50, 0));
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn what_cannot_be_followed_says_why() {
    let (_served, mut client) = served().await;
    let mut refused = async |sent| -> Status { client.watch_events(sent).await.unwrap_err() };
    let bad = refused(of_types(&["breaker.*", "{"])).await;
    assert_eq!(bad.code(), Code::InvalidArgument);
    assert_eq!(bad.get_details_bad_request().unwrap().field_violations[0].field, "types[1]");
    let after = |id: &str| WatchEventsRequest { after_event_id: id.into(), ..Default::default() };
    assert_eq!(refused(after("yesterday")).await.code(), Code::InvalidArgument);
    let other = refused(after("0000000000000001-0000000000000001")).await;
    assert_eq!(other.code(), Code::OutOfRange, "{other}");
    assert!(other.message().ends_with("start again without `after_event_id`"), "{other}");
    assert_eq!(other.get_details_error_info().unwrap().reason, "EVENT_NOT_KEPT");
    let long = WatchEventsRequest { tenants: vec!["x".repeat(100); 1_000], ..Default::default() };
    let long = refused(long).await;
    assert_eq!(long.message(), "the message has more than 65536 bytes; send less, or several messages");
}

#[tokio::test]
async fn a_drain_ends_the_streams_at_once() {
    let (served, mut client) = served().await;
    let mut events = watch(&mut client, WatchEventsRequest::default()).await;
    let begin = Instant::now();
    served.shutdown.cancel();
    let ended = events.message().await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(ended.message(), "the server ends; follow another one");
    tokio::task::spawn_blocking(|| served.stop()).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(4), "a stream held up the end");
}

#[tokio::test]
async fn places_are_few_and_who_hangs_up_frees_one() {
    let (_served, mut client) = served().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(watch(&mut client, WatchEventsRequest::default()).await);
    }
    let full = client.watch_events(WatchEventsRequest::default()).await.unwrap_err();
    assert_eq!(full.code(), Code::ResourceExhausted, "{full}");
    streams.pop();
    let begin = Instant::now();
    while client.watch_events(WatchEventsRequest::default()).await.is_err() {
        assert!(begin.elapsed() < Duration::from_secs(5), "the place of who hung up is not free");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
