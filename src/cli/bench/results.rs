//! What came of a load, as JSON.

use super::Bench;
use super::asked::{Asked, Mode};
use crate::load::{Load, Outcome, Pace, Tally};
use crate::pb;
use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

/// A request of an open loop that leaves later than this after its time is late by our fault.
const LATE: u64 = 1_000_000;
/// A generator that works for more than this share of its time may be what limits a closed loop.
const BUSY: f64 = 0.9;
/// From this share of its time on, waiting for a core spoils what a generator measures.
const CROWDED: f64 = 0.05;

/// Of so many requests, one may have been left at the end.
const FEW: u64 = 1_000;

/// All of it.
#[expect(clippy::cast_precision_loss, reason = "rates for people")]
pub fn json(bench: &Bench, asked: &Asked, load: &Load, outcome: &Outcome) -> Value {
    let tally = &outcome.tally;
    let seconds = outcome.elapsed.as_secs_f64();
    let per_second = |count: u64| if seconds > 0.0 { rounded(count as f64 / seconds) } else { Value::Null };
    let (kind, in_flight, rate) = match load.pace {
        Pace::Closed { in_flight } => ("closed", Some(in_flight), None),
        Pace::Open { per_second } => ("open", None, Some(per_second)),
    };
    let mode = match bench.mode {
        Mode::Unary => "unary",
        Mode::Batch => "batch",
        Mode::Stream => "stream",
    };
    let errors: Map<String, Value> =
        tally.faults.iter().map(|(fault, count)| (fault.name(), json!(count))).collect();
    json!({
        "address": bench.server.address(),
        "mode": mode,
        "loop": kind,
        "connections": load.connections,
        "in_flight": in_flight,
        "rate": rate,
        "batch_size": (bench.mode == Mode::Batch).then_some(bench.batch_size),
        "requests": {
            "source": asked.source,
            "distinct": load.questions.len(),
            "mean_bytes": load.questions.mean_bytes(),
            "dry_run": bench.dry_run,
        },
        "seconds": rounded(seconds),
        "interrupted": outcome.is_stopped,
        "sent": tally.sent,
        "answered": tally.answered,
        "decisions": tally.decisions(),
        "errors": { "total": tally.errors(), "by_kind": errors, "first": tally.first_fault },
        "per_second": { "answers": per_second(tally.answered), "decisions": per_second(tally.decisions()) },
        "latency_us": times(&tally.latency),
        "from_sending_us": times(&tally.from_sending),
        "effects": effects(tally),
        "reasons": reasons(tally),
        "reconnects": tally.reconnects,
        "generator": generator(load, outcome),
    })
}

fn generator(load: &Load, outcome: &Outcome) -> Value {
    let tally = &outcome.tally;
    let is_open = matches!(load.pace, Pace::Open { .. });
    let doubts = doubts(load, outcome);
    json!({
        "threads": load.threads.min(load.connections),
        "on_core": outcome.spent.map(|spent| share(spent.on_core, spent.wall)),
        "waiting_for_core": outcome.spent.map(|spent| share(spent.waiting, spent.wall)),
        "late_us": is_open.then(|| times(&tally.late)),
        "blocked": tally.blocked,
        "unsent": tally.unsent,
        "saturated": !doubts.is_empty(),
        "doubts": doubts,
    })
}

/// Why the figures may say less about the server than they seem to.
fn doubts(load: &Load, outcome: &Outcome) -> Vec<String> {
    let (tally, mut doubts) = (&outcome.tally, Vec::new());
    let on_core = outcome.spent.map_or(0.0, |spent| part(spent.on_core, spent.wall));
    let waiting = outcome.spent.map_or(0.0, |spent| part(spent.waiting, spent.wall));
    match load.pace {
        Pace::Open { .. } => {
            let late = tally.late.value_at_quantile(0.99);
            if late > LATE {
                doubts.push(format!(
                    "the generator fell behind: one request in a hundred left more than {:.1} ms after its time; \
                     ask for a lower rate, or give it a core of its own",
                    millis(late)
                ));
            }
            // One or two at the very end say nothing.
            if tally.unsent > tally.sent / FEW {
                doubts.push(format!(
                    "{} requests were due and were not sent before the end; ask for a lower rate",
                    tally.unsent
                ));
            }
        }
        Pace::Closed { .. } if on_core > BUSY => doubts.push(format!(
            "the generator was busy for {:.0} % of its time: the server may be faster than this; use more --threads",
            on_core * 100.0
        )),
        Pace::Closed { .. } => {}
    }
    if tally.blocked > 0 {
        doubts.push(format!(
            "{} requests had to wait because the server takes no more at once on a connection; use more --connections",
            tally.blocked
        ));
    }
    if waiting > CROWDED {
        doubts.push(format!(
            "the generator waited for a core for {:.0} % of its time: others use this machine, and the tails are theirs too",
            waiting * 100.0
        ));
    }
    doubts
}

fn effects(tally: &Tally) -> Value {
    let name =
        |number: i32| pb::Effect::try_from(number).map_or("EFFECT_UNKNOWN", |effect| effect.as_str_name());
    named(&tally.effects, |number| name(number).trim_start_matches("EFFECT_").to_owned())
}

fn reasons(tally: &Tally) -> Value {
    let name = |number: i32| {
        pb::ReasonCode::try_from(number).map_or("REASON_CODE_UNKNOWN", |code| code.as_str_name())
    };
    named(&tally.reasons, |number| name(number).trim_start_matches("REASON_CODE_").to_ascii_lowercase())
}

fn named(counts: &[u64], name: impl Fn(i32) -> String) -> Value {
    (0..)
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(number, count)| (name(number), json!(count)))
        .collect()
}

fn times(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let mut times = Map::new();
    times.insert("min".into(), micros(histogram.min()));
    times.insert("mean".into(), rounded(histogram.mean() / 1e3));
    for percentile in ["50", "75", "90", "95", "99", "99.9", "99.99"] {
        let quantile = percentile.parse::<f64>().unwrap_or_default() / 100.0;
        times.insert(format!("p{percentile}"), micros(histogram.value_at_quantile(quantile)));
    }
    times.insert("max".into(), micros(histogram.max()));
    times.into()
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn micros(nanos: u64) -> Value {
    rounded(nanos as f64 / 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "a share")]
fn part(of: u64, all: u64) -> f64 {
    of as f64 / all.max(1) as f64
}

fn share(of: u64, all: u64) -> Value {
    rounded(part(of, all))
}

/// Three digits behind the point: more would pretend.
fn rounded(number: f64) -> Value {
    json!((number * 1e3).round() / 1e3)
}
