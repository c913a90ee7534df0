//! Every order in which two threads can meet, explored by loom:
//! `RUSTFLAGS="--cfg loom" cargo test -p tollgate-engine --lib --release guardrail::orders`

use std::sync::Arc;

use super::fixture::{Fixture, at, concurrency, facts, window};
use super::open::{OpenTable, Opened, Reported};
use super::report::{Ending, Outcome};
use super::settle::Taken;
use super::{Asks, Draw};
use crate::model::Guardrail;
use crate::unit::Span;

/// As many switches of threads as two sheets over two keys can make use of.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn charge(fixture: &Fixture, guards: &[usize], key: &str) -> bool {
    charge_each(fixture, &guards.iter().map(|guard| (*guard, key)).collect::<Vec<_>>())
}

fn charge_each(fixture: &Fixture, keys: &[(usize, &str)]) -> bool {
    let mut asks = Asks::default();
    for (guard, key) in keys {
        asks.ask_values(&fixture.list[*guard], &[key], 1);
    }
    fixture.live.ledger.charge(&asks, &facts(), at(0), &mut Draw::seeded(1)).is_allowed()
}

const MINUTE: Span = Span::from_nanos(60_000_000_000);

#[test]
fn of_two_requests_over_two_limits_of_one_exactly_one_is_admitted() {
    explore(|| {
        let fixture = Arc::new(Fixture::sharded(&[window("a", 1, MINUTE), window("b", 1, MINUTE)], 2));
        let table = &fixture.live.ledger.table;
        let shard = |guard: usize, key: &str| {
            table.shard_of(table.seed().hash(fixture.list[guard].id, key.as_bytes()))
        };
        // With one shard there is only one order.
        let elsewhere = |key: &&str| shard(1, key) != shard(0, "k");
        let there = ["l", "m", "n", "o"].into_iter().find(elsewhere).expect("another shard");
        let other = Arc::clone(&fixture);
        let thread = loom::thread::spawn(move || charge_each(&other, &[(1, there), (0, "k")]));
        let here = charge_each(&fixture, &[(0, "k"), (1, there)]);
        let there = thread.join().expect("joined");
        assert!(here ^ there, "{here} {there}");
        assert_eq!((fixture.list[0].keys(), fixture.list[1].keys()), (1, 1));
    });
}

#[test]
fn a_request_that_is_refused_elsewhere_hides_no_unit() {
    explore(|| {
        let fixture = Arc::new(Fixture::sharded(&[window("a", 1, MINUTE), window("shut", 0, MINUTE)], 2));
        let other = Arc::clone(&fixture);
        let thread = loom::thread::spawn(move || charge(&other, &[0, 1], "k"));
        assert!(charge(&fixture, &[0], "k"));
        assert!(!thread.join().expect("joined"));
    });
}

#[test]
fn of_two_new_keys_one_finds_room() {
    explore(|| {
        let capped = Guardrail { max_keys: 1, ..window("a", 1, MINUTE) };
        let fixture = Arc::new(Fixture::sharded(&[capped], 1));
        let other = Arc::clone(&fixture);
        let thread = loom::thread::spawn(move || charge(&other, &[0], "x"));
        let here = charge(&fixture, &[0], "y");
        assert!(here ^ thread.join().expect("joined"));
        assert_eq!(fixture.list[0].keys(), 1);
    });
}

#[test]
fn a_decision_is_settled_once() {
    explore(|| {
        let fixture = Arc::new(Fixture::sharded(&[concurrency("c", 1)], 1));
        let asks = fixture.asks(&[0], "k", 1);
        let verdict = fixture.live.ledger.charge(&asks, &facts(), at(0), &mut Draw::seeded(1));
        let taken = Taken { at: at(0).now, timeout: None };
        let table = Arc::new(OpenTable::new(4, 1));
        table.open(1, Opened { taken, tickets: verdict.tickets.into_vec().into(), meta: () });
        let report = |table: &OpenTable<()>, fixture: &Fixture| {
            let done = Outcome::of(Ending::Success);
            matches!(
                table.report(&fixture.live.ledger, &fixture.guards, 1, &done, at(1)),
                Reported::Applied(..)
            )
        };
        let (other, there) = (Arc::clone(&fixture), Arc::clone(&table));
        let thread = loom::thread::spawn(move || report(&there, &other));
        let here = report(&table, &fixture);
        assert!(here ^ thread.join().expect("joined"));
        assert!(charge(&fixture, &[0], "k"));
    });
}
