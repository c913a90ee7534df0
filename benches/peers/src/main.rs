//! Tollgate's engine beside other engines, in process, on the same rules and requests.
//!
//! Every engine gets its rules in its own language and its requests in its own form, both made
//! before the clock starts; for Tollgate the request is borrowed anew each time, as the server
//! does it. All give the same answers, which is asserted first.
//!
//! `-- rules` prints the table of the rules alone, `-- limits` those of the guardrails.

mod cedar;
mod limits;
mod linear_cel;
mod plainly;
mod rego;
mod tollgate;

#[path = "../../figures/mod.rs"]
mod figures;
#[path = "../../policies/mod.rs"]
#[allow(dead_code, reason = "the service's half is not used here")]
mod policies;

#[path = "../../../src/engine/benches/guardrails/stage.rs"]
#[allow(dead_code, reason = "the engine's own benches use all of it")]
mod stage;
#[path = "../../../src/engine/benches/workload/mod.rs"]
#[allow(dead_code, reason = "made for more than this")]
mod workload;

/// The interpreter that the engine is tested against, from where it is kept.
macro_rules! naive {
    ($($name:ident in $path:literal)*) => {$(
        #[path = $path]
        #[allow(dead_code, reason = "made for the test that it stands in")]
        mod $name;
    )*};
}
naive! {
    naive in "../../../src/engine/tests/agreement/naive.rs"
    naive_cel in "../../../src/engine/tests/agreement/naive_cel.rs"
    naive_conditions in "../../../src/engine/tests/agreement/naive_conditions.rs"
    naive_functions in "../../../src/engine/tests/agreement/naive_functions.rs"
    naive_glob in "../../../src/engine/tests/agreement/naive_glob.rs"
    naive_request in "../../../src/engine/tests/agreement/naive_request.rs"
    naive_time in "../../../src/engine/tests/agreement/naive_time.rs"
    naive_value in "../../../src/engine/tests/agreement/naive_value.rs"
}

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use figures::{median, spread};
use policies::Policies;

/// As `tollgate serve`; all of them get it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [usize; 3] = [10, 1_000, 10_000];
const REQUESTS: usize = 1_024;
const ROUNDS: usize = 7;
/// How long a turn lasts, about, and how many decisions it has at least.
const TURN: Duration = Duration::from_millis(20);
const AT_LEAST: usize = 4;
/// How long answers are compared, and how many at least.
const COMPARING: Duration = Duration::from_secs(1);
const COMPARED: usize = 16;

/// An engine with rules and requests.
trait Peer {
    /// Decides on the request at this place.
    fn allows(&mut self, at: usize) -> bool;
}

type Made = Result<Box<dyn Peer>, Box<dyn Error>>;
type Make = fn(&Policies) -> Made;

/// Tollgate stands first: the others are shown as multiples of it.
const PEERS: [(&str, Make); 8] = [
    ("tollgate", tollgate::make),
    ("Rego as data, own index; compiled", rego::data_compiled),
    ("Rego as data, own index", rego::data),
    ("Rego as rules; compiled", rego::rules_compiled),
    ("Rego as rules", rego::rules),
    ("Cedar", cedar::make),
    ("CEL, linear", linear_cel::make),
    ("the naive interpreter", plainly::make),
];

/// One engine on one size, while it is measured.
struct Entry {
    peer: Box<dyn Peer>,
    turn: usize,
    batch: usize,
    nanos: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let chosen = std::env::args().nth(1);
    let wants = |name: &str| chosen.as_ref().is_none_or(|chosen| chosen == name);
    println!("Load average at the start: {}.\n", figures::load());
    if wants("rules") {
        rules()?;
    }
    if wants("limits") {
        limits::print()?;
    }
    println!("\nLoad average at the end: {}.", figures::load());
    Ok(())
}

