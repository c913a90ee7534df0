//! Random draws, from a seed that the caller brings.

use crate::unit::Span;

/// A generator of random numbers: SplitMix64 (Steele, Lea, Flood 2014).
///
/// Good enough to spread delays; no secret comes from it. Each thread keeps its own, seeded by
/// the system; a test seeds it with a number that it knows.
#[derive(Clone, Debug)]
pub struct Draw(u64);

impl Draw {
    /// A generator with this seed.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// Where it stands: one that is seeded with this draws the same from here on.
    #[must_use]
    pub const fn state(&self) -> u64 {
        self.0
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Anywhere from nothing to this span, both included.
    pub fn up_to(&mut self, most: Span) -> Span {
        // The high half of a 128-bit product is uniform up to 2^-64 of a step.
        let steps = u128::from(most.nanos()).saturating_add(1);
        let drawn = u128::from(self.bits()).saturating_mul(steps) >> 64;
        Span::from_nanos(u64::try_from(drawn).unwrap_or(u64::MAX))
    }

    /// A share of a span, anywhere from nothing to `ratio` of it.
    pub fn share(&mut self, of: Span, ratio: f64) -> Span {
        self.up_to(scaled(of, ratio))
    }
}

/// A span times a factor, at most the longest there is; nothing for a factor that is negative
/// or no number.
#[must_use]
pub fn scaled(span: Span, factor: f64) -> Span {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and NaN is 0"
    )]
    let nanos = (span.nanos() as f64 * factor).round() as u64;
    Span::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_gives_the_published_numbers() {
        let mut draw = Draw::seeded(1_234_567);
        let got: Vec<u64> = (0..3).map(|_| draw.bits()).collect();
        let want = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(got, want);
    }

    #[test]
    fn a_span_is_drawn_from_all_of_itself() {
        let mut draw = Draw::seeded(7);
        let mut seen = [0_u32; 4];
        for _ in 0..4_000 {
            let drawn = draw.up_to(Span::from_nanos(3)).nanos();
            seen[usize::try_from(drawn).unwrap()] += 1;
        }
        assert!(seen.iter().all(|n| (850..1_150).contains(n)), "{seen:?}");
        assert_eq!(draw.up_to(Span::from_nanos(0)), Span::from_nanos(0));
        let all = (0..100).map(|_| draw.up_to(Span::from_nanos(u64::MAX)).nanos());
        assert!(all.max() > Some(1 << 63));
    }

    #[test]
    fn scaling_saturates() {
        let second = Span::from_nanos(1_000_000_000);
        for (factor, want) in [
            (0.2, 200_000_000),
            (0.0, 0),
            (-1.0, 0),
            (f64::NAN, 0),
            (f64::INFINITY, u64::MAX),
            (1e30, u64::MAX),
        ] {
            assert_eq!(scaled(second, factor).nanos(), want, "{factor}");
        }
    }
}
