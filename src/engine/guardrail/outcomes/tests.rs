//! The tally against the list of all calls.

use super::*;
use proptest::prelude::*;

fn at(millis: u64) -> Moment {
    Moment::START.after(Span::from_nanos(millis * 1_000_000))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Up to 28 calls it is exact; of more, the two ways of asking lie on both sides of the truth
    /// and at most a tenth of the window apart from it.
    #[test]
    fn the_truth_lies_between(
        calls in prop::collection::vec((prop_oneof![0..20_u64, 0..400_u64], any::<bool>()), 1..300),
    ) {
        let window = Span::from_nanos(2_000_000_000);
        let (mut outcomes, mut exact, mut now) = (Outcomes::default(), Vec::new(), 0);
        for (gap, failed) in calls {
            now += gap;
            outcomes.add(Tally { calls: 1, failures: u64::from(failed) }, at(now), window);
            exact.push((now, failed));
            let since = |age: u64| {
                let live = exact.iter().filter(move |(t, _)| t + age > now);
                Tally {
                    calls: live.clone().count() as u64,
                    failures: live.filter(|(_, failed)| *failed).count() as u64,
                }
            };
            let (most, least) = (outcomes.tally(at(now), window), outcomes.at_least(at(now), window));
            let truth = since(2_000);
            prop_assert!(most.calls >= truth.calls && most.failures >= truth.failures);
            prop_assert!(least.calls <= truth.calls && least.failures <= truth.failures);
            if exact.len() <= 28 {
                prop_assert_eq!((most, least), (truth, truth));
            }
            let (late, early) = (since(2_201), since(1_799));
            prop_assert!(most.calls <= late.calls, "{} > {}", most.calls, late.calls);
            prop_assert!(least.calls >= early.calls, "{} < {}", least.calls, early.calls);
            prop_assert!(outcomes.heap() <= 28 * 16, "{} bytes", outcomes.heap());
        }
    }
}

#[test]
fn another_window_keeps_what_is_in_both() {
    let (short, long) = (Span::from_nanos(1_000_000_000), Span::from_nanos(60_000_000_000));
    let mut outcomes = Outcomes::default();
    for millis in [0, 100, 200] {
        outcomes.add(Tally { calls: 1, failures: 1 }, at(millis), short);
    }
    outcomes.add(Tally { calls: 1, failures: 0 }, at(300), long);
    assert_eq!(outcomes.tally(at(59_999), long), Tally { calls: 4, failures: 3 });
    assert_eq!(outcomes.tally(at(60_101), long).calls, 2);
}
