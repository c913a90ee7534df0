//! A process that ends and one that goes on where it was.

use super::super::Draw;
use super::super::fixture::{Fixture, at, breaker, bucket, budget, concurrency, facts_costing, s, window};
use super::super::open::Reported;
use super::super::report::{Ending, Outcome};
use super::super::verdict::Verdict;
use super::*;
use crate::model::Guardrail;
use crate::model::guardrail::ErrorKind;
use crate::time::Moment;
use crate::unit::Money;

fn guardrails() -> Vec<Guardrail> {
    vec![
        window("w", 3, s(60)),
        bucket("t", 6, s(60), 6),
        concurrency("c", 2),
        budget("b", 10.0, s(0)),
        breaker("x"),
    ]
}

fn charge<'f>(fixture: &'f Fixture, guard: usize, at: At) -> Verdict<'f> {
    let asks = fixture.asks(&[guard], "k", 1);
    fixture.live.ledger.charge(&asks, &facts_costing(Some(4.0)), at, &mut Draw::seeded(1))
}

/// All that a file holds.
struct File {
    written: WallTime,
    guards: Vec<SavedGuard>,
    keys: Vec<(u32, SavedKey)>,
    open: Vec<SavedDecision<u8>>,
    settled: Vec<(u128, Offset)>,
}

fn save(fixture: &Fixture, table: &OpenTable<u8>, at: At) -> File {
    let (live, shards) = (&fixture.live, fixture.live.shards());
    let decisions: Vec<_> =
        (0..table.shards()).map(|n| (table.save_open(n, at), table.save_settled(n, at))).collect();
    let (open, settled): (Vec<_>, Vec<_>) = decisions.into_iter().unzip();
    File {
        written: at.wall,
        guards: live.save_guards(&fixture.guards, at),
        keys: (0..shards).flat_map(|n| live.save_shard(n, at)).collect(),
        open: open.into_iter().flatten().collect(),
        settled: settled.into_iter().flatten().collect(),
    }
}

fn load(file: &File, fixture: &Fixture, at: At) -> OpenTable<u8> {
    let down = down(file.written, at.wall);
    let translation = fixture.live.translate(&file.guards, &fixture.guards, down, at);
    for (guard, key) in &file.keys {
        assert!(fixture.live.restore(&translation, *guard, key));
    }
    let table = OpenTable::new(100, 9);
    file.open.iter().for_each(|decision| table.restore(&translation, decision));
    for (id, when) in &file.settled {
        table.restore_settled(&translation, *id, *when);
    }
    table
}

/// A restart: another process, whose clock has just begun, so many seconds of wall time later.
fn restarted(millis: u64, down: u64) -> At {
    At { now: Moment::START.after(s(1)), wall: at(millis + down * 1_000).wall }
}

fn later(at: At, seconds: u64) -> At {
    let wall = at.wall.nanos() + i64::try_from(seconds).unwrap() * 1_000_000_000;
    At { now: at.now.after(s(seconds)), wall: WallTime::from_nanos(wall) }
}

#[test]
fn counts_go_on_and_the_time_that_it_was_down_counts() {
    let before = Fixture::new(&guardrails());
    for millis in [0, 10_000, 20_000] {
        assert!(charge(&before, 0, at(millis)).is_allowed());
        assert!(charge(&before, 1, at(20_000)).is_allowed());
    }
    let file = save(&before, &OpenTable::new(10, 1), at(30_000));
    // Fifteen seconds down: 45 s after the first unit.
    let (after, now) = (Fixture::sharded(&guardrails(), 3), restarted(30_000, 15));
    load(&file, &after, now);
    assert!(!charge(&after, 0, now).is_allowed());
    assert!(!charge(&after, 0, later(now, 14)).is_allowed());
    assert!(charge(&after, 0, later(now, 15)).is_allowed());
    assert!(!charge(&after, 0, later(now, 24)).is_allowed());
    assert!(charge(&after, 0, later(now, 25)).is_allowed());
    // The bucket: of three units at 20 s one is still in use at 45 s, and none at 50 s.
    let used = |at| {
        let asks = after.asks(&[1], "k", 0);
        let verdict = after.live.ledger.peek(&asks, &facts_costing(None), at, &mut Draw::seeded(1));
        verdict.limits[0].room.used
    };
    assert_eq!((used(now), used(later(now, 4)), used(later(now, 5))), (1, 1, 0));
}

#[test]
fn a_wall_clock_that_went_back_gives_nothing_back() {
    let before = Fixture::new(&guardrails());
    for _ in 0..3 {
        assert!(charge(&before, 0, at(0)).is_allowed());
    }
    let file = save(&before, &OpenTable::new(10, 1), at(50_000));
    let (after, now) = (Fixture::new(&guardrails()), At { wall: at(0).wall, ..restarted(0, 0) });
    load(&file, &after, now);
    assert!(!charge(&after, 0, later(now, 9)).is_allowed());
    assert!(charge(&after, 0, later(now, 10)).is_allowed());
}

#[test]
fn a_long_rest_ends_leases_windows_and_cooldowns() {
    let before = Fixture::new(&guardrails());
    for guard in 0..4 {
        assert!(charge(&before, guard, at(0)).is_allowed());
    }
    trip(&before, at(0));
    assert!(!charge(&before, 4, at(1)).is_allowed());
    let file = save(&before, &OpenTable::new(10, 1), at(1_000));
    let (after, now) = (Fixture::new(&guardrails()), restarted(1_000, 10_000));
    load(&file, &after, now);
    for (guard, used) in [(0, 0), (1, 0), (2, 0), (3, 4_000_000_000)] {
        let asks = after.asks(&[guard], "k", 0);
        let facts = facts_costing(None);
        let verdict = after.live.ledger.peek(&asks, &facts, now, &mut Draw::seeded(1));
        assert_eq!(verdict.limits[0].room.used, used, "guardrail {guard}");
    }
    assert!(charge(&after, 4, now).report_within.is_some(), "a probe");
}

