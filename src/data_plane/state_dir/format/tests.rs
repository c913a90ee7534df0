//! What was written comes back, and nothing else does.

use proptest::collection::vec;
use proptest::prelude::*;
use tollgate_engine::guardrail::breaker::BreakerState;
use tollgate_engine::guardrail::directory::Hold;
use tollgate_engine::guardrail::saved::{NEVER, SavedBreaker, SavedBudget, SavedKey, SavedSeen, SavedState};
use tollgate_engine::guardrail::snapshot::{SavedClaim, SavedDecision, SavedGuard, SavedTicket};

use super::super::kept::{Head, KeptState};
use super::*;

/// One of each kind of record, and of each of its variants.
fn sample() -> Vec<u8> {
    let mut out = Vec::new();
    let mut file = Writer::new(&mut out).unwrap();
    let head = Head { written: 1_700_000_000_000_000_000, instance: 7, mark: 8, program: "0.1.0".into() };
    file.record(Section::Head, &head).unwrap();
    for claim in [
        SavedClaim::Passage(3, Some((5, 6))),
        SavedClaim::Place(-1, 2),
        SavedClaim::Reserved {
            lease: (9, 1),
            amounts: [Some(1), None, Some(300), None, None, Some(u64::MAX)],
            window: (i64::MAX, 0),
            charged: true,
        },
    ] {
        let ticket = SavedTicket { guard: 1, key: b"acme".to_vec(), claim };
        let decision =
            SavedDecision { id: u128::MAX, taken: -5, timeout: Some(10), tickets: vec![ticket], meta: 8_u8 };
        file.record(Section::Open, &decision).unwrap();
    }
    for state in states() {
        file.record(Section::Keys, &(1_u32, SavedKey { key: b"acme".to_vec(), state })).unwrap();
    }
    for (id, hold) in [(1, Hold::None), (2, Hold::Open), (3, Hold::Disabled)] {
        let guard = SavedGuard {
            id,
            name: "calls".into(),
            identity: "budget by run".into(),
            rules: String::new(),
            window: (60, 60),
            reset_at: NEVER,
            hold,
        };
        file.record(Section::Guards, &guard).unwrap();
    }
    file.record(Section::Settled, &(12_u128, -13_i64)).unwrap();
    let written = file.finish().unwrap();
    assert_eq!(written, out.len() as u64);
    out
}

fn states() -> Vec<SavedState> {
    let breaker = |state, seen| {
        SavedState::Breaker(SavedBreaker {
            state,
            since: -1,
            epoch: 2,
            reopened: 3,
            probes: vec![(4, 5)],
            succeeded: 6,
            seen,
        })
    };
    let budget = SavedBudget {
        window: (100, 10),
        used: [1, 2, 3, 4, 5, 6],
        leases: vec![(1, 2, [None, Some(3), None, None, None, None])],
        cleared: NEVER,
    };
    vec![
        SavedState::Log(vec![(-1, 2), (0, 3)]),
        SavedState::Arrival(4, 5),
        SavedState::Flush(6),
        SavedState::Leases(vec![(7, 8)]),
        breaker(BreakerState::Closed, SavedSeen::Nothing),
        breaker(BreakerState::Open, SavedSeen::Total(1, 2)),
        breaker(BreakerState::HalfOpen, SavedSeen::Failures(vec![(1, 2)])),
        breaker(BreakerState::ForcedOpen, SavedSeen::Outcomes(vec![(1, 2, 3, 4)])),
        breaker(BreakerState::Disabled, SavedSeen::Nothing),
        SavedState::Budget(budget),
        SavedState::Retries(vec![(1, 2, 3, 4)]),
    ]
}

fn read(bytes: &[u8]) -> Result<KeptState, Bad> {
    KeptState::read::<u8>(bytes.to_vec())
}

#[test]
fn what_was_written_comes_back() {
    let blocks = Blocks::read(sample()).unwrap();
    let keys: Vec<(u32, SavedKey)> = blocks.records(Section::Keys).map(Result::unwrap).collect();
    assert_eq!(keys.into_iter().map(|(_, key)| key.state).collect::<Vec<_>>(), states());
    let open: Vec<SavedDecision<u8>> = blocks.records(Section::Open).map(Result::unwrap).collect();
    assert_eq!((open.len(), open[2].id, open[2].meta), (3, u128::MAX, 8));
    let settled: Vec<(u128, i64)> = blocks.records(Section::Settled).map(Result::unwrap).collect();
    assert_eq!(settled, [(12, -13)]);
    assert_eq!(read(&sample()).unwrap().written().nanos(), 1_700_000_000_000_000_000);
}

/// Files of the versions before must be read for ever: if this fails, a layout has changed, and
/// needs a section of its own. See the head of the format.
#[test]
fn the_layout_has_not_changed() {
    let file = sample();
    let checksum = file.last_chunk().unwrap();
    assert_eq!((file.len(), checksum), (485, &[0xba, 0x03, 0x3b, 0x07]), "{file:02x?}");
}

