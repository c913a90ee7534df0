//! `concurrency`: how many at once. A lease for each allowed action.

use super::lease::{Lease, LeaseId, Leases};
use super::refused::{Measure, Refused, Room};
use crate::model::ReasonCode;
use crate::time::Moment;
use crate::unit::Span;

/// At most so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// That many.
    pub max_in_flight: u64,
    /// After how long an action that nobody reports gives its place back.
    pub lease: Span,
}

/// What a lease must outlast: the timeout obligation and this.
const GRACE: Span = Span::from_nanos(10_000_000_000);

/// How long a lease lasts: never shorter than the timeout obligation and ten seconds, so that an
/// action that keeps its obligation keeps its place.
#[must_use]
pub fn lease_length(own: Span, timeout: Option<Span>) -> Span {
    let kept = timeout
        .map_or(Span::default(), |timeout| Span::from_nanos(timeout.nanos().saturating_add(GRACE.nanos())));
    own.max(kept)
}

impl Concurrency {
    /// Whether there is a place now. `leases` hold none that has ended.
    ///
    /// # Errors
    /// There is not; the wait is an estimate, at most until the nearest lease ends.
    pub fn check(&self, leases: Option<&Leases<()>>, now: Moment) -> Result<(), Refused> {
        if self.max_in_flight == 0 {
            return Err(Refused::for_good(ReasonCode::LimitUnreachable));
        }
        match leases.filter(|leases| leases.len() >= self.max_in_flight).and_then(Leases::first) {
            Some(first) => Err(Refused::until(ReasonCode::ConcurrencyFull, first.ends.since(now))),
            None => Ok(()),
        }
    }

    /// Takes a place.
    pub fn charge(&self, leases: &mut Leases<()>, id: LeaseId, timeout: Option<Span>, now: Moment) -> Lease {
        let lease = Lease { ends: now.after(lease_length(self.lease, timeout)), id };
        leases.insert(lease, ());
        lease
    }

    /// How many places are taken.
    #[must_use]
    pub fn room(&self, leases: Option<&Leases<()>>, now: Moment) -> Room {
        let last = leases.and_then(Leases::last);
        Room {
            measure: Measure::InFlight,
            limit: self.max_in_flight,
            used: leases.map_or(0, Leases::len),
            reserved: 0,
            window: None,
            reset_after: Some(last.map_or(Span::default(), |last| last.ends.since(now))),
        }
    }
}
