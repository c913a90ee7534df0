//! Time comes in as an argument: the engine has no clock.

use crate::unit::Span;

/// A reading of a clock that never goes back, in nanoseconds.
///
/// What it counts from means nothing; only differences do. A clock should start at
/// [`Moment::START`], so that state from before a restart has room to lie in the past.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// What a process's clock should read when it starts: 73 years, more than the longest
    /// [`Span`] twice.
    pub const START: Self = Self(1 << 61);
    /// Before every other.
    pub const ZERO: Self = Self(0);
    /// After every other: what never ends ends here.
    pub const NEVER: Self = Self(u64::MAX);

    /// That many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since whatever it counts from.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// So much later, at most [`Moment::NEVER`].
    #[must_use]
    pub const fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.nanos()))
    }

    /// So much earlier, at least [`Moment::ZERO`].
    #[must_use]
    pub const fn before(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.nanos()))
    }

    /// How long after the other, or nothing.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A reading of the wall clock, in nanoseconds since 1970 in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// That many nanoseconds since 1970.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since 1970.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }
}

impl From<jiff::Timestamp> for WallTime {
    /// Times beyond the years 1677 to 2262 become the nearest that fits.
    fn from(time: jiff::Timestamp) -> Self {
        let nanos = time.as_nanosecond().clamp(i64::MIN.into(), i64::MAX.into());
        Self(i64::try_from(nanos).unwrap_or(i64::MAX))
    }
}

impl From<WallTime> for jiff::Timestamp {
    fn from(time: WallTime) -> Self {
        Self::from_nanosecond(time.0.into()).unwrap_or(Self::UNIX_EPOCH)
    }
}
