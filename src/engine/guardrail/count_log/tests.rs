//! The log against the list of all units that it stands for.

use super::*;
use proptest::prelude::*;

const START: Moment = Moment::START;

fn at(nanos: u64) -> Moment {
    START.after(Span::from_nanos(nanos))
}

fn arrivals() -> impl Strategy<Value = Vec<(u64, u64)>> {
    // Gaps from nothing to far beyond the window, bursts among them; costs of one and more.
    let gap = prop_oneof![4 => Just(0), 4 => 0..30_u64, 2 => 0..400_u64, 1 => 900..3_000_u64];
    prop::collection::vec((gap, prop_oneof![3 => Just(1), 1 => 0..40_u64]), 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Against an exact list: every unit that is in the window is counted, and of the others at
    /// most `limit / 64`, none up to a limit of 127.
    #[test]
    fn counts_every_unit_in_the_window_and_few_others(
        arrivals in arrivals(),
        limit in prop_oneof![1..130_u64, 100..2_000_u64],
    ) {
        let window = Span::from_nanos(1_000);
        let shape = Shape::of(limit, limit, window);
        let (mut log, mut exact, mut now) = (CountLog::new(&shape), Vec::new(), 0);
        for (gap, units) in arrivals {
            now += gap;
            let truth = |now: u64| exact.iter().filter(|t: &&u64| **t + 1_000 > now).count() as u64;
            let used = log.used(at(now), window);
            prop_assert!(used >= truth(now), "{used} < {} at {now}", truth(now));
            prop_assert!(used - truth(now) <= limit / 64, "{used} > {} at {now}", truth(now));
            if limit <= 127 {
                prop_assert_eq!(used, truth(now));
            }
            if units > 0 && used + units <= limit {
                log.charge(units, at(now), &shape);
                exact.extend((0..units).map(|_| now));
            }
            prop_assert!(log.heap() <= 4 * 128, "{} bytes", log.heap());
        }
    }

    /// In coarse steps too no unit leaves early, and none stays longer than a step.
    #[test]
    fn coarse_steps_only_ever_keep_longer(
        arrivals in prop::collection::vec(0..400_000_000_007_u64, 1..200),
        limit in 1..127_u64,
    ) {
        // An hour is kept in steps of ten microseconds.
        let (hour, step) = (3_600_000_000_000, 10_000);
        let window = Span::from_nanos(hour);
        let shape = Shape::of(limit, limit, window);
        let (mut log, mut exact, mut now) = (CountLog::new(&shape), Vec::<u64>::new(), 0);
        for gap in arrivals {
            now += gap;
            let live = |window: u64| exact.iter().filter(|t| **t + window > now).count() as u64;
            let used = log.used(at(now), window);
            prop_assert!(used >= live(hour), "{used} < {} at {now}", live(hour));
            prop_assert!(used <= live(hour + step), "{used} > {} at {now}", live(hour + step));
            if used < limit {
                log.charge(1, at(now), &shape);
                exact.push(now);
            }
            // Just before and just after the newest and the oldest leave.
            for t in exact.first().into_iter().chain(exact.last()).filter(|t| **t + hour > now) {
                let then = t + hour;
                let held = |then: u64| exact.iter().filter(|t| **t + hour > then).count() as u64;
                prop_assert!(log.used(at(then - 1), window) >= held(then - 1));
                prop_assert!(log.used(at(then), window) >= held(then));
            }
        }
    }

    /// The same units in another shape: none comes back early, and as many stay as anybody asks
    /// for.
    #[test]
    fn another_shape_keeps_every_instant(
        arrivals in arrivals(),
        before in 1..1_000_u64,
        after in 1..1_000_u64,
        longer in 1_000..5_000_u64,
    ) {
        let (old, new) = (Span::from_nanos(1_000), Span::from_nanos(longer));
        let (mut log, mut exact, mut now) =
            (CountLog::new(&Shape::of(before, before, old)), Vec::new(), 0);
        for (gap, units) in arrivals {
            now += gap;
            if units > 0 && log.used(at(now), old) + units <= before {
                log.charge(units, at(now), &Shape::of(before, before, old));
                exact.extend((0..units).map(|_| now));
            }
        }
        log.charge(1, at(now), &Shape::of(after, after, new));
        exact.push(now);
        for later in [now, now + 300, now + 999, now + 1_500] {
            // What the old window had dropped is gone; what it held is held on.
            let held = exact.iter().filter(|t| **t + 1_000 > now && **t + longer > later).count();
            let used = log.used(at(later), new);
            prop_assert!(used >= (held as u64).min(after), "{used} of {held} at {later}");
        }
    }
}

#[test]
fn a_group_is_the_largest_power_of_two_within_a_64th() {
    for (limit, group) in
        [(0, 1), (1, 1), (63, 1), (127, 1), (128, 2), (191, 2), (255, 2), (256, 4), (6_400, 64)]
    {
        let shape = Shape::of(limit, limit, Span::from_nanos(1));
        assert_eq!(shape.shortfall() + 1, group, "limit {limit}");
        assert!(shape.shortfall() <= limit / 64, "limit {limit}");
        assert!(shape.most_groups() <= 129, "limit {limit}: {}", shape.most_groups());
    }
    // Limits far apart share one log: the large one decides how coarse it is.
    assert!(Shape::of(1, u64::MAX, Span::from_nanos(1)).most_groups() <= 129);
}

#[test]
fn whole_milliseconds_stay_exact_up_to_weeks() {
    for window in [1, 60, 3_600, 86_400, 20 * 86_400] {
        let window = Span::from_nanos(window * 1_000_000_000);
        let shape = Shape::of(10, 10, window);
        let mut log = CountLog::new(&shape);
        let charged = Moment::START.after(Span::from_nanos(7_000_000));
        log.charge(1, charged, &shape);
        let due = charged.after(window);
        assert_eq!(log.used(due.before(Span::from_nanos(1)), window), 1);
        assert_eq!(log.used(due, window), 0);
    }
}

#[test]
fn ticks_do_not_wrap() {
    let window = Span::from_nanos(4_000_000_000);
    let shape = Shape::of(3, 3, window);
    let mut log = CountLog::new(&shape);
    // Never idle for a window, over many times what 32 bits of its ticks hold.
    for second in (0..200_000_u64).step_by(3) {
        let now = at(second * 1_000_000_000);
        let truth = if second == 0 { 0 } else { 1 };
        assert_eq!(log.used(now, window), truth, "at {second} s");
        log.charge(1, now, &shape);
    }
    // And after a rest of years.
    let years = 1_000_000_000_000_000_000;
    assert_eq!(log.used(at(years), window), 0);
    log.charge(1, at(years), &shape);
    assert_eq!(log.used(at(years + 3_999_999_999), window), 1);
    assert_eq!(log.used(at(years + 4_000_000_000), window), 0);
}

#[test]
fn a_clock_read_earlier_does_not_bring_units_back_early() {
    let (window, shape) = (Span::from_nanos(100), Shape::of(3, 3, Span::from_nanos(100)));
    let mut log = CountLog::new(&shape);
    log.charge(1, at(50), &shape);
    log.charge(1, at(40), &shape);
    assert_eq!(log.used(at(145), window), 2);
    assert_eq!(log.used(at(150), window), 0);
}

#[test]
fn it_grows_with_what_it_holds() {
    let shape = Shape::of(100, 100, Span::from_nanos(1_000));
    let mut log = CountLog::new(&shape);
    let sizes: Vec<usize> = (0..100)
        .map(|n| {
            log.charge(1, at(n), &shape);
            log.heap()
        })
        .collect();
    assert_eq!((sizes[0], sizes[9], sizes[99]), (8, 64, 400));
    assert_eq!(size_of::<CountLog>(), 40);
}

#[test]
fn an_arm_with_a_shorter_window_does_not_make_the_log_grow() {
    let (short, long) = (Span::from_nanos(1_000), Span::from_nanos(60_000));
    let shape = Shape::of(100, 100, long);
    let mut log = CountLog::new(&shape);
    for now in 0..6_000 {
        assert!(log.used(at(now * 10), short) <= 100);
        log.charge(1, at(now * 10), &shape);
        assert!(log.heap() <= 4 * 129, "{} bytes", log.heap());
    }
    // The newest hundred are all that either arm asks for.
    let used = |window| log.used(at(59_990), window);
    assert_eq!((used(short), used(long)), (100, 100));
}
