//! What is measured, a table each.

pub mod bundle;
pub mod cerbos;
pub mod load;
pub mod operate;
pub mod overload;
pub mod process;
pub mod reload;
pub mod stream;

use std::sync::Arc;
use std::time::Duration;

use tollgate::load::{Load, Pace, Questions, Target};

use crate::Plan;
use crate::figures::spread;

/// A load over so many connections, by one thread.
fn load(target: &Target, questions: &Arc<Questions>, pace: Pace, connections: usize, plan: Plan) -> Load {
    Load {
        target: target.clone(),
        questions: Arc::clone(questions),
        pace,
        connections,
        threads: 1,
        warm_up: plan.warm_up,
        lasts: plan.turn,
        count: None,
        patience: Duration::from_secs(10),
    }
}

/// Round by round, since both sides of a round had the same machine.
fn ratio(ours: &[f64], theirs: &[f64]) -> String {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    spread(&ratios, times)
}

/// Nanoseconds as microseconds.
fn micros(nanos: f64) -> String {
    format!("{:.1}", nanos / 1e3)
}

/// Answers a second, in thousands.
fn thousands(rate: f64) -> String {
    format!("{:.1}k", rate / 1e3)
}

fn times(ratio: f64) -> String {
    format!("{ratio:.2}x")
}

/// How long the threads of this name ran on a core since they began, in nanoseconds. There may be one of an
/// earlier stage, which nobody asks any more.
fn cpu_of(thread: &str) -> Option<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let called = |task: &std::path::Path| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == thread)
    };
    let ran = |task: &std::path::Path| -> Option<f64> {
        std::fs::read_to_string(task.join("schedstat")).ok()?.split(' ').next()?.parse().ok()
    };
    let tasks = tasks.flatten().map(|entry| entry.path()).filter(|task| called(task));
    tasks.map(|task| ran(&task)).sum()
}
