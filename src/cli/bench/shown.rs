//! What came of a load, for people.

use crate::cli::output::{BAD, CARE, FAINT, HEAD, styled};
use crate::cli::visible;
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A few lines.
pub fn text(results: &Value) -> String {
    let results = &visible::json(results);
    let number = |name: &str| results.get(name).and_then(Value::as_u64).unwrap_or_default();
    let text = |name: &str| results.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut lines = format!("{}  {}, {}\n", styled(HEAD, text("address")), text("mode"), asked(results));
    row(&mut lines, "requests", requests(results.get("requests")));
    let seconds = results.get("seconds").and_then(Value::as_f64).unwrap_or_default();
    let until =
        if results.get("interrupted") == Some(&Value::Bool(true)) { ", then it was stopped" } else { "" };
    row(&mut lines, "measured", format!("{seconds} s{until}"));
    let rate = |name: &str| results.pointer(&format!("/per_second/{name}")).and_then(Value::as_f64);
    row(&mut lines, "answers", counted(number("answered"), rate("answers")));
    if number("decisions") != number("answered") {
        row(&mut lines, "decisions", counted(number("decisions"), rate("decisions")));
    }
    errors(&mut lines, results.get("errors"), number("sent"));
    let is_open = text("loop") == "open";
    row(&mut lines, "latency", times(results.get("latency_us")));
    if is_open {
        row(&mut lines, "from sending", times(results.get("from_sending_us")));
    }
    for (name, title) in [("effects", "effects"), ("reasons", "reasons")] {
        row(&mut lines, title, shares(results.get(name).and_then(Value::as_object)));
    }
    if number("reconnects") > 0 {
        row(&mut lines, "reconnects", number("reconnects").to_string());
    }
    row(&mut lines, "generator", generator(results.get("generator")));
    let doubts = results.pointer("/generator/doubts").and_then(Value::as_array);
    for doubt in doubts.into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(lines, "  {}", styled(CARE, doubt));
    }
    lines
}

fn asked(results: &Value) -> String {
    let number = |name: &str| results.get(name).and_then(Value::as_f64).unwrap_or_default();
    let connections = plural(number("connections"), "connection");
    let batch = results.get("batch_size").and_then(Value::as_u64);
    let batch = batch.map(|size| format!(", {size} in a batch")).unwrap_or_default();
    match results.get("rate").and_then(Value::as_f64) {
        Some(rate) => format!("{rate} a second over {connections}{batch}"),
        None => format!("{connections} with {} in flight each{batch}", number("in_flight")),
    }
}

fn requests(requests: Option<&Value>) -> String {
    let field = |name: &str| requests.and_then(|requests| requests.get(name));
    let number = |name: &str| field(name).and_then(Value::as_u64).unwrap_or_default();
    let source = field("source").and_then(Value::as_str).unwrap_or_default();
    let dry = if field("dry_run") == Some(&Value::Bool(true)) { ", nothing is charged" } else { "" };
    format!("{} of {} bytes ({source}){dry}", number("distinct"), number("mean_bytes"))
}

fn counted(count: u64, per_second: Option<f64>) -> String {
    let rate = per_second.map(|rate| format!("  {} a second", grouped(rate))).unwrap_or_default();
    format!("{}{rate}", grouped_whole(count))
}

fn errors(lines: &mut String, errors: Option<&Value>, sent: u64) {
    let total = errors.and_then(|errors| errors.get("total")).and_then(Value::as_u64).unwrap_or_default();
    if total == 0 {
        return row(lines, "errors", "none".into());
    }
    let kinds = errors.and_then(|errors| errors.get("by_kind")).and_then(Value::as_object);
    row(lines, "errors", styled(BAD, format!("{} of {}", grouped_whole(total), grouped_whole(sent))));
    row(lines, "", shares(kinds));
    if let Some(first) = errors.and_then(|errors| errors.get("first")).and_then(Value::as_str) {
        row(lines, "", styled(FAINT, format!("the first: {first}")));
    }
}

/// `p50 38 µs  p90 …  max 4.2 ms`
fn times(times: Option<&Value>) -> String {
    let time = |name: &str| times.and_then(|times| times.get(name)).and_then(Value::as_f64);
    let names = ["p50", "p90", "p99", "p99.9", "p99.99", "max"];
    let shown = names.iter().filter_map(|name| time(name).map(|micros| format!("{name} {}", span(micros))));
    shown.collect::<Vec<String>>().join("  ")
}

fn span(micros: f64) -> String {
    match micros {
        ..1e3 => format!("{micros:.1} µs"),
        ..1e6 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

/// `ALLOW 60.0 %  DENY 40.0 %`, the most first.
#[expect(clippy::cast_precision_loss, reason = "shares for people")]
fn shares(counts: Option<&Map<String, Value>>) -> String {
    let counts = counts.into_iter().flatten().map(|(name, count)| (name, count.as_u64().unwrap_or_default()));
    let mut counts: Vec<_> = counts.collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let all: u64 = counts.iter().map(|(_, count)| count).sum();
    let share = |count: u64| count as f64 * 100.0 / all.max(1) as f64;
    let shown = counts.iter().map(|(name, count)| format!("{name} {:.1} %", share(*count)));
    shown.collect::<Vec<String>>().join("  ")
}

fn generator(generator: Option<&Value>) -> String {
    let share = |name: &str| generator.and_then(|all| all.get(name)).and_then(Value::as_f64);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    match (share("on_core"), share("waiting_for_core")) {
        (Some(on_core), Some(waiting)) => {
            format!("worked {} of its time, waited for a core {}", percent(on_core), percent(waiting))
        }
        _ => String::new(),
    }
}

fn row(lines: &mut String, name: &str, value: String) {
    if !value.is_empty() {
        let _ = writeln!(lines, "  {} {value}", styled(FAINT, format!("{name:<12}")));
    }
}

fn plural(count: f64, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1.0 { "" } else { "s" })
}

fn grouped(number: f64) -> String {
    if number < 100.0 {
        return format!("{number:.1}");
    }
    format!("{number:.0}").parse().map_or_else(|_| number.to_string(), grouped_whole)
}

/// `1,234,567`
fn grouped_whole(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped_whole), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([12.345, 4_321.6].map(grouped), ["12.3", "4,322"]);
        assert_eq!([38.06, 4_212.0, 2.5e6].map(span), ["38.1 µs", "4.21 ms", "2.50 s"]);
    }
}
