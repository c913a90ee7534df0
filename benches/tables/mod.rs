//! What is measured, a table each.

pub mod bundle;
pub mod load;
pub mod reload;

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

/// How long the thread of this name ran on a core since it began, in nanoseconds.
fn cpu_of(thread: &str) -> Option<f64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let called = |task: &std::path::Path| {
        std::fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim_end() == thread)
    };
    let task = tasks.flatten().map(|entry| entry.path()).find(|task| called(task))?;
    let schedstat = std::fs::read_to_string(task.join("schedstat")).ok()?;
    schedstat.split(' ').next()?.parse().ok()
}
