//! Which decisions are recorded, and how their reports know.
//!
//! Whether a decision is recorded is drawn from its id, and one bit of the id says what came of it: a
//! report knows nothing but the id, maybe in another process, hours later.

use uuid::Uuid;

/// The byte and the bit. It is one of the random bits, before those that may be a mark, and beside the
/// one that tells of errors.
const BYTE: usize = 11;
const BIT: u8 = 2;

/// The id, saying whether its decision is among this share of all.
#[must_use]
pub fn mark(id: Uuid, share: f64) -> Uuid {
    let kept = is_within(id, share);
    let mut bytes = *id.as_bytes();
    if let Some(byte) = bytes.get_mut(BYTE) {
        *byte = if kept { *byte | BIT } else { *byte & !BIT };
    }
    Uuid::from_bytes(bytes)
}

/// Whether the decision of this id is recorded, where not all are.
#[must_use]
pub fn is_kept(id: Uuid) -> bool {
    id.as_bytes().get(BYTE).is_some_and(|byte| byte & BIT != 0)
}

fn is_within(id: Uuid, share: f64) -> bool {
    let [high, low] = <[u64; 2]>::from(id.as_u64_pair());
    // Without the bits that say something, and without what may become a mark.
    let mut z = high ^ (low >> 34).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let point = ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
    point < share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use tollgate_engine::time::WallTime;

    #[test]
    fn the_share_that_is_kept_is_the_one_that_was_asked_for() {
        let now = WallTime::from_nanos(1_700_000_000_000_000_000);
        let clock = Clock::manual(now);
        for (share, least, most) in
            [(0.0, 0, 0), (0.1, 1_800, 2_200), (0.5, 9_600, 10_400), (1.0, 20_000, 20_000)]
        {
            let ids = (0..20_000).map(|_| mark(clock.decision_id(now), share));
            let kept = ids.filter(|id| is_kept(*id)).count();
            assert!((least..=most).contains(&kept), "{share}: {kept}");
        }
    }

    #[test]
    fn the_mark_changes_nothing_else() {
        let now = WallTime::from_nanos(1_700_000_000_000_000_000);
        let id = Clock::manual(now).decision_id(now);
        let (kept, left) = (mark(id, 1.0), mark(id, 0.0));
        assert!(is_kept(kept) && !is_kept(left));
        assert_eq!(kept.as_u128() ^ left.as_u128(), u128::from(BIT) << (8 * (15 - BYTE)));
        assert_eq!((kept.get_version_num(), kept.get_timestamp()), (7, id.get_timestamp()));
        assert_eq!(mark(kept, 0.3), mark(left, 0.3), "drawn from the rest alone");
    }
}
