//! When there is more to do than one thread can: who waited too long for its turn is told to come
//! back later, before its request is decoded.
//!
//! A serving thread that comes to rest now and then has no backlog, whatever a single request waited.
//! One that has not rested for a while has more to do than it can, and the line in front of it grows
//! as long as clients let it. From then on whoever waited longer than the option says is shed, which
//! costs a fraction of an answer: the line becomes short again, and those who are served have not
//! waited long. (This is CoDel's idea as adapted to servers: the line is controlled by how long one
//! waits in it and not by its length, which says nothing where requests differ.)

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use http::{HeaderMap, Response};
use metrics::{Counter, counter};
use tonic::body::Body;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::clock::{self, Clock};
use crate::telemetry::metrics::REQUESTS_SHED;

/// A thread that has not rested for so long has more to do than it can.
const NO_REST: u64 = 100_000_000;
/// Unless it shed somebody this recently: then a rest may only mean that all who waited were shed, and
/// were everybody served for so long again, the next line would be as long as that.
const RECENTLY: u64 = 1_000_000_000;
/// A thread that did not even look at a call for this part of that was stopped (by a debugger, a
/// throttled container, a host that moved it). What came meanwhile is no backlog of its own making.
const STOPPED: u64 = 2;
/// When nobody was served for so many times the longest wait, shedding itself takes all the time:
/// then those who come are served for a while, however long they waited.
const STARVED: u64 = 4;
/// Those who are shed come back after this and up to as much again, not all at once.
pub(super) const COME_BACK: Duration = Duration::from_millis(100);
/// So many different times.
const TIMES: u32 = 16;

/// The name of the metadata that tells clients of gRPC when to try again, in milliseconds.
const PUSHBACK: &str = "grpc-retry-pushback-ms";
const TOO_MUCH: &str = "the server has more to do than it can; nothing was decided, ask again later";

/// Who decides on one serving thread whether a call is served.
#[derive(Debug)]
pub(super) struct Gate {
    clock: Clock,
    /// The longest wait, in nanoseconds; 0: any.
    longest: u64,
    rested_at: AtomicU64,
    looked_at: AtomicU64,
    served_at: AtomicU64,
    /// Until then it has shed somebody recently.
    wary_until: AtomicU64,
    /// Until then everybody is served.
    open_until: AtomicU64,
    turn: AtomicUsize,
    refusals: Box<[HeaderMap]>,
    shed: Counter,
}

/// How patient a call is taken to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// It begins something.
    Short,
    /// It ends something, which makes room.
    Long,
}

