//! Load in a closed loop, by a client that costs little.
//!
//! A client of tonic's takes more CPU than the server it asks, so that one would measure it and
//! not the server. This one writes HTTP/2 frames that were encoded before and counts the answers.

mod connection;
mod wire;

use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use connection::Connection;
pub use wire::Questions;

/// Where a server listens.
#[derive(Clone, Debug)]
pub enum Target {
    Tcp(std::net::SocketAddr),
    Unix(PathBuf),
}

/// How many requests are in flight.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    pub connections: usize,
    pub in_flight: usize,
}

/// When a turn begins to be measured, and when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: Instant,
    pub until: Instant,
}

/// What came of a turn.
#[derive(Debug)]
pub struct Answers {
    /// All of them, those before the measured time too.
    pub all: u64,
    /// Those within the measured time.
    pub measured: u64,
    /// Nanoseconds from the moment that a request is written to its answer.
    pub latency: Histogram<u64>,
}

impl Answers {
    fn none() -> anyhow::Result<Self> {
        Ok(Self { all: 0, measured: 0, latency: Histogram::new_with_bounds(1, 60_000_000_000, 3)? })
    }
}

/// Asks for so long, after a warm-up, over fresh connections.
///
/// # Errors
/// When a connection fails, or an answer carries no message.
pub async fn turn(
    target: &Target,
    questions: &Rc<Questions>,
    pattern: Pattern,
    warm_up: Duration,
    lasts: Duration,
) -> anyhow::Result<Answers> {
    let from = Instant::now() + warm_up;
    let span = Span { from, until: from + lasts };
    let local = LocalSet::new();
    let ask = |number: usize| {
        let (target, questions) = (target.clone(), Rc::clone(questions));
        local.spawn_local(async move {
            let first = number * questions.len() / pattern.connections;
            match target {
                Target::Tcp(address) => {
                    let stream = tokio::net::TcpStream::connect(address).await?;
                    stream.set_nodelay(true)?;
                    Connection::new(stream, questions, first).ask(pattern.in_flight, span).await
                }
                Target::Unix(path) => {
                    let stream = tokio::net::UnixStream::connect(path).await?;
                    Connection::new(stream, questions, first).ask(pattern.in_flight, span).await
                }
            }
        })
    };
    let asking: Vec<_> = (0..pattern.connections).map(ask).collect();
    let collect = async {
        let mut total = Answers::none()?;
        for one in asking {
            let answers = one.await??;
            total.all += answers.all;
            total.measured += answers.measured;
            total.latency.add(&answers.latency)?;
        }
        anyhow::Ok(total)
    };
    local.run_until(collect).await
}
