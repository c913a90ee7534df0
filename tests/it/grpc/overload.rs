//! More to do than one thread can: who is served is served soon, and the rest is told at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::sync::Semaphore;
use tollgate::grpc::Overload;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{self, ReasonCode};
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::served::{Served, request};

type Client = PolicyDecisionServiceClient<Channel>;

/// Rules that each look through a long text, so that a decision takes a while.
fn slow(rules: usize) -> String {
    let rule = |n: usize| {
        format!(
            "  - {{id: rule-{n}, effect: deny, reason: Never, when: 'context.text.contains(\"none{n}\")'}}\n"
        )
    };
    let rules: String = (0..rules).map(rule).collect();
    format!("format: tollgate/v1\nversion: 1.0.0\nrules:\n{rules}")
}

fn asked() -> pb::AuthorizeRequest {
    request("send", json!({ "text": "y".repeat(4_000) }))
}

async fn served(rules: usize, wait: Duration) -> (Served, Vec<Client>) {
    let served = Served::bounded(&slow(rules), Overload { wait, ..Overload::default() });
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(served.client().await);
    }
    (served, clients)
}

/// How long one decision takes when there is nothing else to do.
async fn alone(client: &mut Client) -> Duration {
    client.authorize(asked()).await.unwrap();
    let begin = Instant::now();
    for _ in 0..20 {
        client.authorize(asked()).await.unwrap();
    }
    begin.elapsed() / 20
}

/// Asks ten times as often as can be answered, whether answers come or not.
async fn flood(clients: &[Client], each: Duration, last: Duration) -> Vec<(Duration, Result<(), Status>)> {
    let begin = tokio::time::Instant::now();
    let count = (last.as_nanos() / (each / 10).as_nanos()) as u32;
    // Enough for a client of this size; what it holds back is not the server's.
    let at_once = Arc::new(Semaphore::new(2_000));
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..count {
        tokio::time::sleep_until(begin + each / 10 * n).await;
        let Ok(place) = Arc::clone(&at_once).try_acquire_owned() else { continue };
        let mut client = clients[n as usize % clients.len()].clone();
        calls.spawn(async move {
            let sent = Instant::now();
            let answer = client.authorize(asked()).await;
            drop(place);
            (sent.elapsed(), answer.map(drop))
        });
    }
    calls.join_all().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_ten_times_the_load_some_are_served_and_the_rest_is_told_at_once() {
    let (served, mut clients) = served(4_000, Duration::from_millis(10)).await;
    let each = alone(&mut clients[0]).await.max(Duration::from_millis(1));
    let last = (each * 1_000).clamp(Duration::from_secs(2), Duration::from_secs(6));
    let all = flood(&clients, each, last).await;
    let mut waited: Vec<Duration> = Vec::new();
    let mut shed = 0;
    for (time, answer) in &all {
        match answer {
            Ok(()) => waited.push(*time),
            Err(status) => {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
                shed += 1;
            }
        }
    }
    waited.sort_unstable();
    let (count, p99) = (waited.len(), waited[waited.len() * 99 / 100]);
    println!("{each:?} each, {last:?} long: {count} served, p99 {p99:?}, {shed} shed");
    assert!(shed > all.len() / 4, "{shed} of {} were shed", all.len());
    // What could have been served, had nothing been shed, much of it is.
    let could = (last.as_nanos() / each.as_nanos()) as usize;
    assert!(count * 10 > could, "{count} served of {could} that could be");
    // How long they waited is measured with a release build: here client and server share what cores
    // there are, and a client that is behind cannot tell its own line from the server's.
    let status = all.iter().find_map(|(_, answer)| answer.as_ref().err()).unwrap();
    let pushback = status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap();
    assert!((100..200).contains(&pushback.parse::<u32>().unwrap()), "{pushback}");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
    // When the flood is over, it is over.
    let again = async { while clients[1].authorize(asked()).await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(30), again).await.unwrap();
    drop(served);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_of_a_stream_is_shed_with_a_time_to_come_back() {
    let (_served, mut clients) = served(1_000, Duration::from_millis(1)).await;
    let each = alone(&mut clients[0]).await.max(Duration::from_millis(1));
    let item = |id: u32| {
        let request = pb::AuthorizeRequest { request_id: id.to_string(), ..asked() };
        pb::AuthorizeStreamRequest { request: Some(request), ..Default::default() }
    };
    let endless = tokio_stream::iter((0..).map(item));
    let mut answers = clients[0].authorize_stream(endless).await.unwrap().into_inner();
    let others = clients.split_off(1);
    let flood = tokio::spawn(async move { flood(&others, each, Duration::from_secs(20)).await });
    let shed = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let answer = answers.message().await.unwrap().unwrap().response.unwrap();
            if answer.reason_code() == ReasonCode::Overloaded {
                return answer;
            }
        }
    });
    let shed = shed.await.unwrap();
    flood.abort();
    assert_eq!((shed.effect(), shed.next_action()), (pb::Effect::Throttle, pb::NextAction::Retry));
    assert!(!shed.request_id.is_empty() && shed.retry_after.is_some_and(|wait| wait.nanos >= 100_000_000));
}
