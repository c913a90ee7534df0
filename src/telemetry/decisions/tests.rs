//! Counts are exact, whatever threads do.

use super::*;
use crate::telemetry::page::Format;

fn labels(agent: &str) -> Labels<'_> {
    Labels { arm: "STABLE", effect: "ALLOW", reason_code: "rule", phase: "DISPATCH", agent, action: "send" }
}

fn counts(all: &Decisions) -> Vec<(String, u64)> {
    let mut inner = all.lock();
    let count = |(key, series): (&Arc<OwnLabels>, &mut Series)| (key.1[0].to_string(), series.sum());
    let mut counts: Vec<_> = inner.series.iter_mut().map(count).collect();
    counts.sort();
    counts
}

#[test]
fn nothing_is_lost_between_threads_that_come_and_go() {
    let all = Arc::new(Decisions::new(2_000));
    let run = |n: u64| {
        let mut tally = all.tally();
        move || {
            for i in 0..n {
                tally.count(&labels("a"), Sample { nanos: i, ..Sample::default() });
                if i % 7 == 0 {
                    tally.forget();
                }
            }
        }
    };
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(run(10_000))));
        (0..50).for_each(|_| drop(counts(&all)));
    });
    assert_eq!(counts(&all), [("a".to_owned(), 40_000)]);
    assert_eq!(all.sums().count(), 40_000);
    let mut inner = all.lock();
    assert_eq!(inner.sums().nanos, 4 * (9_999 * 10_000 / 2));
    assert!(inner.threads.is_empty(), "ended threads are folded");
}

#[test]
fn past_the_limit_agents_become_other() {
    let all = Arc::new(Decisions::new(KEPT_FREE + 2));
    let mut tally = all.tally();
    for agent in ["a", "b", "c", "d", "a"] {
        tally.count(&labels(agent), Sample::default());
    }
    let want = [("a".to_owned(), 2), ("b".to_owned(), 1), (OTHER.to_owned(), 2)];
    assert_eq!(counts(&all), want);
}

#[test]
fn a_scrape_hands_over_each_count_once() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let mut last = Page::default();
    let all = Arc::new(Decisions::new(2_000));
    let mut tally = all.tally();
    metrics::with_local_recorder(&recorder, || {
        for _ in 0..3 {
            let sample = Sample {
                nanos: 1_001,
                decisive_error: true,
                other_errors: 2,
                context_violations: 3,
                flip: Some(Flip::ThrottleToDeny),
                ..Sample::default()
            };
            tally.count(&labels("a"), sample);
            last = Page::default();
            all.hand_over(&mut last, |_, _| true);
        }
    });
    let page = handle.render() + &last.render(Format::Text);
    for want in [
        "tollgate_decisions_total{arm=\"STABLE\",effect=\"ALLOW\",reason_code=\"rule\",\
         phase=\"DISPATCH\",agent=\"a\",action=\"send\"} 3",
        "tollgate_shadow_flips_total{from=\"THROTTLE\",to=\"DENY\"} 3",
        "tollgate_shadow_flips_total{from=\"ALLOW\",to=\"DENY\"} 0",
        "tollgate_evaluation_errors_total{kind=\"decisive\"} 3",
        "tollgate_evaluation_errors_total{kind=\"other\"} 6",
        "tollgate_context_violations_total 9",
    ] {
        assert!(page.lines().any(|line| line == want), "{want}\n{page}");
    }
}

#[test]
fn a_series_of_a_bundle_that_is_gone_is_shown_once_more_and_goes() {
    let all = Arc::new(Decisions::new(2_000));
    let mut tally = all.tally();
    tally.count(&labels("old"), Sample::default());
    let shown = |known: &str| {
        let mut page = Page::default();
        all.hand_over(&mut page, |agent, _| agent == known);
        page.render(Format::Text).matches("agent=\"old\"").count()
    };
    assert_eq!(shown("old"), 1);
    tally.count(&labels("old"), Sample::default());
    assert_eq!(shown("new"), 1, "a thread may still count on it");
    tally.forget();
    assert_eq!((shown("old"), shown("old")), (1, 1), "it may come again");
    assert_eq!((shown("new"), shown("new")), (0, 0));
    tally.count(&labels("old"), Sample::default());
    tally.forget();
    assert_eq!((shown("new"), shown("new")), (1, 0));
    assert_eq!(all.sums().count(), 3);
}
