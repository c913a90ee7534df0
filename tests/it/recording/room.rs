//! Room for what is recorded: as much as the largest record takes, and a batch that is recorded as one.

use tollgate::pb;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient as Client;

use super::*;
use crate::served::request;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

async fn client(serving: &Serving) -> Client<tonic::transport::Channel> {
    Client::connect(format!("http://{}", serving.grpc)).await.unwrap()
}

fn decisions(folder: &Path) -> usize {
    records(folder).iter().filter(|record| record["kind"] == "decision").count()
}

#[test]
fn a_ring_has_room_for_the_largest_record_or_nothing_starts() {
    let folder = folder();
    let here = folder.path();
    let start =
        ["serve", "b.yaml", "--grpc", "127.0.0.1:0", "--metrics", "none", "--decision-log-dir", "log"];
    let refused = |more: &[&str]| {
        let ended = run(here, &[&start[..], more].concat());
        assert_eq!(ended.code, 2, "{more:?}: {ended:?}");
        assert!(!here.join("log").exists(), "it is refused before anything is made");
        ended.stderr
    };
    let said = refused(&["--decision-log-ring-bytes", "1"]);
    assert!(said.contains("--decision-log-ring-bytes") && said.contains("largest request"), "{said}");
    let words: Vec<&str> = said.split('`').collect();
    let least = *words.iter().find(|word| word.ends_with("KiB")).unwrap();
    // Also where it is the other bound that was changed.
    let said = refused(&["--bounds-request-bytes", "10MiB"]);
    assert!(said.contains("decision_log_ring_bytes") && said.contains("bounds.request_bytes"), "{said}");

    let more = ["--decision-log-ring-bytes", least, "--decision-log-when-full", "refuse", "--threads", "1"];
    let serving = super::start(here, &more);
    let texts: Vec<String> = (0..15).map(|_| "x".repeat(64 << 10)).chain(["x".repeat(60_000)]).collect();
    runtime().block_on(async {
        let mut client = client(&serving).await;
        for _ in 0..3 {
            // The one before may wait yet, and beside it there is no room.
            let until = std::time::Instant::now() + std::time::Duration::from_secs(60);
            loop {
                let asked = request("read", json!({"texts": texts}));
                let answer = client.authorize(asked).await.unwrap().into_inner();
                if answer.effect() == pb::Effect::Allow {
                    break;
                }
                assert!(std::time::Instant::now() < until, "there is never room: {answer:?}");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    });
    stop(serving);
    assert_eq!(decisions(here), 3);
}

#[test]
fn a_batch_of_the_largest_size_is_recorded_all_or_nothing() {
    const MANY: usize = 1_000;
    let folder = folder();
    let here = folder.path();
    let serving = start(here, &["--decision-log-when-full", "refuse"]);
    runtime().block_on(async {
        let mut client = client(&serving).await;
        for _ in 0..2 {
            let requests = vec![request("read", json!({})); MANY];
            let batch = pb::AuthorizeBatchRequest { requests, all_or_nothing: true };
            let answers = client.authorize_batch(batch).await.unwrap().into_inner().responses;
            assert_eq!(answers.len(), MANY);
            for answer in answers {
                assert_eq!(answer.effect(), pb::Effect::Allow, "{answer:?}");
            }
        }
    });
    stop(serving);
    assert_eq!(decisions(here), 2 * MANY);
}
