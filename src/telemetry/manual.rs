//! The reference page of the metrics, for `docs/metrics.md`.

use std::fmt::Write as _;

use super::metrics::{METRICS, Metric, Values};

const HEAD: &str = include_str!("manual.md");

/// The page as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut page = String::from(HEAD);
    let mut group = "";
    for metric in METRICS {
        if metric.group != group {
            group = metric.group;
            let _ = write!(page, "\n### {group}\n\n| metric | type | labels | |\n|---|---|---|---|\n");
        }
        let _ = writeln!(page, "{}", row(metric));
    }
    page
}

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|(name, values)| label(name, *values)).collect();
    let (name, kind) = (metric.name, metric.kind.name());
    format!("| `{name}` | {kind} | {} | {} |", labels.join("; "), metric.about())
}

fn label(name: &str, values: Values) -> String {
    match values {
        Values::Of(known) => {
            let known: Vec<String> = known.iter().map(|value| format!("`{value}`")).collect();
            format!("`{name}`: {}", known.join(", "))
        }
        Values::Open(bound) => format!("`{name}`: {bound}"),
    }
}
