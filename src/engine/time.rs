//! Time comes in as an argument: the engine has no clock.

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
