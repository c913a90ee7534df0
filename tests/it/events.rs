//! The events of a process, as who follows them over the network gets them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{self, Effect, Status as Outcome, WatchEventsRequest, WatchEventsResponse};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt as _;

use crate::binary::{Serving, eventually};
use crate::served::request;

type Client = PolicyDecisionServiceClient<Channel>;
type Events = Streaming<WatchEventsResponse>;

const BUNDLE: &str = r"
format: tollgate/v1
version: 1.0.0
defaults: {effect: allow}
rules:
  - {id: no-deletes, action: delete, effect: deny, reason: Nothing is ever deleted here}
guardrails:
  - name: fetches
    type: circuit_breaker
    rules: {failure_threshold: 1, cooldown_seconds: 1, key_by: [tenant, tool]}
    targeting: {actions: [fetch]}
";

/// As many guardrails as a bundle may have, none of which does anything.
const MANY: usize = 9_000;

fn with_many(version: &str) -> String {
    let mut text = BUNDLE.replace("1.0.0", version);
    for number in 0..MANY {
        writeln!(
            text,
            "  - {{name: many-{number}, type: timeout, state: disabled, rules: {{timeout_seconds: 1}}}}"
        )
        .unwrap();
    }
    text
}

fn serve(folder: &Path) -> Serving {
    fs::write(folder.join("b.yaml"), BUNDLE).unwrap();
    Serving::start(folder, &["b.yaml"])
}

async fn client(serving: &Serving) -> Client {
    // A client with little room, so that what it does not read stays with the server.
    let endpoint = Endpoint::from_shared(format!("http://{}", serving.grpc)).unwrap();
    let endpoint = endpoint.initial_stream_window_size(16 << 10).initial_connection_window_size(1 << 20);
    Client::new(endpoint.connect().await.unwrap())
}

fn of_types(types: &[&str]) -> WatchEventsRequest {
    let types = types.iter().map(|text| (*text).into()).collect();
    WatchEventsRequest { types, ..Default::default() }
}

async fn watch(client: &mut Client, sent: WatchEventsRequest) -> Events {
    client.watch_events(sent).await.unwrap().into_inner()
}

async fn next(events: &mut Events) -> Result<WatchEventsResponse, Status> {
    let next = tokio::time::timeout(Duration::from_secs(20), events.message()).await;
    // In time, and it goes on.
    next.unwrap().map(Option::unwrap)
}

/// The type and the data of the next event.
async fn told(events: &mut Events) -> (String, serde_json::Value) {
    let event = next(events).await.unwrap();
    (event.r#type, event.data.as_ref().unwrap().into())
}

async fn fetch(client: &mut Client) -> pb::AuthorizeResponse {
    let mut sent = request("fetch", json!({}));
    sent.subject.as_mut().unwrap().tenant = "acme".into();
    sent.action.as_mut().unwrap().tool = "http".into();
    client.authorize(sent).await.unwrap().into_inner()
}

async fn report(client: &mut Client, decision: pb::AuthorizeResponse, status: Outcome) {
    let decision_id = decision.decision_id;
    let sent = pb::ReportRequest { decision_id, status: status.into(), ..Default::default() };
    client.report(sent).await.unwrap();
}

#[tokio::test]
async fn a_breaker_tells_each_step_and_when_it_is_worth_trying() {
    let folder = tempfile::tempdir().unwrap();
    let serving = serve(folder.path());
    let mut client = client(&serving).await;
    let mut events = watch(&mut client, of_types(&["breaker.*", "throttle.cleared"])).await;
    let mut refusals = watch(&mut client, of_types(&["policy.triggered"])).await;
    let allowed = fetch(&mut client).await;
    report(&mut client, allowed, Outcome::Failure).await;
    let refused = fetch(&mut client).await;
    assert_eq!((refused.effect(), &*refused.guardrail), (Effect::Throttle, "fetches"));
    let triggered = json!({
        "guardrail": "fetches",
        "key": "acme/http",
        "tenant": "acme",
        "effect": "THROTTLE",
        "reason_code": "breaker_open",
        "decision_id": refused.decision_id,
        "agent": "inbox",
        "action": "fetch",
    });
    assert_eq!(told(&mut refusals).await, ("policy.triggered".into(), triggered));
    let of = |from: &str| json!({"guardrail": "fetches", "key": "acme/http", "tenant": "acme", "from": from});
    assert_eq!(told(&mut events).await, ("breaker.opened".into(), of("closed")));
    // Nobody asks meanwhile: the process finds out by itself that time is up.
    assert_eq!(told(&mut events).await, ("breaker.half_open".into(), of("open")));
    let cleared = json!({"guardrail": "fetches", "key": "acme/http", "tenant": "acme"});
    assert_eq!(told(&mut events).await, ("throttle.cleared".into(), cleared));
    let probe = fetch(&mut client).await;
    report(&mut client, probe, Outcome::Success).await;
    assert_eq!(told(&mut events).await, ("breaker.closed".into(), of("half_open")));
}

#[tokio::test]
async fn who_does_not_read_is_dropped_while_decisions_go_on_and_resumes_without_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let serving = serve(folder.path());
    let mut decisions = client(&serving).await;
    let mut watcher = client(&serving).await;
    let added = of_types(&["guardrail.added"]);
    let mut slow = watch(&mut watcher, added.clone()).await;
    let metric = |name: &str| {
        let page = serving.get("/metrics").1;
        let line = page.lines().find(|line| line.starts_with(name)).map(ToOwned::to_owned);
        line.unwrap_or_else(|| panic!("{name}: {page}"))
    };
    assert_eq!(metric("tollgate_event_subscribers "), "tollgate_event_subscribers 1");
    fs::write(folder.path().join("b.yaml"), with_many("2.0.0")).unwrap();
    serving.signal("HUP");
    let (begin, mut longest) = (Instant::now(), Duration::ZERO);
    while metric("tollgate_event_subscribers_dropped_total ").ends_with(" 0") {
        assert!(begin.elapsed() < Duration::from_secs(20), "nobody was dropped");
        let asked = Instant::now();
        let answer = decisions.authorize(request("delete", json!({}))).await.unwrap().into_inner();
        assert_eq!(answer.effect(), Effect::Deny);
        longest = longest.max(asked.elapsed());
    }
    assert!(longest < Duration::from_secs(1), "a decision took {longest:?}");
    eventually("it is gone", || (metric("tollgate_event_subscribers ").ends_with(" 0")).then_some(()));
    let (mut heard, mut resumed) = (0, 0);
    let mut last = String::new();
    while heard < MANY {
        match next(&mut slow).await {
            Ok(event) => {
                let data: serde_json::Value = event.data.as_ref().unwrap().into();
                assert_eq!(data["guardrail"], format!("many-{heard}"));
                assert!(last < event.event_id, "{last} {}", event.event_id);
                (heard, last) = (heard + 1, event.event_id);
            }
            Err(dropped) => {
                assert_eq!(dropped.code(), Code::ResourceExhausted, "{dropped}");
                let details = dropped.get_details_error_info().unwrap();
                let after_event_id = details.metadata["resume_after_event_id"].clone();
                assert!(dropped.message().contains(&after_event_id), "{dropped}");
                assert!(after_event_id >= last, "what was delivered is not delivered again");
                slow = watch(&mut watcher, WatchEventsRequest { after_event_id, ..added.clone() }).await;
                resumed += 1;
            }
        }
    }
    assert!(resumed >= 1);
}