impl Gate {
    /// A zero sheds nobody.
    pub(super) fn new(longest: Duration, clock: Clock) -> Self {
        let now = clock.monotonic();
        Self {
            clock,
            longest: u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX),
            rested_at: AtomicU64::new(now),
            looked_at: AtomicU64::new(now),
            served_at: AtomicU64::new(now),
            wary_until: AtomicU64::new(0),
            open_until: AtomicU64::new(0),
            // Elsewhere on each thread, or the first connections of all would come back at one time.
            turn: AtomicUsize::new(clock::any_seed() as usize),
            refusals: (0..TIMES).map(|nth| headers(come_back(nth))).collect(),
            shed: counter!(REQUESTS_SHED, "reason" => "overloaded"),
        }
    }

    /// Nanoseconds of the clock that waits are measured with.
    pub(super) fn now(&self) -> u64 {
        self.clock.monotonic()
    }

    /// The thread had nothing to do until now.
    pub(super) fn rested(&self) {
        let now = self.now();
        self.rested_at.store(now, Ordering::Relaxed);
        self.looked_at.store(now, Ordering::Relaxed);
    }

    /// Whether who waits since then is to be shed.
    pub(super) fn sheds(&self, since: u64, patience: Patience) -> bool {
        if self.longest == 0 {
            return false;
        }
        let longest = match patience {
            Patience::Short => self.longest,
            Patience::Long => self.longest.saturating_mul(STARVED),
        };
        let now = self.now();
        let ago = |then: &AtomicU64| now.saturating_sub(then.load(Ordering::Relaxed));
        let unseen = ago(&self.looked_at);
        self.looked_at.store(now, Ordering::Relaxed);
        let is_wary = now < self.wary_until.load(Ordering::Relaxed);
        let no_rest = if is_wary { self.longest.min(NO_REST) } else { NO_REST };
        if unseen > no_rest / STOPPED {
            self.rested_at.fetch_add(unseen, Ordering::Relaxed);
        }
        let is_open = ago(&self.rested_at) <= no_rest || now < self.open_until.load(Ordering::Relaxed);
        if is_open || now.saturating_sub(since) <= longest {
            self.served_at.store(now, Ordering::Relaxed);
            return false;
        }
        if ago(&self.served_at) > self.longest.saturating_mul(STARVED) {
            self.served_at.store(now, Ordering::Relaxed);
            self.open_until.store(now.saturating_add(self.longest), Ordering::Relaxed);
            return false;
        }
        self.wary_until.store(now.saturating_add(RECENTLY), Ordering::Relaxed);
        true
    }

    /// The answer to a call of this connection that is shed, which is counted. All of them are the
    /// same for one connection: HTTP/2 sends what it has sent before in a few bytes.
    pub(super) fn refusal(&self, connection: usize) -> Response<Body> {
        self.shed.increment(1);
        let mut response = Response::new(Body::empty());
        if let Some(headers) = self.refusals.get(connection % TIMES as usize) {
            response.headers_mut().clone_from(headers);
        }
        response
    }

    /// When an item that is shed may come back; it is counted.
    pub(super) fn come_back(&self) -> Duration {
        self.shed.increment(1);
        come_back(u32::try_from(self.number() % TIMES as usize).unwrap_or_default())
    }

    /// A number for whom comes next.
    pub(super) fn number(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

fn come_back(nth: u32) -> Duration {
    // Coprime to the number of times: neighbours come back far apart.
    COME_BACK + COME_BACK * (nth * 7 % TIMES) / TIMES
}

/// The refusal of a call that is shed, with what clients of gRPC need to come back by themselves.
pub(super) fn shed(why: impl Into<String>, come_back: Duration) -> Status {
    let details = ErrorDetails::with_retry_info(Some(come_back));
    let mut status = Status::with_error_details(Code::ResourceExhausted, why, details);
    let millis = i64::try_from(come_back.as_millis()).unwrap_or(i64::MAX);
    status.metadata_mut().insert(PUSHBACK, MetadataValue::from(millis));
    status
}

/// Counts a call that is shed for this reason, and refuses it.
pub(super) fn refuse(reason: &'static str, why: impl Into<String>) -> Status {
    counter!(REQUESTS_SHED, "reason" => reason).increment(1);
    shed(why, COME_BACK)
}

fn headers(come_back: Duration) -> HeaderMap {
    shed(TOO_MUCH, come_back).into_http::<Body>().into_parts().0.headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_engine::time::WallTime;

    const LONGEST: u64 = 10_000_000;

    fn gate() -> (Gate, Clock) {
        let clock = Clock::manual(WallTime::from_nanos(1_000_000_000_000));
        (Gate::new(Duration::from_nanos(LONGEST), clock.clone()), clock)
    }

    fn waited(gate: &Gate, nanos: u64) -> bool {
        gate.sheds(gate.now() - nanos, Patience::Short)
    }

    /// It serves and never rests, for longer than it may.
    fn be_busy(gate: &Gate, clock: &Clock) {
        for _ in 0..=NO_REST / LONGEST {
            clock.advance(i64::try_from(LONGEST).unwrap());
            assert!(!waited(gate, 0));
        }
    }

    #[test]
    fn who_waited_while_it_was_stopped_is_served() {
        let (gate, clock) = gate();
        clock.advance(i64::try_from(NO_REST * 10).unwrap());
        assert!(!waited(&gate, NO_REST * 10) && !waited(&gate, NO_REST * 10));
        be_busy(&gate, &clock);
        assert!(waited(&gate, NO_REST * 10));
    }

    #[test]
    fn a_thread_that_rests_sheds_nobody() {
        let (gate, clock) = gate();
        for _ in 0..10 {
            clock.advance(i64::try_from(NO_REST).unwrap());
            assert!(!waited(&gate, 50 * LONGEST));
            gate.rested();
        }
    }

    #[test]
    fn one_that_does_not_sheds_who_waited_too_long() {
        let (gate, clock) = gate();
        be_busy(&gate, &clock);
        assert!(!waited(&gate, LONGEST));
        assert!(waited(&gate, LONGEST + 1));
        let since = gate.now() - STARVED * LONGEST;
        assert!(!gate.sheds(since, Patience::Long) && gate.sheds(since - 1, Patience::Long));
        gate.rested();
        assert!(!waited(&gate, 2 * LONGEST));
    }

    #[test]
    fn a_rest_between_refusals_is_short() {
        let (gate, clock) = gate();
        be_busy(&gate, &clock);
        assert!(waited(&gate, 2 * LONGEST));
        gate.rested();
        let step = LONGEST / 5;
        for _ in 0..5 {
            clock.advance(i64::try_from(step).unwrap());
            assert!(!waited(&gate, 2 * LONGEST));
        }
        clock.advance(1);
        assert!(waited(&gate, 2 * LONGEST));
        for _ in 0..=RECENTLY / step {
            gate.rested();
            clock.advance(i64::try_from(step).unwrap());
            assert!(!waited(&gate, 0));
        }
        for _ in 0..10 {
            clock.advance(i64::try_from(step).unwrap());
            assert!(!waited(&gate, 2 * LONGEST));
        }
    }

    #[test]
    fn who_waited_while_a_wary_thread_was_stopped_is_served() {
        let (gate, clock) = gate();
        be_busy(&gate, &clock);
        assert!(waited(&gate, 2 * LONGEST));
        gate.rested();
        clock.advance(i64::try_from(3 * LONGEST).unwrap());
        assert!(!waited(&gate, 3 * LONGEST));
    }

    #[test]
    fn it_never_sheds_everybody() {
        let (gate, clock) = gate();
        be_busy(&gate, &clock);
        let step = LONGEST / 10;
        let shed = (0..1_000).filter(|_| {
            clock.advance(i64::try_from(step).unwrap());
            waited(&gate, 10 * LONGEST)
        });
        let shed = shed.count();
        assert!((700..900).contains(&shed), "{shed} of 1,000");
    }

    #[test]
    fn a_zero_sheds_nobody() {
        let clock = Clock::manual(WallTime::from_nanos(1));
        let gate = Gate::new(Duration::ZERO, clock.clone());
        clock.advance(i64::MAX / 2);
        assert!(!gate.sheds(0, Patience::Short));
    }

    #[test]
    fn who_is_shed_is_told_when_to_come_back() {
        let (gate, _) = gate();
        let mut told: Vec<i64> = (0..TIMES)
            .map(|_| gate.refusal(gate.number()).headers()[PUSHBACK].to_str().unwrap().parse().unwrap())
            .collect();
        told.sort_unstable();
        told.dedup();
        assert_eq!((told.len(), told[0]), (TIMES as usize, 100));
        assert!(told.iter().all(|millis| (100..200).contains(millis)));
        let status = Status::from_header_map(gate.refusal(0).headers()).unwrap();
        assert_eq!((status.code(), status.message()), (Code::ResourceExhausted, TOO_MUCH));
        let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!((100..200).contains(&retry.as_millis()), "{retry:?}");
    }
}
