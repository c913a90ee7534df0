//! Each decision once, whenever its report comes.

use super::super::Draw;
use super::super::fixture::{Fixture, at, concurrency, facts, s};
use super::super::report::Ending;
use super::*;
use proptest::prelude::*;
use std::collections::HashMap as Model;

fn done() -> Outcome {
    Outcome::of(Ending::Success)
}

fn opened(fixture: &Fixture, millis: u64, meta: u32) -> Opened<u32> {
    let asks = fixture.asks(&[0], "k", 1);
    let verdict = fixture.live.ledger.charge(&asks, &facts(), at(millis), &mut Draw::seeded(1));
    assert!(verdict.is_allowed());
    let taken = Taken { at: at(millis).now, timeout: None };
    Opened { taken, tickets: verdict.tickets.into_vec().into(), meta }
}

fn report(table: &OpenTable<u32>, fixture: &Fixture, id: u128, millis: u64) -> Reported<u32> {
    table.report(&fixture.live.ledger, &fixture.guards, id, &done(), at(millis))
}

fn renew(table: &OpenTable<u32>, fixture: &Fixture, id: u128, millis: u64) -> Renewed {
    table.renew(&fixture.live.ledger, &fixture.guards, id, at(millis).now)
}

const HOUR: u64 = 3_600_000;

#[test]
fn the_first_report_is_applied_and_the_others_are_told() {
    let fixture = Fixture::new(&[concurrency("c", 10)]);
    let table = OpenTable::new(100, 1);
    table.open(7, opened(&fixture, 0, 42));
    assert!(matches!(report(&table, &fixture, 7, 1), Reported::Applied(42, _, _)));
    assert_eq!(report(&table, &fixture, 7, 2), Reported::Duplicate);
    assert_eq!(renew(&table, &fixture, 7, 2), Renewed::Duplicate);
    assert_eq!(report(&table, &fixture, 8, 2), Reported::Unknown);
    assert_eq!(renew(&table, &fixture, 8, 2), Renewed::Unknown);
    table.sweep(0, 10, at(HOUR).now);
    assert_eq!(report(&table, &fixture, 7, HOUR), Reported::Duplicate);
    table.sweep(0, 10, at(HOUR + 1).now);
    assert_eq!(report(&table, &fixture, 7, HOUR + 1), Reported::Unknown);
}

#[test]
fn signs_of_life_keep_it_and_silence_ends_it() {
    let fixture = Fixture::new(&[concurrency("c", 10)]);
    let table = OpenTable::new(100, 1);
    table.open(7, opened(&fixture, 0, 0));
    assert_eq!(renew(&table, &fixture, 7, 59_999), Renewed::Renewed(s(60)));
    assert_eq!(renew(&table, &fixture, 7, 119_998), Renewed::Renewed(s(60)));
    // Its lease is over; a report still comes through for an hour.
    assert_eq!(renew(&table, &fixture, 7, 179_998), Renewed::Unknown);
    let last = 179_998 + HOUR;
    for _ in 0..3 {
        table.sweep(0, 10, at(last - 1).now);
    }
    assert_eq!(table.len(), 1);
    table.sweep(0, 10, at(last).now);
    assert_eq!((table.len(), table.expired()), (0, 1));
    assert_eq!(report(&table, &fixture, 7, last), Reported::Unknown);
    // Whether or not the sweeper came by, the hour is over.
    table.open(8, opened(&fixture, 0, 0));
    assert_eq!(report(&table, &fixture, 8, 60_000 + HOUR), Reported::Unknown);
}

#[test]
fn a_full_table_forgets_the_oldest_and_counts_it() {
    let fixture = Fixture::new(&[concurrency("c", 10)]);
    let table = OpenTable::new(3, 1);
    for id in 0..5 {
        table.open(id, opened(&fixture, u64::try_from(id).unwrap(), 0));
    }
    assert_eq!((table.len(), table.dropped()), (3, 2));
    assert_eq!(report(&table, &fixture, 0, 10), Reported::Unknown);
    assert!(matches!(report(&table, &fixture, 2, 10), Reported::Applied(..)));
    // What was forgotten holds its place until its lease ends.
    let used = |millis| {
        let asks = fixture.asks(&[0], "k", 1);
        let verdict = fixture.live.ledger.peek(&asks, &facts(), at(millis), &mut Draw::seeded(1));
        verdict.limits[0].room.used
    };
    assert_eq!((used(10), used(60_001)), (4, 2));
}

