//! `tollgate bench`

mod asked;
mod progress;
mod results;
mod shown;

use super::amount;
use super::client::Server;
use super::exit::{Exit, Failure, Outcome};
use super::output::{self, BAD, Output, styled};
use crate::load::{Load, Pace};
use asked::{Asked, Mode};
use std::path::PathBuf;
use std::time::Duration;

/// Ask a running server many times, and say how fast it answers
#[derive(Debug, clap::Args)]
#[command(
    after_help = "It asks in a closed loop (each connection keeps so many requests in flight) or, with --rate, in an
open one: at fixed times, whatever becomes of the answers. Latency counts from the time when a request
should have been sent, so that a server that stalls is charged with all that it kept waiting.
The decisions are real: guardrails are charged, approvals are opened; --dry-run only looks.
Ctrl-C ends it and prints what there is. docs/benchmarking.md says how to read the figures.

Exit codes: 0 done, 1 more errors than --max-errors allows, or a refused bundle, 2 wrong use,
3 no server answers, or it does not know what is asked.

Examples:
  tollgate bench --bundle policies/inbox.yaml
  tollgate bench --bundle policies/ --rate 5000 --duration 30s --output json
  tollgate bench --address unix:/run/tollgate.sock --connections 1 --in-flight 1 --request request.json
  tollgate bench --mode stream --connections 1 --in-flight 512 --dry-run"
)]
pub struct Bench {
    #[command(flatten)]
    server: Server,
    /// How to ask: a call each, many in a call, or all on one stream a connection
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Draw requests from this bundle's own bounds: values at, under and over each threshold, names of targets, keys
    #[arg(long, value_name = "BUNDLE", conflicts_with = "request")]
    bundle: Option<PathBuf>,
    /// A request to ask: a YAML or JSON file, `-` for stdin, or JSON itself; several take turns
    #[arg(long, short, value_name = "FILE|-|JSON")]
    request: Vec<String>,
    /// The same seed draws the same requests from a bundle
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Look only: charge nothing, open no approval
    #[arg(long)]
    dry_run: bool,
    /// Over how many connections
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connections: u32,
    /// How many requests each connection keeps in flight
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    in_flight: u32,
    /// How many requests a second, over all connections and whatever becomes of the answers; a batch is one
    #[arg(long, value_name = "RATE", conflicts_with = "in_flight", value_parser = rate)]
    rate: Option<f64>,
    /// How many requests are in a batch
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch_size: u32,
    /// How long it is measured, at most a day
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = lasting)]
    duration: Duration,
    /// How long it asks before that, at most an hour
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = warming)]
    warm_up: Duration,
    /// End after so many measured requests, if that is sooner
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How many threads ask; one drives a server on one core
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: u32,
    /// How many of a hundred requests may have no answer before that is a failure
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    max_errors: f64,
    #[command(flatten)]
    output: Output,
}

impl Bench {
    /// Asks and shows.
    pub fn run(&self) -> Outcome {
        self.output.told(self.answer())
    }

    fn answer(&self) -> Outcome {
        let asked = self.asked()?;
        let load = Load {
            target: self.server.target()?,
            questions: asked.questions(self.mode, self.batch_size as usize),
            pace: self.pace(),
            connections: self.connections as usize,
            threads: self.threads as usize,
            warm_up: self.warm_up,
            lasts: self.duration,
            count: self.count,
            patience: self.server.patience(),
        };
        let outcome = progress::watch(&load).map_err(|trouble| self.server.trouble(&trouble))?;
        let shown = results::json(self, &asked, &load, &outcome);
        self.output.show(&shown, shown::text);
        Ok(self.exit(outcome.tally.errors(), outcome.tally.sent))
    }

    fn asked(&self) -> Result<Asked, Failure> {
        match &self.bundle {
            Some(path) => Asked::drawn(path, self.seed, self.dry_run),
            None => Asked::read(&self.request, self.dry_run),
        }
    }

    const fn pace(&self) -> Pace {
        match self.rate {
            Some(per_second) => Pace::Open { per_second },
            None => Pace::Closed { in_flight: self.in_flight as usize },
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a share")]
    fn exit(&self, errors: u64, sent: u64) -> Exit {
        let share = errors as f64 * 100.0 / sent.max(1) as f64;
        if errors == 0 || share <= self.max_errors {
            return Exit::Fine;
        }
        let word = styled(BAD, "error");
        let allowed = self.max_errors;
        output::note(&format!(
            "{word}: {share:.3} % of the requests have no answer; --max-errors allows {allowed} %"
        ));
        Exit::Negative
    }
}

fn rate(text: &str) -> Result<f64, String> {
    const MOST: f64 = 1e7;
    let rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= MOST);
    rate.ok_or_else(|| format!("write a number above 0 and up to {MOST}"))
}

fn percent(text: &str) -> Result<f64, String> {
    let percent = text.parse::<f64>().ok().filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or_else(|| "write a number from 0 to 100".to_owned())
}

fn lasting(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(86_400);
    let span = span(text)?;
    (!span.is_zero() && span <= most)
        .then_some(span)
        .ok_or_else(|| "write a time above 0 and up to 24h".to_owned())
}

fn warming(text: &str) -> Result<Duration, String> {
    let most = Duration::from_secs(3_600);
    let span = span(text)?;
    (span <= most).then_some(span).ok_or_else(|| "write a time up to 1h".to_owned())
}

fn span(text: &str) -> Result<Duration, String> {
    let span = amount::span(text)?;
    Duration::try_from(span).map_err(|_| "a time before now makes no sense here".to_owned())
}
