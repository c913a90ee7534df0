//! One thread feeds, one empties: everything comes once, whole, in its order, or is a gap of the right size.

use super::*;

fn record(number: u64, len: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend((0..len).map(|at| (number as usize + at) as u8));
    bytes
}

/// The number of a record that is whole.
fn number(bytes: &[u8]) -> u64 {
    let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert_eq!(bytes, record(number, bytes.len() - 8), "torn");
    number
}

fn drain(tap: &mut Tap, taken: &mut Vec<u64>, lost: &mut u64) {
    let (mut bytes, filled) = (Vec::new(), tap.filled());
    while let Some(one) = tap.take(filled, u64::MAX, &mut bytes) {
        *lost += one.lost;
        taken.push(number(&bytes));
    }
    *lost += tap.lost_since(filled);
}

#[test]
fn what_is_put_in_comes_out_in_its_order_and_whole() {
    let ring = Ring::new(1 << 12);
    let (mut feeder, mut tap) = ring.sides();
    let (mut taken, mut lost) = (Vec::new(), 0);
    for round in 0..100 {
        for at in 0..10 {
            assert!(feeder.push(round, &record(round * 10 + at, (at * 7) as usize), false));
        }
        drain(&mut tap, &mut taken, &mut lost);
    }
    assert_eq!((taken, lost), ((0..1_000).collect(), 0));
    assert_eq!((ring.brought(), ring.waiting()), (1_000, 0));
}

#[test]
fn what_finds_no_room_is_a_gap_and_counted() {
    for drop_oldest in [false, true] {
        let ring = Ring::new(512);
        let (mut feeder, mut tap) = ring.sides();
        let stored = (0..100).filter(|at| feeder.push(0, &record(*at, 8), drop_oldest)).count() as u64;
        assert!(!feeder.push(0, &[0; 600], drop_oldest), "larger than the ring");
        let (mut taken, mut lost) = (Vec::new(), 0);
        drain(&mut tap, &mut taken, &mut lost);
        // 64 words, 5 for each.
        let want: Vec<u64> = if drop_oldest { (88..100).collect() } else { (0..12).collect() };
        assert_eq!(taken, want, "{drop_oldest}");
        assert_eq!((lost, ring.brought()), (89, 101));
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = (of(&ring.lost.newest), of(&ring.lost.oldest), of(&ring.lost.too_large));
        assert_eq!(counts, if drop_oldest { (0, 88, 1) } else { (88, 0, 1) });
        assert_eq!(stored, if drop_oldest { 100 } else { 12 });
        // There is room again, and the numbers go on.
        assert!(feeder.push(0, &record(7, 0), drop_oldest));
        drain(&mut tap, &mut taken, &mut lost);
        assert_eq!((taken.last(), lost), (Some(&7), 89));
        drop(feeder);
        assert!(ring.is_closed() && tap.is_finished());
    }
}

#[test]
fn nothing_is_taken_that_was_brought_after_the_cut() {
    let ring = Ring::new(512);
    let (mut feeder, mut tap) = ring.sides();
    for stamp in [5, 6, 7] {
        feeder.push(stamp, &record(stamp, 0), false);
    }
    let mut bytes = Vec::new();
    let filled = tap.filled();
    assert_eq!(tap.take(filled, 7, &mut bytes), Some(Taken { stamp: 5, lost: 0 }));
    assert_eq!(tap.take(filled, 7, &mut bytes), Some(Taken { stamp: 6, lost: 0 }));
    assert_eq!((tap.take(filled, 7, &mut bytes), tap.is_empty(filled)), (None, false));
    assert_eq!(tap.take(filled, 8, &mut bytes).map(|taken| taken.stamp), Some(7));
}

