//! `sampling`: a share of all, the same answer for the same key.
//!
//! The point of a key is the first 8 bytes, big endian, of
//! `SHA-256(name ‖ 0x00 ‖ environment ‖ 0x00 ‖ kinds ‖ 0x00 ‖ values)`, where kinds are the
//! dimensions of `key_by` as a bundle spells them and values what the request has for them, each
//! list joined by a zero byte. A key is kept when its point is below `rate · 2^64`. Integers only,
//! so that 10 % lies inside 50 % lies inside 100 %, and an SDK can say the same.

use super::refused::Refused;
use crate::id::Digest;
use crate::model::ReasonCode;
use crate::model::guardrail::KeyDimension;

/// A share of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Points below this are kept; 2^64 keeps all.
    below: u128,
}

impl Sampling {
    /// Keeps this share, from 0 to 1.
    #[must_use]
    pub fn new(rate: f64) -> Self {
        const ALL: f64 = 18_446_744_073_709_551_616.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates; a share is from 0 to 1"
        )]
        let below = (rate.min(1.0) * ALL).ceil() as u128;
        Self { below }
    }

    /// Whether a point is in the sample.
    ///
    /// # Errors
    /// It is not, and never will be.
    pub const fn check(self, point: u64) -> Result<(), Refused> {
        if (point as u128) < self.below { Ok(()) } else { Err(Refused::for_good(ReasonCode::SampledOut)) }
    }
}

/// The point of a key.
#[must_use]
pub fn point(name: &str, environment: &str, kinds: &str, values: &[u8]) -> u64 {
    let digest = Digest::of_all(&[
        name.as_bytes(),
        b"\0",
        environment.as_bytes(),
        b"\0",
        kinds.as_bytes(),
        b"\0",
        values,
    ]);
    let first = digest.0.first_chunk().copied().unwrap_or_default();
    u64::from_be_bytes(first)
}

/// The kinds of a key as a bundle spells them, joined by a zero byte.
#[must_use]
pub fn kinds(dimensions: &[KeyDimension]) -> String {
    dimensions.iter().map(KeyDimension::name).collect::<Vec<_>>().join("\0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Field;

    /// Published; computed with `printf 'n\0e\0k\0v' | sha256sum`, not with this code.
    #[test]
    fn points_are_the_published_ones() {
        for (name, environment, kinds, values, want) in VECTORS {
            let got = point(name, environment, kinds, values.as_bytes());
            assert_eq!(format!("{got:016x}"), want, "{name} {environment} {kinds:?} {values:?}");
        }
    }

    const VECTORS: [(&str, &str, &str, &str, &str); 4] = [
        ("sample-traces", "production", "request", "req-1", "cb490dc3d6c84f75"),
        ("sample-traces", "production", "request", "req-2", "024c71ec7b9d086c"),
        ("sample-traces", "default", "tenant\0run", "acme\0run-7", "99c681325d61f268"),
        ("größe", "default", "context.email", "\"a@b.c\"", "2467d7aebb66dd24"),
    ];

    #[test]
    fn kinds_are_spelled_as_in_a_bundle() {
        let context = KeyDimension::Context(vec!["email".into(), "sender".into()]);
        let dimensions = [KeyDimension::Request, KeyDimension::Field(Field::Tenant), context];
        assert_eq!(kinds(&dimensions), "request\0tenant\0context.email.sender");
    }

    #[test]
    fn shares_lie_inside_each_other_and_are_as_large_as_they_say() {
        let rates = [0.0, 0.1, 0.5, 1.0];
        let mut kept = [0_u32; 4];
        for key in 0..10_000 {
            let point = point("s", "default", "request", format!("req-{key}").as_bytes());
            let answers = rates.map(|rate| Sampling::new(rate).check(point).is_ok());
            assert!(answers.is_sorted(), "{answers:?}");
            for (kept, answer) in kept.iter_mut().zip(answers) {
                *kept += u32::from(answer);
            }
        }
        assert_eq!((kept[0], kept[3]), (0, 10_000));
        // Four standard deviations.
        assert!((880..=1_120).contains(&kept[1]), "{}", kept[1]);
        assert!((4_800..=5_200).contains(&kept[2]), "{}", kept[2]);
    }

    #[test]
    fn the_edges_are_exact() {
        assert!(Sampling::new(1.0).check(u64::MAX).is_ok());
        assert!(Sampling::new(0.0).check(0).is_err());
        assert!(Sampling::new(0.5).check((1 << 63) - 1).is_ok());
        assert!(Sampling::new(0.5).check(1 << 63).is_err());
    }
}
