//! What the hub promises, with many who tell and many who follow.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio_stream::{Stream as _, StreamExt as _};
use tollgate_engine::condition::glob::Glob;
use tollgate_engine::model::ReasonCode;
use tollgate_engine::time::WallTime;
use uuid::Uuid;

use super::desk::{Desk, SUBSCRIBERS, WAITING};
use super::hub::Bell;
use super::*;
use crate::clock::Clock;

const NOON: WallTime = WallTime::from_nanos(1_800_000_000_000_000_000);

fn hub(kept: usize) -> Hub {
    Hub::start(kept, Clock::manual(NOON)).unwrap()
}

fn cleared(guardrail: &str, key: usize, tenant: Option<&str>) -> Event {
    let (guardrail, key) = (guardrail.into(), key.to_string().into());
    Event::ThrottleCleared(KeyOf { guardrail, key, tenant: tenant.map(Into::into) })
}

fn key(recorded: &Recorded) -> usize {
    let Event::ThrottleCleared(of) = &recorded.event else { panic!("{recorded:?}") };
    of.key.parse().unwrap()
}

async fn next(subscription: &mut Subscription) -> Arc<Recorded> {
    let next = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await;
    next.expect("in time").expect("it goes on").expect("fast enough")
}

fn desk(kept: usize) -> Desk {
    Desk::new(7, kept)
}

fn follow(desk: &mut Desk, after: Option<u64>) -> Result<Subscription, Refused> {
    let after = after.map(|number| EventId { run: 7, number });
    desk.subscribe(Filter::all(), after, Bell::default())
}

/// What a subscription holds now, and how it ended.
fn all(subscription: &mut Subscription) -> (Vec<u64>, Option<Lagged>) {
    let (mut numbers, mut cx) = (Vec::new(), Context::from_waker(Waker::noop()));
    loop {
        match Pin::new(&mut *subscription).poll_next(&mut cx) {
            Poll::Ready(Some(Ok(event))) => numbers.push(event.id.number),
            Poll::Ready(Some(Err(lagged))) => return (numbers, Some(lagged)),
            Poll::Ready(None) | Poll::Pending => return (numbers, None),
        }
    }
}

#[tokio::test]
async fn every_thread_is_heard_in_order_and_everybody_hears_the_same() {
    const THREADS: usize = 4;
    // So few that nobody can be too slow.
    const EACH: usize = 1_000;
    let hub = Arc::new(hub(10));
    let mut one = hub.subscribe(Filter::all(), None).await.unwrap();
    let mut two = hub.subscribe(Filter::all(), None).await.unwrap();
    let tellers = (0..THREADS).map(|thread| {
        let hub = Arc::clone(&hub);
        std::thread::spawn(move || {
            (0..EACH).for_each(|n| hub.emit(cleared("g", n * THREADS + thread, None), NOON));
        })
    });
    let tellers: Vec<_> = tellers.collect();
    let mut heard = vec![0; THREADS];
    let mut last = None;
    for _ in 0..THREADS * EACH {
        let (event, other) = tokio::join!(next(&mut one), next(&mut two));
        assert_eq!(event, other);
        assert!(last < Some(event.id), "{last:?} {}", event.id);
        last = Some(event.id);
        let (n, thread) = (key(&event) / THREADS, key(&event) % THREADS);
        assert_eq!(heard[thread], n, "of thread {thread}");
        heard[thread] += 1;
    }
    assert_eq!(heard, [EACH; THREADS]);
    tellers.into_iter().for_each(|teller| teller.join().unwrap());
}