#[test]
fn room_is_promised_only_where_it_is() {
    let ring = Ring::new(512);
    let (mut feeder, mut tap) = ring.sides();
    assert!(feeder.has_room(64, 1) && !feeder.has_room(512, 1));
    let mut pushed = 0;
    while feeder.has_room(16, 1) {
        assert!(feeder.push(0, &record(pushed, 8), false), "it was promised");
        pushed += 1;
    }
    assert!(pushed >= 11);
    feeder.refuse();
    let (mut taken, mut lost) = (Vec::new(), 0);
    drain(&mut tap, &mut taken, &mut lost);
    assert_eq!((taken.len() as u64, lost), (pushed, 1));
    assert!(feeder.has_room(64, 1));
}

#[test]
fn while_both_sides_hurry_nothing_is_torn_doubled_or_miscounted() {
    const RECORDS: u64 = 200_000;
    for (drop_oldest, bytes) in [(false, 1 << 10), (true, 1 << 10), (true, 1 << 16)] {
        let ring = Ring::new(bytes);
        let (mut feeder, mut tap) = ring.sides();
        let feeding = std::thread::spawn(move || {
            for at in 0..RECORDS {
                feeder.push(at, &record(at, (at % 61) as usize), drop_oldest);
            }
        });
        let (mut taken, mut lost) = (Vec::new(), 0);
        while !(ring.is_closed() && tap.is_finished()) {
            drain(&mut tap, &mut taken, &mut lost);
        }
        feeding.join().unwrap();
        assert_eq!(taken.len() as u64 + lost, RECORDS, "{drop_oldest} {bytes}");
        assert!(taken.is_sorted_by(|a, b| a < b));
        let counted = ring.lost.newest.load(Ordering::Relaxed) + ring.lost.oldest.load(Ordering::Relaxed);
        assert_eq!(counted, lost);
        if drop_oldest {
            assert_eq!(taken.last(), Some(&(RECORDS - 1)), "the newest is never dropped");
        }
    }
}

#[test]
fn who_looks_on_sees_when_the_oldest_was_brought() {
    let ring = Ring::new(512);
    let (mut feeder, mut tap) = ring.sides();
    assert_eq!(ring.oldest(), None);
    (0..3).for_each(|at| assert!(feeder.push(100 + at, &record(at, 8), false)));
    assert_eq!(ring.oldest(), Some(100));
    assert!(tap.take(tap.filled(), u64::MAX, &mut Vec::new()).is_some());
    assert_eq!(ring.oldest(), Some(101));
    (3..100).for_each(|at| assert!(feeder.push(100 + at, &record(at, 8), true)));
    assert_eq!(ring.oldest(), Some(188));
    drain(&mut tap, &mut Vec::new(), &mut 0);
    assert_eq!(ring.oldest(), None);
}

#[test]
fn what_is_overwritten_while_somebody_looks_is_no_time() {
    let ring = Ring::new(512);
    let (mut feeder, _tap) = ring.sides();
    let over = Arc::new(AtomicBool::new(false));
    let (looked_at, looks) = (Arc::clone(&ring), Arc::clone(&over));
    let looking = std::thread::spawn(move || {
        let (mut last, mut seen) = (0, 0_u64);
        while !looks.load(Ordering::Relaxed) || seen == 0 {
            let Some(stamp) = looked_at.oldest() else { continue };
            // Nothing else in the ring is so large and goes up.
            assert!((1 << 60..(1 << 60) + 1_000_000).contains(&stamp) && stamp >= last, "{stamp:x} {last:x}");
            (last, seen) = (stamp, seen + 1);
        }
    });
    (0..200_000_u64)
        .for_each(|at| assert!(feeder.push((1 << 60) + at, &record(at, (at % 40) as usize), true)));
    over.store(true, Ordering::Relaxed);
    looking.join().unwrap();
}

#[test]
fn a_ring_for_many_records_has_room_for_them() {
    for (bytes, count) in [(0, 1), (7, 1), (4_000, 3), (4_000_000, 1_000)] {
        let (mut feeder, _tap) = Ring::new(bytes_for(bytes, count)).sides();
        assert!(feeder.could_have_room(bytes, count) && feeder.has_room(bytes, count), "{bytes} {count}");
    }
    let (feeder, _tap) = Ring::new(512).sides();
    assert!(!feeder.could_have_room(512, 1));
}