#[test]
fn a_file_that_ends_early_is_damaged() {
    let whole = sample();
    for end in 0..whole.len() {
        let error = read(&whole[..end]).unwrap_err();
        assert!(matches!(error, Bad::Damaged(_)), "{end}: {error}");
    }
    let error = read(&[&whole[..], b"\0"].concat()).unwrap_err();
    assert!(matches!(error, Bad::Damaged(_)), "{error}");
}

#[test]
fn a_flipped_bit_is_noticed() {
    let whole = sample();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(read(&bytes).is_err(), "bit {bit}");
    }
}

#[test]
fn many_records_make_many_blocks() {
    let mut out = Vec::new();
    let mut file = Writer::new(&mut out).unwrap();
    (0..100_000_u32).for_each(|n| file.record(Section::Keys, &(n, n)).unwrap());
    file.finish().unwrap();
    let blocks = Blocks::read(out).unwrap();
    let largest = blocks.of(Section::Keys).map(<[u8]>::len).max().unwrap();
    assert!((BLOCK..BLOCK + 16).contains(&largest), "{largest}");
    let all: Vec<(u32, u32)> = blocks.records(Section::Keys).map(Result::unwrap).collect();
    assert!(all.len() == 100_000 && all.iter().zip(0..).all(|(pair, n)| *pair == (n, n)));
}

#[test]
fn a_record_may_be_larger_than_a_block() {
    let leases = |n: i64| SavedState::Leases((0..n).map(|n| (n, n.unsigned_abs())).collect());
    let (small, large) = (leases(3), leases(100_000));
    let mut out = Vec::new();
    let mut file = Writer::new(&mut out).unwrap();
    for state in [&small, &large, &small] {
        file.record(Section::Keys, state).unwrap();
    }
    file.finish().unwrap();
    let blocks = Blocks::read(out).unwrap();
    let read: Vec<SavedState> = blocks.records(Section::Keys).map(Result::unwrap).collect();
    assert!(read == [small.clone(), large, small]);
}

/// A whole file with these blocks.
fn file_of(major: u16, blocks: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &major.to_le_bytes(), &[9, 0]].concat();
    for (section, block) in blocks {
        let length = u32::try_from(block.len()).unwrap();
        bytes.extend([&section.to_le_bytes()[..], &length.to_le_bytes(), block].concat());
    }
    bytes.extend([0, 0, 4, 0, 0, 0]);
    let crc = crc32fast::hash(&bytes);
    [&bytes[..], &crc.to_le_bytes()].concat()
}

#[test]
fn later_versions_may_add_sections_and_no_more() {
    let head = postcard::to_stdvec(&Head { written: 5, instance: 0, mark: 0, program: "9".into() }).unwrap();
    let added = file_of(MAJOR, &[(1, &head), (900, b"?"), (2, b"")]);
    assert_eq!(read(&added).unwrap().written().nanos(), 5);
    for (bytes, want) in [
        (
            file_of(MAJOR + 1, &[(1, &head)]),
            "a later version of tollgate wrote it, in format 2; this one reads 1",
        ),
        (file_of(0, &[(1, &head)]), "it is damaged: there is no such version of the format"),
        (file_of(MAJOR, &[]), "it is damaged: it does not say when it was written"),
        (file_of(MAJOR, &[(1, &head), (2, b"\xff")]), "it is damaged: a record in it cannot be read"),
        (file_of(MAJOR, &[(1, &head), (0, b"1234")]), "it is damaged: something follows its end"),
        (b"{}".to_vec(), "it is damaged: it does not begin as one of tollgate"),
    ] {
        assert_eq!(read(&bytes).unwrap_err().to_string(), want);
    }
}

proptest! {
    #[test]
    fn no_bytes_are_taken_for_a_file(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(read(&bytes).is_err());
        let begun = [&MAGIC[..], &MAJOR.to_le_bytes(), &bytes].concat();
        prop_assert!(read(&begun).is_err());
    }

    /// What a mistake of another program could write: the checksum is right and nothing else.
    #[test]
    fn no_block_can_do_harm(blocks in vec((1_u16..9, vec(any::<u8>(), 0..60)), 0..6)) {
        let blocks: Vec<(u16, &[u8])> = blocks.iter().map(|(n, block)| (*n, &block[..])).collect();
        let _ = read(&file_of(MAJOR, &blocks));
    }

    #[test]
    fn a_damaged_file_is_never_taken(at in vec((0_usize..485, any::<u8>()), 1..8)) {
        let (whole, mut bytes) = (sample(), sample());
        at.iter().for_each(|(at, byte)| bytes[at % whole.len()] = *byte);
        prop_assert_eq!(read(&bytes).is_ok(), bytes == whole);
    }
}