fn rules() -> Result<(), Box<dyn Error>> {
    let mut rows: Vec<Vec<String>> = PEERS.iter().map(|_| Vec::new()).collect();
    for rules in SIZES {
        let policies = Policies::pairs(rules, REQUESTS);
        let mut entries: Vec<Result<Entry, String>> =
            PEERS.iter().map(|(_, make)| Entry::new(make(&policies))).collect();
        compare(&mut entries, rules)?;
        for _ in 0..ROUNDS {
            entries.iter_mut().flatten().for_each(Entry::take_turn);
        }
        let ours = entries.first().and_then(|entry| entry.as_ref().ok());
        let ours = ours.map(|entry| entry.nanos.clone()).unwrap_or_default();
        for (row, entry) in rows.iter_mut().zip(&entries) {
            row.push(match entry {
                Ok(entry) => entry.cell(&ours),
                Err(why) => why.clone(),
            });
        }
    }
    println!("\nns a decision: median (minimum to maximum) of {ROUNDS} rounds, and of the rounds' ratios.\n");
    println!("| rules | {} |", SIZES.map(|n| n.to_string()).join(" | "));
    println!("|---|{}", "---|".repeat(SIZES.len()));
    for ((name, _), row) in PEERS.iter().zip(&rows) {
        println!("| {name} | {} |", row.join(" | "));
    }
    Ok(())
}

/// All engines give the answers of the first.
fn compare(entries: &mut [Result<Entry, String>], rules: usize) -> Result<(), Box<dyn Error>> {
    let Some((Ok(ours), others)) = entries.split_first_mut() else {
        return Err("Tollgate itself refuses the rules".into());
    };
    let want: Vec<bool> = (0..REQUESTS).map(|at| ours.peer.allows(at)).collect();
    let allowed = want.iter().filter(|allowed| **allowed).count();
    let mut counts = Vec::new();
    for ((name, _), entry) in PEERS[1..].iter().zip(others) {
        let Ok(entry) = entry else { continue };
        let start = Instant::now();
        let mut count = 0;
        for (at, want) in want.iter().enumerate() {
            if count >= COMPARED && start.elapsed() > COMPARING {
                break;
            }
            if entry.peer.allows(at) != *want {
                return Err(format!("{name} differs on request {at} of {rules} rules").into());
            }
            count += 1;
        }
        counts.push(format!("{name}: {count}"));
    }
    println!("{rules} rules: {allowed} of {REQUESTS} allowed; same answers ({}).", counts.join(", "));
    Ok(())
}

impl Entry {
    fn new(made: Made) -> Result<Self, String> {
        let peer = made.map_err(|error| {
            let words = error.to_string();
            format!("refused: {}", words.lines().next().unwrap_or_default())
        })?;
        Ok(Self { peer, turn: 0, batch: 0, nanos: Vec::new() })
    }

    fn time(&mut self, decisions: usize) -> Duration {
        let start = Instant::now();
        for _ in 0..decisions {
            self.turn = (self.turn + 1) % REQUESTS;
            black_box(self.peer.allows(black_box(self.turn)));
        }
        start.elapsed()
    }

    fn take_turn(&mut self) {
        if self.batch == 0 {
            self.batch = AT_LEAST;
            while self.time(self.batch) < TURN / 2 {
                self.batch *= 2;
            }
        }
        let took = self.time(self.batch);
        self.nanos.push(took.as_nanos() as f64 / self.batch as f64);
    }

    /// Its time, and how many times as long as Tollgate's of the same round.
    fn cell(&self, ours: &[f64]) -> String {
        let times: Vec<f64> = self.nanos.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
        let digits = if median(&self.nanos) < 1_000.0 { 1 } else { 0 };
        let nanos = spread(&self.nanos, |n| format!("{n:.digits$}"));
        let share = if median(&times) < 10.0 { 2 } else { 0 };
        format!("{nanos}, **{}x**", spread(&times, |n| format!("{n:.share$}")))
    }
}