#[test]
fn a_large_table_holds_what_it_promises_and_little_more() {
    let table: OpenTable<u32> = OpenTable::new(64_000, 1);
    let mut draw = Draw::seeded(3);
    let open = |table: &OpenTable<u32>, id| {
        let taken = Taken { at: at(0).now, timeout: None };
        table.open(id, Opened { taken, tickets: Box::default(), meta: 0 });
    };
    (0..60_000).for_each(|_| open(&table, draw.bits().into()));
    assert_eq!((table.len(), table.dropped()), (60_000, 0));
    (0..60_000).for_each(|_| open(&table, draw.bits().into()));
    assert!((64_000..=68_000).contains(&table.len()), "{}", table.len());
}

#[test]
#[expect(clippy::disallowed_methods, reason = "shows what threads do to each other")]
fn many_threads_settle_each_decision_once() {
    let fixture = Fixture::sharded(&[concurrency("c", 1_000_000)], 4);
    let table = OpenTable::new(10_000, 1);
    for id in 0..2_000 {
        table.open(id, opened(&fixture, 0, 0));
    }
    let applied: usize = std::thread::scope(|scope| {
        let work = || {
            let once = |id: &u128| matches!(report(&table, &fixture, *id, 1), Reported::Applied(..));
            (0..2_000).filter(once).count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(applied, 2_000);
}

#[test]
fn what_was_forgotten_for_want_of_room_is_not_applied_again() {
    let table: OpenTable<u32> = OpenTable::new(2, 1);
    let once = |id, decided, now| table.settle_once(id, at(decided).now, at(now).now);
    assert_eq!((once(1, 0, 1), once(1, 0, 2)), (Once::First, Once::Before));
    assert_eq!((once(2, 0, 3), once(3, 0, 4)), (Once::First, Once::First));
    assert_eq!(once(1, 0, 5), Once::Unknown, "it is forgotten, and may have come");
    assert_eq!(once(4, 5, 6), Once::First, "it was decided after all that is forgotten");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Reports, renewals and sweeps in any order, against a map of what each id should be.
    #[test]
    fn it_is_a_map_of_ids(steps in prop::collection::vec(
        (0..12_u128, 0..4_u8, prop_oneof![4 => 0..30_000_u64, 1 => 0..2_000_000_u64]), 1..120,
    )) {
        #[derive(Clone, Copy, PartialEq, Debug)]
        enum Is { Open { ends: u64 }, Settled { when: u64 } }
        let fixture = Fixture::new(&[concurrency("c", 1_000_000)]);
        let (table, mut model, mut now) = (OpenTable::new(1_000, 1), Model::new(), 0);
        for (id, what, gap) in steps {
            now += gap;
            model.retain(|_, is| match is {
                Is::Open { ends } => *ends + HOUR > now,
                Is::Settled { when } => *when + HOUR > now,
            });
            let is = model.get(&id).copied();
            match what {
                0 if is.is_none() => {
                    table.open(id, opened(&fixture, now, 0));
                    model.insert(id, Is::Open { ends: now + 60_000 });
                }
                1 => {
                    let said = report(&table, &fixture, id, now);
                    match is {
                        Some(Is::Open { .. }) => {
                            prop_assert!(matches!(said, Reported::Applied(..)));
                            model.insert(id, Is::Settled { when: now });
                        }
                        Some(Is::Settled { .. }) => prop_assert_eq!(said, Reported::Duplicate),
                        None => prop_assert!(matches!(said, Reported::Unknown | Reported::Duplicate)),
                    }
                }
                2 => match (is, renew(&table, &fixture, id, now)) {
                    (Some(Is::Open { ends }), said) if ends > now => {
                        prop_assert_eq!(said, Renewed::Renewed(s(60)));
                        model.insert(id, Is::Open { ends: now + 60_000 });
                    }
                    (Some(Is::Settled { .. }), said) => prop_assert_eq!(said, Renewed::Duplicate),
                    (_, said) => prop_assert!(said != Renewed::Renewed(s(60))),
                },
                _ => {
                    table.sweep(0, 1_000, at(now).now);
                    let open = model.values().filter(|is| matches!(is, Is::Open { .. })).count();
                    prop_assert_eq!(table.len(), open);
                }
            }
        }
    }
}
