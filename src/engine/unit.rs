//! Units: money that adds up exactly, spans of time.

/// An amount of money in billionths of the bundle's currency.
///
/// Integers, so that 0.1 three times is 0.3 (design 1.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    const BILLION: f64 = 1e9;
    /// The largest amount that a document or a request may name: a billion.
    pub const MAX: f64 = 1e9;

    /// Rounds to 9 decimals; `None` unless the amount is finite, not negative and at most
    /// [`Money::MAX`].
    #[must_use]
    pub fn from_units(units: f64) -> Option<Self> {
        let fits = units.is_finite() && (0.0..=Self::MAX).contains(&units);
        #[expect(clippy::cast_possible_truncation, reason = "at most 1e18, which an i64 holds")]
        fits.then(|| Self((units * Self::BILLION).round() as i64))
    }

    /// That many billionths; at most what an `i64` holds.
    #[must_use]
    pub fn from_billionths(billionths: u64) -> Self {
        Self(i64::try_from(billionths).unwrap_or(i64::MAX))
    }

    /// The amount in billionths.
    #[must_use]
    pub fn billionths(self) -> u64 {
        u64::try_from(self.0).unwrap_or(0)
    }

    /// The amount in units of the currency.
    #[must_use]
    pub fn units(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "the wire carries doubles (design 2.1)")]
        let billionths = self.0 as f64;
        billionths / Self::BILLION
    }
}

/// A length of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    /// The longest span that a document or a request may name: about 31 years.
    pub const MAX_SECONDS: f64 = 1e9;

    /// A span of so many nanoseconds.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Rounds to nanoseconds; `None` unless finite, not negative and at most
    /// [`Span::MAX_SECONDS`].
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let fits = seconds.is_finite() && (0.0..=Self::MAX_SECONDS).contains(&seconds);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1e18")]
        fits.then(|| Self((seconds * 1e9).round() as u64))
    }

    /// The span in nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The span in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "for people and wire formats")]
        let nanos = self.0 as f64;
        nanos / 1e9
    }
}