fn trip(fixture: &Fixture, at: At) {
    for _ in 0..3 {
        let verdict = charge(fixture, 4, at);
        let taken = Taken { at: at.now, timeout: None };
        let failed = Outcome::of(Ending::Failure(ErrorKind::Transient));
        fixture.live.ledger.settle(&fixture.guards, taken, &verdict.tickets, &failed, at);
    }
}

#[test]
fn open_decisions_are_settled_after_a_restart_each_once() {
    let before = Fixture::new(&guardrails());
    let table = OpenTable::new(100, 1);
    let open = |id, guard, millis| {
        let verdict = charge(&before, guard, at(millis));
        let taken = Taken { at: at(millis).now, timeout: None };
        table.open(id, Opened { taken, tickets: verdict.tickets.into_vec().into(), meta: 7_u8 });
    };
    open(1, 2, 0);
    open(2, 2, 0);
    open(3, 3, 0);
    open(4, 3, 0);
    let cost = |units| Outcome { cost: Money::from_units(units), ..Outcome::of(Ending::Success) };
    table.report(&before.live.ledger, &before.guards, 4, &cost(1.0), at(1));
    let file = save(&before, &table, at(1_000));
    let (after, now) = (Fixture::new(&guardrails()), restarted(1_000, 5));
    let table = load(&file, &after, now);
    assert_eq!(table.len(), 3);
    let report = |id| table.report(&after.live.ledger, &after.guards, id, &cost(2.5), now);
    assert!(!charge(&after, 2, now).is_allowed());
    assert!(matches!(report(1), Reported::Applied(7, ..)));
    assert!(charge(&after, 2, now).is_allowed());
    assert_eq!(report(1), Reported::Duplicate);
    assert_eq!(report(4), Reported::Duplicate);
    assert!(matches!(report(3), Reported::Applied(..)));
    let asks = after.asks(&[3], "k", 0);
    let verdict = after.live.ledger.peek(&asks, &facts_costing(None), now, &mut Draw::seeded(1));
    let room = verdict.limits[0].room;
    assert_eq!((room.used, room.reserved), (3_500_000_000, 0));
}

#[test]
fn breakers_holds_and_probes_are_what_they_were() {
    let before = Fixture::new(&guardrails());
    trip(&before, at(0));
    let probe = charge(&before, 4, at(5_000));
    let table = OpenTable::new(10, 1);
    let taken = Taken { at: at(5_000).now, timeout: None };
    table.open(1, Opened { taken, tickets: probe.tickets.into_vec().into(), meta: 0 });
    let file = save(&before, &table, at(6_000));
    let (after, now) = (Fixture::new(&guardrails()), restarted(6_000, 1));
    let table = load(&file, &after, now);
    assert!(!charge(&after, 4, now).is_allowed());
    let done = Outcome::of(Ending::Success);
    table.report(&after.live.ledger, &after.guards, 1, &done, now);
    assert!(charge(&after, 4, now).is_allowed());
    before.list[4].keys.set_hold(Hold::Open);
    let file = save(&before, &OpenTable::new(10, 1), at(6_000));
    let after = Fixture::new(&guardrails());
    load(&file, &after, now);
    assert_eq!(after.list[4].keys.hold(), Hold::Open);
}

#[test]
fn leases_after_a_restart_are_none_of_those_before() {
    let before = Fixture::new(&[concurrency("c", 10)]);
    let asks = before.asks(&[0], "k", 1);
    let draw = &mut Draw::seeded(1);
    let old = before.live.ledger.charge(&asks, &facts_costing(None), at(0), draw);
    let file = save(&before, &OpenTable::new(10, 1), at(0));
    // No time has passed: a lease taken now ends with that of before.
    let (after, now) = (Fixture::new(&[concurrency("c", 10)]), restarted(0, 0));
    load(&file, &after, now);
    let asks = after.asks(&[0], "k", 1);
    let new = after.live.ledger.charge(&asks, &facts_costing(None), now, draw);
    let id = |verdict: &Verdict<'_>| match &verdict.tickets[0].claim {
        Claim::Place(lease) => lease.id,
        other => panic!("{other:?}"),
    };
    assert_ne!(id(&old), id(&new));
}

#[test]
fn what_another_bundle_does_not_have_is_left_out() {
    let before = Fixture::new(&guardrails());
    for guard in 0..4 {
        charge(&before, guard, at(0));
    }
    let file = save(&before, &OpenTable::new(10, 1), at(1));
    let after = Fixture::new(&[bucket("w", 3, s(60), 3), concurrency("c", 2)]);
    let now = restarted(1, 0);
    let translation = after.live.translate(&file.guards, &after.guards, s(0), now);
    let kept = file.keys.iter().filter(|(guard, key)| after.live.restore(&translation, *guard, key));
    assert_eq!(kept.count(), 1);
    // A second time is no second key.
    assert!(file.keys.iter().all(|(guard, key)| !after.live.restore(&translation, *guard, key)));
}

#[test]
fn offsets_are_times_and_never_stays_never() {
    let frame = Frame::writing(at(100).now);
    let read = Frame::reading(at(7_100).now, s(2));
    for (time, want) in [
        (at(100).now, at(5_100).now),
        (at(0).now, at(5_000).now),
        (at(3_100).now, at(8_100).now),
        (Moment::ZERO, Moment::ZERO),
        (Moment::NEVER, Moment::NEVER),
    ] {
        assert_eq!(read.time(frame.offset(time)), want);
    }
}
