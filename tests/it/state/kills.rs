//! Kills at random points, under load, hundreds of them.
//!
//! The file says when it was begun. Whatever was answered before that moment must be in it, so that
//! what a kill loses is known exactly, and nothing else may be lost.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tollgate::pb::{Effect, ReportResult};

use super::client::Client;
use super::folder;
use crate::binary::Serving;

const ROUNDS: u32 = 200;
const FEW: u32 = 500;
/// Requests that may be on their way when the server is killed.
const TASKS: usize = 8;
const ACTIONS: [&str; 3] = ["few", "many", "job"];

/// What the server has allowed in one of its lives, and when the answer came.
#[derive(Default)]
struct Life {
    allowed: Vec<(&'static str, i128)>,
    /// Jobs that nobody has reported yet.
    open: Vec<(String, i128)>,
}

fn now() -> i128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i128::try_from(since.as_nanos()).unwrap()
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

/// When the file that this process found was begun.
fn written(serving: &Serving) -> Option<i128> {
    let line = serving.log.iter().find(|line| line["message"] == "going on with the state that was kept")?;
    let time: jiff::Timestamp = line["written"].as_str().unwrap().parse().unwrap();
    Some(time.as_nanosecond())
}

/// Asks and reports until the server is gone.
async fn load(mut client: Client, life: Arc<Mutex<Life>>, task: usize) {
    for n in task.. {
        let action = match n % 20 {
            0 => "job",
            n if n % 2 == 0 => "few",
            _ => "many",
        };
        let Ok(answer) = client.try_ask(action).await else { return };
        if answer.effect() != Effect::Allow {
            assert_eq!((answer.effect(), action), (Effect::Throttle, "few"), "{answer:?}");
            continue;
        }
        let at = now();
        life.lock().unwrap().allowed.push((action, at));
        if action == "job" && n % 40 == 0 {
            if client.try_report(&answer.decision_id).await.is_err() {
                return;
            }
        } else if action == "job" {
            life.lock().unwrap().open.push((answer.decision_id, at));
        }
    }
}

/// Serves under load for so long, then is killed.
async fn live(serving: Serving, client: &Client, rest: Duration) -> Life {
    let life = Arc::<Mutex<Life>>::default();
    let tasks = (0..TASKS).map(|task| tokio::spawn(load(client.clone(), Arc::clone(&life), task)));
    let tasks: Vec<_> = tasks.collect();
    tokio::time::sleep(rest).await;
    drop(serving);
    for task in tasks {
        task.await.unwrap();
    }
    std::mem::take(&mut life.lock().unwrap())
}

/// Holds what the server says against what it had allowed before it was killed; gives what it
/// says.
async fn check(
    serving: &Serving,
    client: &mut Client,
    before: &[f64; 3],
    life: &Life,
    round: u32,
) -> [f64; 3] {
    let written = written(serving).unwrap_or(i128::MIN);
    let mut used = [0.0; 3];
    for (at, action) in ACTIONS.into_iter().enumerate() {
        used[at] = client.used(action).await;
        let of = || life.allowed.iter().filter(move |(of, _)| *of == action);
        let least = before[at] + of().filter(|(_, at)| *at < written).count() as f64;
        let most = before[at] + (of().count() + TASKS) as f64;
        let got = used[at];
        assert!((least..=most).contains(&got), "round {round}, {action}: {got} of {least} to {most}");
    }
    for (id, at) in &life.open {
        let result = client.report(id).await;
        if *at < written {
            assert_eq!(result, ReportResult::Applied, "round {round}: {id}");
            assert_eq!(client.report(id).await, ReportResult::Duplicate, "round {round}: {id}");
        }
    }
    used
}

#[tokio::test]
async fn no_kill_loses_what_was_written_or_leaves_a_file_that_cannot_be_read() {
    let folder = folder(FEW);
    let args = ["b.yaml", "--state-dir", "state", "--state-interval-seconds", "0.02"];
    let mut dice = Dice(1);
    let (mut life, mut used) = (Life::default(), [0.0; 3]);
    // Of `few`: how many were allowed, and how many of them a kill may have made unhappen.
    let (mut allowed, mut lost) = (0, 0);
    for round in 0..ROUNDS {
        // A file that cannot be read would end the start.
        let mut serving = Serving::start(folder.path(), &args);
        let mut client = Client::connect(&serving).await;
        used = check(&serving, &mut client, &used, &life, round).await;
        let found = written(&serving).unwrap_or(i128::MIN);
        let few = || life.allowed.iter().filter(|(action, _)| *action == "few");
        allowed += few().count();
        lost += few().filter(|(_, at)| *at >= found).count();
        assert!(allowed <= FEW as usize + lost, "round {round}: {allowed} allowed, {lost} lost");
        if round % 8 == 0 {
            drop(serving);
            kill_at_the_start(folder.path(), &args, Duration::from_millis(dice.below(40)));
            serving = Serving::start(folder.path(), &args);
            client = Client::connect(&serving).await;
            used = check(&serving, &mut client, &used, &Life::default(), round).await;
        }
        life = live(serving, &client, Duration::from_millis(dice.below(300))).await;
    }
    assert!(allowed >= FEW as usize && used[1] > 1_000.0, "{allowed} allowed, {used:?}: the load was none");
}

/// Kills it while it reads what the one before has left.
fn kill_at_the_start(folder: &std::path::Path, args: &[&str], rest: Duration) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(folder)
        .args(["serve", "--grpc", "127.0.0.1:0", "--metrics", "none", "--log-level", "off"])
        .args(args)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(rest);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_kill_loses_the_last_second_at_most() {
    let folder = folder(FEW);
    let args = ["b.yaml", "--state-dir", "state"];
    for millis in [2_100, 2_600] {
        let serving = Serving::start(folder.path(), &args);
        let client = Client::connect(&serving).await;
        live(serving, &client, Duration::from_millis(millis)).await;
        let killed = now();
        let age = killed - written(&Serving::start(folder.path(), &args)).unwrap();
        // A second more is for a machine that runs other tests beside this one.
        assert!(age < 2_000_000_000, "after {millis} ms: {age} ns were lost");
    }
}
