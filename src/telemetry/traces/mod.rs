//! Traces: what a caller waited for, as a span of its own trace, sent to a collector over OTLP.
//!
//! Off unless a collector is named, and then the serving threads only put a span into a bounded
//! queue; a thread of its own sends them. A collector that is slow or away costs spans, which are
//! counted, and never a decision.

mod context;
mod export;
mod span;
mod wire;

use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;

use crossbeam_queue::ArrayQueue;
use metrics::counter;

pub use context::{Caller, Kept};
pub use export::Exporter;
pub use span::{Span, Value};

use super::metrics::SPANS_DROPPED;

/// Spans that wait to be sent at most; some megabytes.
const WAITING: usize = 8_192;

/// Where spans go and which.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The collector: `http://host:4317`, or `https://`.
    pub endpoint: &'a str,
    /// The share of traces that begin here which are recorded, from 0 to 1.
    pub ratio: f64,
    /// A file of headers for the collector, a line each: `name: value`.
    pub headers: Option<&'a Path>,
    /// The certificates that sign the collector's, in PEM.
    pub authority: Option<&'a Path>,
    /// How this service is called in traces.
    pub service: &'a str,
    /// Which process of it this is.
    pub instance: String,
}

/// Decides what is traced, and takes spans.
#[derive(Debug)]
pub struct Tracer {
    queue: Arc<ArrayQueue<Span>>,
    /// A trace that begins here is recorded if its number is below this.
    threshold: u64,
}

impl Tracer {
    /// A tracer, and what sends its spans.
    ///
    /// # Errors
    /// A file cannot be read, or the collector cannot be asked like this.
    pub fn new(options: &Options<'_>) -> anyhow::Result<(Self, Exporter)> {
        let queue = Arc::new(ArrayQueue::new(WAITING));
        let exporter = Exporter::new(options, Arc::clone(&queue))?;
        Ok((Self { queue, threshold: threshold(options.ratio) }, exporter))
    }

    /// Begins the span of a call. The caller's context decides where there is one; `random` makes the
    /// ids of what begins here.
    #[must_use]
    pub fn begin(
        &self,
        name: &'static str,
        caller: Option<Caller<'_>>,
        mut random: impl FnMut() -> u64,
        now: u64,
    ) -> Option<Span> {
        let (trace, parent, state) = match caller {
            Some(Caller { sampled: false, .. }) => return None,
            Some(caller) => (caller.trace, caller.parent, caller.state.to_owned()),
            None => {
                let number = random();
                if number >> 1 >= self.threshold {
                    return None;
                }
                (u128::from(random() | 1) << 64 | u128::from(number), 0, String::new())
            }
        };
        Some(Span::new(name, trace, random() | 1, parent, state, now))
    }

    /// Takes a span that has ended.
    pub fn end(&self, span: Span) {
        if self.queue.push(span).is_err() {
            counter!(SPANS_DROPPED).increment(1);
        }
    }
}

/// As numbers of 63 bits are compared with it.
fn threshold(ratio: f64) -> u64 {
    const ALL: u64 = 1 << 63;
    if ratio >= 1.0 {
        return ALL;
    }
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    #[expect(clippy::allow_attributes_without_reason, reason = "a share of a number below 2^63")]
    let threshold = (ratio.max(0.0) * ALL as f64) as u64;
    threshold
}

thread_local! {
    static CURRENT: Cell<u128> = const { Cell::new(0) };
}

/// The trace that this thread works for; 0: none.
#[must_use]
pub fn current() -> u128 {
    CURRENT.get()
}

/// Does work for a trace.
pub fn within<R>(trace: u128, work: impl FnOnce() -> R) -> R {
    struct Ends;
    impl Drop for Ends {
        fn drop(&mut self) {
            CURRENT.set(0);
        }
    }
    CURRENT.set(trace);
    let _ends = Ends;
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracer(ratio: f64) -> Tracer {
        Tracer { queue: Arc::new(ArrayQueue::new(2)), threshold: threshold(ratio) }
    }

    #[test]
    fn the_caller_decides_and_else_the_share() {
        let caller = |sampled| Some(Caller { trace: 7, parent: 8, sampled, state: "a=b" });
        for (ratio, caller, random, want) in [
            (0.0, caller(true), 5, Some((7, 8))),
            (1.0, caller(false), 5, None),
            (0.0, None, 0, None),
            (1.0, None, u64::MAX, Some((u128::MAX, 0))),
            (
                0.5,
                None,
                u64::MAX >> 1,
                Some((u128::from(u64::MAX >> 1) << 64 | u128::from(u64::MAX >> 1), 0)),
            ),
            (0.5, None, u64::MAX, None),
        ] {
            let span = tracer(ratio).begin("x", caller, || random, 1);
            assert_eq!(span.map(|span| (span.trace(), span.parent())), want, "{ratio} {random}");
        }
    }

    #[test]
    fn what_does_not_fit_is_dropped() {
        let tracer = tracer(1.0);
        (0..5).for_each(|n| tracer.end(tracer.begin("x", None, || n, 1).unwrap()));
        assert_eq!(tracer.queue.len(), 2);
    }

    #[test]
    fn work_for_a_trace_ends_with_it() {
        assert_eq!((current(), within(3, current), current()), (0, 3, 0));
        let _ = std::panic::catch_unwind(|| within(3, || panic!("on purpose")));
        assert_eq!(current(), 0);
    }
}
