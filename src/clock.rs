//! The only file that asks what time it is, or for randomness.

#![expect(clippy::disallowed_methods, reason = "this is where the bans of clippy.toml send everybody")]

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime};

use tollgate_engine::time::{Moment, WallTime};
use tollgate_engine::unit::Span;
use uuid::Uuid;

/// Where time comes from: the system, or a test's hand.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { origin: Instant },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The clock of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { origin: Instant::now() })
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: WallTime) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(start.nanos()))))
    }

    /// Moves a manual clock, all its copies included; the clock of the machine stays.
    pub fn advance(&self, nanos: i64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(nanos, Ordering::SeqCst);
        }
    }

    /// The time of day.
    #[must_use]
    pub fn wall(&self) -> WallTime {
        match &self.0 {
            Source::System { .. } => WallTime::from_nanos(nanos_since_1970(SystemTime::now())),
            Source::Manual(now) => WallTime::from_nanos(now.load(Ordering::SeqCst)),
        }
    }

    /// Nanoseconds since 1970; 0 before.
    #[must_use]
    pub fn unix_nanos(&self) -> u64 {
        self.wall().nanos().max(0).unsigned_abs()
    }

    /// Nanoseconds since this clock was made; never goes back.
    #[must_use]
    pub fn monotonic(&self) -> u64 {
        match &self.0 {
            Source::System { origin } => saturate(origin.elapsed().as_nanos()),
            Source::Manual(now) => now.load(Ordering::SeqCst).unsigned_abs(),
        }
    }

    /// The same as an instant that guardrails count from.
    #[must_use]
    pub fn moment(&self) -> Moment {
        Moment::START.after(Span::from_nanos(self.monotonic()))
    }

    /// The id of a decision taken at this time, a UUID of version 7.
    ///
    /// Unique, and no secret: its random part comes from a generator of this thread.
    #[must_use]
    pub fn decision_id(&self, at: WallTime) -> Uuid {
        let [a, b] = RANDOM.with_borrow_mut(|random| [random.next(), random.next()]);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&a.to_le_bytes());
        bytes[8..].copy_from_slice(&b.to_le_bytes()[..2]);
        uuid::Builder::from_unix_timestamp_millis(millis(at), &bytes).into_uuid()
    }

    /// A UUID of version 7 that nobody can guess, from the randomness of the system.
    #[must_use]
    pub fn secret_id(&self, at: WallTime) -> Uuid {
        let mut bytes = [0; 10];
        if getrandom::fill(&mut bytes).is_err() {
            return self.decision_id(at);
        }
        uuid::Builder::from_unix_timestamp_millis(millis(at), &bytes).into_uuid()
    }
}

/// A seed that nobody outside knows, for what spreads keys and draws.
#[must_use]
pub fn any_seed() -> u64 {
    RANDOM.with_borrow_mut(Xoshiro::next)
}

/// A number for names that must not meet others.
///
/// # Errors
/// The system has no randomness.
pub fn any_number() -> std::io::Result<u32> {
    getrandom::u32().map_err(std::io::Error::other)
}

/// Bytes that nobody can guess, for a private key.
///
/// # Errors
/// The system has no randomness.
pub fn secret_bytes() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes)
}

fn millis(at: WallTime) -> u64 {
    at.nanos().max(0).unsigned_abs() / 1_000_000
}

fn saturate(nanos: u128) -> u64 {
    u64::try_from(nanos).unwrap_or(u64::MAX)
}

fn nanos_since_1970(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    }
}

thread_local! {
    static RANDOM: RefCell<Xoshiro> = RefCell::new(Xoshiro::seeded());
}

/// xoshiro256++ (Blackman and Vigna): 256 bits of state, so that two threads or two machines do
/// not meet in it.
struct Xoshiro([u64; 4]);

impl Xoshiro {
    fn seeded() -> Self {
        let mut seed = [0_u8; 32];
        if getrandom::fill(&mut seed).is_err() {
            // No system randomness at all: time and an address still tell processes apart.
            let here = std::ptr::from_ref(&seed).addr() as u64;
            let now = nanos_since_1970(SystemTime::now()).unsigned_abs();
            seed[..8].copy_from_slice(&here.to_le_bytes());
            seed[8..16].copy_from_slice(&now.to_le_bytes());
        }
        let mut state = [0; 4];
        for (word, bytes) in state.iter_mut().zip(seed.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        }
        Self(state)
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = self.0;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.0 = [a ^ d, b ^ c, c ^ (b << 17), d.rotate_left(45)];
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_of_version_7_carry_the_time_and_differ() {
        let clock = Clock::manual(WallTime::from_nanos(1_700_000_000_123_456_789));
        let ids: Vec<Uuid> = (0..10_000).map(|_| clock.decision_id(clock.wall())).collect();
        for id in &ids {
            assert_eq!(id.get_version_num(), 7);
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!((seconds, nanos), (1_700_000_000, 123_000_000));
        }
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len());
    }

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut random = Xoshiro([1, 2, 3, 4]);
        let got: Vec<u64> = (0..4).map(|_| random.next()).collect();
        let want = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        assert_eq!(got, want);
    }

    #[test]
    fn a_manual_clock_moves_by_hand_only() {
        let clock = Clock::manual(WallTime::from_nanos(5));
        let copy = clock.clone();
        clock.advance(10);
        assert_eq!(copy.wall().nanos(), 15);
        assert_eq!(copy.monotonic(), 15);
    }
}
