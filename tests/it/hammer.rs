//! Eight clients that never rest, while an operator does all that operators do.
//!
//! Each answer is counted by the client that got it. What the server says that it has counted,
//! and what is left of the limit after a restart, must be the same number: not one more, not one
//! less.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tollgate::pb::Effect;
use tonic::Code;

use crate::binary::Serving;
use crate::state::client::Client;

const CLIENTS: usize = 8;
/// On one connection each, so that requests wait for each other in the server too.
const IN_FLIGHT: usize = 4;

/// What all clients saw.
#[derive(Default)]
struct Seen {
    allowed: AtomicU64,
    turned_away: AtomicU64,
    stopping: AtomicBool,
    ending: AtomicBool,
}

/// Asks until it is told to stop, or the server says that it ends.
async fn hammer(mut client: Client, seen: Arc<Seen>) {
    while !seen.stopping.load(Ordering::Relaxed) {
        match client.try_ask("many").await {
            Ok(answer) => {
                assert_eq!(answer.effect(), Effect::Allow, "{answer:?}");
                seen.allowed.fetch_add(1, Ordering::Relaxed);
            }
            // A request that the server never took; if it had, the counts would say so.
            Err(status) if seen.ending.load(Ordering::Relaxed) => {
                // What h2's client says of a request that it did not send, since the server ends; or of one
                // that was on its way when the server had closed the connection behind its last answer.
                let unsent = format!("{status:?}").contains("tonic::transport::Error(Transport");
                assert!(unsent || matches!(status.code(), Code::Unavailable | Code::Cancelled), "{status:?}");
                seen.turned_away.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Err(status) => panic!("a request failed: {status:?}"),
        }
    }
}

async fn clients(serving: &Serving, seen: &Arc<Seen>) -> Vec<tokio::task::JoinHandle<()>> {
    let mut tasks = Vec::new();
    for _ in 0..CLIENTS {
        let client = Client::connect(serving).await;
        tasks.extend((0..IN_FLIGHT).map(|_| tokio::spawn(hammer(client.clone(), Arc::clone(seen)))));
    }
    tasks
}

/// The bundle of this version, with so many rules about agents that nobody is.
fn bundle(version: u32, rules: usize) -> String {
    let others = (0..rules).map(|number| {
        format!("  - {{id: nobody-{number}, agent: nobody-{number}, effect: deny, reason: Nobody is that}}\n")
    });
    let text = crate::state::client::bundle(1).replace("1.0.0", &format!("1.0.{version}"));
    text.replace("guardrails:\n", &format!("{}guardrails:\n", others.collect::<String>()))
}

/// Writes as an editor does, so that nobody reads half of it.
fn publish(folder: &Path, text: &str) {
    fs::write(folder.join(".next"), text).unwrap();
    fs::rename(folder.join(".next"), folder.join("bundle.yaml")).unwrap();
}

fn counted(serving: &Serving) -> u64 {
    let (_, page) = serving.get("/metrics");
    let ours = page.lines().filter(|line| line.starts_with("tollgate_decisions_total{"));
    ours.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
}

fn version(serving: &Serving) -> String {
    let status: serde_json::Value = serde_json::from_str(&serving.get("/status").1).unwrap();
    status["bundle"]["version"].as_str().unwrap().to_owned()
}

fn serve(folder: &Path) -> Serving {
    Serving::start(folder, &["bundle.yaml", "--state-dir", "state"])
}

/// Swaps, reloads and scrapes for a while; how many bundles it put in force.
async fn operate(folder: &Path, serving: &Serving, lasts: Duration) -> u32 {
    let begin = Instant::now();
    let mut swaps = 0;
    while begin.elapsed() < lasts {
        swaps += 1;
        publish(folder, &bundle(swaps, if swaps % 2 == 0 { 0 } else { 500 }));
        serving.signal("HUP");
        let deadline = Instant::now() + Duration::from_secs(30);
        while version(serving) != format!("1.0.{swaps}") {
            assert!(Instant::now() < deadline, "bundle 1.0.{swaps} is put in force");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(serving.get("/metrics").0, 200);
    }
    swaps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_accepted_request_fails_and_no_count_is_lost_whatever_an_operator_does() {
    let folder = tempfile::tempdir().unwrap();
    publish(folder.path(), &bundle(0, 0));
    let mut serving = serve(folder.path());

    // Swaps, SIGHUPs, scrapes: nobody notices.
    let seen = Arc::new(Seen::default());
    let tasks = clients(&serving, &seen).await;
    let swaps = operate(folder.path(), &serving, Duration::from_secs(3)).await;
    seen.stopping.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    let before = seen.allowed.load(Ordering::Relaxed);
    assert!(swaps >= 2 && before > 1_000, "{swaps} swaps, {before} requests");
    assert_eq!(counted(&serving), before);
    assert_eq!(Client::connect(&serving).await.used("many").await, before as f64);

    // SIGTERM in the midst of them: what was taken is answered, what was answered is kept.
    seen.stopping.store(false, Ordering::Relaxed);
    let tasks = clients(&serving, &seen).await;
    while seen.allowed.load(Ordering::Relaxed) < before + 500 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    seen.ending.store(true, Ordering::Relaxed);
    serving.signal("TERM");
    for task in tasks {
        task.await.unwrap();
    }
    assert!(serving.wait().success());
    let all = seen.allowed.load(Ordering::Relaxed);
    assert_eq!(seen.turned_away.load(Ordering::Relaxed), (CLIENTS * IN_FLIGHT) as u64);

    let serving = serve(folder.path());
    assert_eq!(Client::connect(&serving).await.used("many").await, all as f64);
}