#[tokio::test]
async fn who_tells_never_waits_and_what_is_lost_is_counted() {
    let metrics = crate::telemetry::metrics::install();
    let count = |name: &str| -> u64 {
        let page = metrics.render(crate::telemetry::page::Format::Text);
        let line = page.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0, |number| number.parse().unwrap())
    };
    let before = count("tollgate_events_dropped_total");
    let hub = hub(200_000);
    let mut events = hub.subscribe(Filter::all(), None).await.unwrap();
    let slow = "tollgate_event_subscribers_dropped_total";
    let (mut told, slow_before) = (0, count(slow));
    while told < 100_000 || count(slow) == slow_before {
        (0..1_000).for_each(|n| hub.emit(cleared("g", n, None), NOON));
        told += 1_000;
    }
    let (heard, lagged) = all(&mut events);
    assert_eq!((heard.len(), lagged.map(|lagged| lagged.waiting)), (0, Some(WAITING)));
    let lagged = lagged.unwrap();
    let mut again = hub.subscribe(Filter::all(), Some(lagged.resume)).await.unwrap();
    let dropped = || count("tollgate_events_dropped_total") - before;
    let mut numbers = Vec::new();
    // The thread may still number what waited, and counts what was dropped when it has.
    for _ in 0..500 {
        let (more, end) = all(&mut again);
        assert_eq!(end, None);
        numbers.extend(more);
        if numbers.len() as u64 + dropped() >= told {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "without a gap");
    assert_eq!(numbers.len() as u64 + dropped(), told, "each is numbered or counted");
}

#[test]
fn a_stream_goes_on_where_it_was() {
    let mut desk = desk(3);
    assert!(follow(&mut desk, Some(0)).is_ok(), "nothing has happened yet, so nothing is missed");
    for n in 1..=5 {
        desk.publish(cleared("g", n, None), NOON, 0);
    }
    let id = |number| EventId { run: 7, number };
    for (after, want) in [
        (None, Ok(vec![])),
        (Some(5), Ok(vec![])),
        (Some(4), Ok(vec![5])),
        (Some(2), Ok(vec![3, 4, 5])),
        (Some(1), Err(NotKept::TooOld { after: id(1), oldest: id(3) })),
        (Some(0), Err(NotKept::TooOld { after: id(0), oldest: id(3) })),
        (Some(6), Err(NotKept::Ahead { after: id(6) })),
    ] {
        let got = match follow(&mut desk, after) {
            Ok(mut subscription) => Ok(all(&mut subscription).0),
            Err(refused) => Err(refused),
        };
        assert_eq!(got, want.map_err(Refused::NotKept), "{after:?}");
    }
    let other = EventId { run: 6, number: 5 };
    let refused = desk.subscribe(Filter::all(), Some(other), Bell::default()).unwrap_err();
    assert_eq!(refused, Refused::NotKept(NotKept::OtherRun { after: other }));
}

#[tokio::test]
async fn who_lags_is_dropped_alone_and_resumes_without_a_gap() {
    let mut desk = desk(10 * WAITING);
    let (mut slow, mut fast) = (follow(&mut desk, None).unwrap(), follow(&mut desk, None).unwrap());
    let mut heard = Vec::new();
    let most = WAITING + 100;
    for n in 0..most {
        desk.publish(cleared("g", n, None), NOON, 0);
        heard.extend(all(&mut fast).0);
        if n == 5 {
            assert_eq!(slow.next().await.unwrap().unwrap().id.number, 1);
        }
    }
    let (rest, end) = all(&mut slow);
    let resume = EventId { run: 7, number: 1 };
    assert_eq!((rest, end), (vec![], Some(Lagged { waiting: WAITING, resume })));
    assert!(slow.next().await.is_none());
    assert_eq!(heard.len(), most, "the other one hears all");
    let (again, end) = all(&mut follow(&mut desk, Some(resume.number)).unwrap());
    assert!(again.iter().copied().eq(2..=most as u64) && end.is_none());
}

#[test]
fn what_was_missed_takes_no_room_from_what_comes() {
    let mut desk = desk(10_000);
    for n in 0..5_000 {
        desk.publish(cleared("g", n, None), NOON, 0);
    }
    let mut late = follow(&mut desk, Some(0)).unwrap();
    for n in 0..WAITING {
        desk.publish(cleared("g", n, None), NOON, 0);
    }
    let (numbers, end) = all(&mut late);
    assert_eq!((numbers.len(), end), (5_000 + WAITING, None));
}

#[tokio::test]
async fn there_are_so_many_places_and_who_leaves_frees_one() {
    let hub = hub(10);
    let mut places = Vec::new();
    for _ in 0..SUBSCRIBERS {
        places.push(hub.subscribe(Filter::all(), None).await.unwrap());
    }
    let refused = hub.subscribe(Filter::all(), None).await.unwrap_err();
    assert!(refused.to_string().starts_with("64 subscribers follow the events already"), "{refused}");
    places.pop();
    let mut last = hub.subscribe(Filter::all(), None).await.unwrap();
    drop(hub);
    assert!(last.next().await.is_none(), "without a hub nothing comes");
}

