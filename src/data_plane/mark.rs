//! Decision ids that say of themselves that the action was allowed and took nothing.
//!
//! Most allowed actions hold no lease and reserve nothing, so that their report settles nothing;
//! it is counted all the same, and must be told from that of a refused action. Keeping each of
//! them for an hour would fill memory with ids that nobody may ever report. Instead the last 32
//! bits of such an id are a keyed hash of the others.

use std::hash::BuildHasher as _;

use foldhash::quality::FixedState;
use tollgate_engine::time::WallTime;
use tollgate_engine::unit::Span;
use uuid::Uuid;

/// The bit of an id that says that its decision met a condition that could not be evaluated: nobody
/// has to remember it until the report comes.
const ERRED: (usize, u8) = (11, 1);

/// The id with that bit as it should be, before it is marked.
pub(super) fn with_errors(id: Uuid, erred: bool) -> Uuid {
    let (mut bytes, (at, bit)) = (*id.as_bytes(), ERRED);
    bytes[at] = bytes[at] & !bit | if erred { bit } else { 0 };
    Uuid::from_bytes(bytes)
}

/// Whether the decision of this id, which is one of ours, met such a condition.
pub(super) fn has_errors(id: Uuid) -> bool {
    let (at, bit) = ERRED;
    id.as_bytes()[at] & bit != 0
}

/// Makes and knows marked ids.
#[derive(Debug)]
pub(super) struct Mark {
    secret: u64,
    hash: FixedState,
}

impl Mark {
    /// Ids are known by who has the same secret.
    pub(super) fn new(secret: u64) -> Self {
        Self { secret, hash: FixedState::with_seed(secret) }
    }

    /// The secret, so that the process after this one knows its ids too.
    pub(super) const fn secret(&self) -> u64 {
        self.secret
    }

    /// The id with the mark.
    pub(super) fn mark(&self, id: Uuid) -> Uuid {
        let mut bytes = *id.as_bytes();
        let mark = self.of(&bytes);
        bytes[12..].copy_from_slice(&mark);
        Uuid::from_bytes(bytes)
    }

    /// How old an id with the mark is; `None` if it has none, is older than that, or from a future
    /// farther than that.
    pub(super) fn age(&self, id: Uuid, now: WallTime, oldest: Span) -> Option<Span> {
        let bytes = id.as_bytes();
        let made = id.get_timestamp().map_or(0, |time| {
            let (seconds, nanos) = time.to_unix();
            seconds.saturating_mul(1_000_000_000).saturating_add(nanos.into())
        });
        let age = Span::from_nanos(now.nanos().max(0).unsigned_abs().abs_diff(made));
        (bytes[12..] == self.of(bytes) && age <= oldest).then_some(age)
    }

    fn of(&self, bytes: &[u8; 16]) -> [u8; 4] {
        let hash = self.hash.hash_one(&bytes[..12]).to_le_bytes();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn only_marked_ids_of_the_last_hour_are_known() {
        let now = WallTime::from_nanos(1_700_000_000_000_000_000);
        let clock = Clock::manual(now);
        let (own, other) = (Mark::new(1), Mark::new(2));
        let hour = Span::from_nanos(3_600_000_000_000);
        let late = WallTime::from_nanos(now.nanos() + 3_600_001_000_000);
        for _ in 0..1_000 {
            let plain = clock.decision_id(now);
            let (sound, plain) = (with_errors(plain, false), with_errors(plain, true));
            let marked = own.mark(plain);
            assert_eq!([sound, plain, marked].map(has_errors), [false, true, true]);
            assert_eq!(marked.get_version_num(), 7);
            assert_eq!(marked.get_timestamp(), plain.get_timestamp());
            assert!(own.age(marked, now, hour).is_some() && other.age(marked, now, hour).is_none());
            assert!(own.age(marked, late, hour).or(own.age(plain, now, hour)).is_none());
        }
    }
}