fn refusal(source: Source<&'static str, &'static [u8]>) -> Refusal<'static> {
    Refusal {
        source,
        effect: "THROTTLE",
        reason_code: ReasonCode::RateLimited,
        decision_id: Uuid::nil(),
        tenant: "acme",
        agent: "",
        action: "send",
    }
}

#[tokio::test]
async fn a_flood_of_refusals_is_one_event_a_second() {
    let clock = Clock::manual(NOON);
    let hub = Hub::start(10, clock.clone()).unwrap();
    let mut events = hub.subscribe(Filter::all(), None).await.unwrap();
    let mut threads = [Refusals::default(), Refusals::default()];
    let flood = refusal(Source::Guardrail { name: "few", key: b"acme\0u" });
    let now = || clock.moment();
    for _ in 0..500 {
        threads.iter_mut().for_each(|thread| thread.tell(&hub, &flood, now(), clock.wall()));
    }
    threads[0].tell(&hub, &refusal(Source::Rule("few")), now(), clock.wall());
    let (first, rule) = (next(&mut events).await, next(&mut events).await);
    let mut shown = Vec::new();
    first.event.each_field(&mut |name, text| shown.push(format!("{name}={text}")));
    let want = [
        "guardrail=few",
        "tenant=acme",
        "key=acme/u",
        "effect=THROTTLE",
        "reason_code=rate_limited",
        "decision_id=00000000-0000-0000-0000-000000000000",
        "action=send",
    ];
    assert_eq!(shown, want);
    let fields = |event: &Event| {
        let mut fields = Vec::new();
        event.each_field(&mut |name, _| fields.push(name));
        fields
    };
    assert!(fields(&rule.event).contains(&"rule_id") && rule.repeated == 0);
    clock.advance(1_000_000_000);
    threads.iter_mut().for_each(|thread| thread.tell_due(&hub, now()));
    let mut told = 1 + first.repeated;
    while told < 1_000 {
        clock.advance(1_000_000_000);
        let more = next(&mut events).await;
        assert_eq!((more.event.kind(), more.event.guardrail()), (Kind::PolicyTriggered, Some("few")));
        told += 1 + more.repeated;
    }
    assert_eq!(told, 1_000, "each was told of or counted, and once");
    let seconds = hub.subscribe(Filter::all(), Some(rule.id)).await.unwrap();
    let rest: Vec<_> = seconds.take(1).collect().await;
    assert!(rest.len() == 1, "{rest:?}");
}

#[test]
fn a_filter_wants_what_fits_all_of_its_lists() {
    let glob = |text: &str| Glob::parse(text).unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let acme = cleared("few", 1, Some("acme"));
    let nobody = cleared("few", 1, None);
    for (types, guardrails, tenants, want) in [
        (vec![], names(&[]), names(&[]), (true, true)),
        (vec![glob("throttle.*")], names(&[]), names(&[]), (true, true)),
        (vec![glob("*.cleared"), glob("x")], names(&["z", "few"]), names(&[]), (true, true)),
        (vec![glob("breaker.*")], names(&[]), names(&[]), (false, false)),
        (vec![glob("throttle")], names(&[]), names(&[]), (false, false)),
        (vec![], names(&["fewer"]), names(&[]), (false, false)),
        (vec![], names(&[]), names(&["b", "acme"]), (true, false)),
        (vec![glob("throttle.cleared")], names(&["few"]), names(&["b"]), (false, false)),
    ] {
        let shown = format!("{types:?} {guardrails:?} {tenants:?}");
        let filter = Filter::new(&types, guardrails, tenants);
        assert_eq!((filter.wants(&acme), filter.wants(&nobody)), want, "{shown}");
    }
}

#[test]
fn the_page_has_a_row_for_each_kind() {
    let page = include_str!("../../docs/events.md");
    for kind in Kind::ALL {
        assert!(page.contains(&format!("| `{}` |", kind.name())), "{}", kind.name());
    }
}
