//! A breaker against a reference that keeps everything and computes everything anew.

use super::super::fixture::{at, breaker_rules, ms, s};
use super::*;
use crate::model::guardrail::CircuitBreaker;
use proptest::prelude::*;

fn rules(written: &CircuitBreaker) -> BreakerRules {
    super::super::guard::breaker(written)
}

/// A call that was allowed.
#[derive(Clone, Copy, Debug)]
struct Call {
    taken: Moment,
    passage: Passage,
    /// The number of the reference's epoch, and whether it was a probe there.
    epoch: usize,
    reported: bool,
}

/// The state machine of design 2.2, written down with lists.
struct Reference {
    rules: BreakerRules,
    state: BreakerState,
    since: Moment,
    epoch: usize,
    reopened: u32,
    /// Counted reports of this epoch: when, and whether it failed.
    seen: Vec<(Moment, bool)>,
    /// Probes of this epoch: when their leases end, `None` when they are settled.
    probes: Vec<Option<Moment>>,
    succeeded: u32,
}

impl Reference {
    fn enter(&mut self, state: BreakerState, now: Moment) {
        (self.state, self.since, self.succeeded) = (state, now, 0);
        (self.seen, self.probes) = (Vec::new(), Vec::new());
        self.epoch += 1;
    }

    fn cooldown(&self) -> Span {
        let Cooldown::For(first) = self.rules.cooldown else { unreachable!() };
        let mut nanos = first.nanos() as f64;
        for _ in 0..self.reopened {
            nanos *= self.rules.multiplier;
        }
        let most = self.rules.max_cooldown.map_or(u64::MAX, Span::nanos);
        Span::from_nanos((nanos.round() as u64).min(most))
    }

    /// Whether a call passes: the number of its probe, or for how long not.
    fn call(&mut self, now: Moment) -> Result<Option<usize>, Span> {
        if self.state == BreakerState::Open && self.since.after(self.cooldown()) <= now {
            self.enter(BreakerState::HalfOpen, now);
        }
        match self.state {
            BreakerState::Closed => Ok(None),
            BreakerState::Open => Err(self.since.after(self.cooldown()).since(now)),
            _ => {
                let out: Vec<Moment> =
                    self.probes.iter().flatten().copied().filter(|ends| *ends > now).collect();
                if out.len() as u32 + self.succeeded < self.rules.probes {
                    self.probes.push(Some(now.after(self.rules.lease)));
                    return Ok(Some(self.probes.len() - 1));
                }
                let nearest = out.iter().min().copied().unwrap();
                Err(nearest.since(now).min(self.cooldown()))
            }
        }
    }

    fn report(&mut self, epoch: usize, probe: Option<usize>, verdict: Verdict, now: Moment) {
        if epoch != self.epoch {
            return;
        }
        if let Some(probe) = probe {
            self.probes[probe] = None;
        }
        match (self.state, verdict) {
            (_, Verdict::Neutral) => {}
            (BreakerState::Closed, verdict) => {
                self.seen.push((now, verdict == Verdict::Failure));
                let live = |t: Moment| self.rules.window.is_none_or(|w| t.after(w) > now);
                let calls = self.seen.iter().filter(|(t, _)| live(*t)).count() as u32;
                let failures = self.seen.iter().filter(|(t, f)| live(*t) && *f).count() as u32;
                let many = self.rules.threshold.is_some_and(|most| failures >= most);
                let share = self.rules.rate.is_some_and(|rate| {
                    calls >= self.rules.minimum_calls
                        && f64::from(failures) >= f64::from(calls) * rate as f64 / 1e9
                });
                if many || share {
                    self.reopened = 0;
                    self.enter(BreakerState::Open, now);
                }
            }
            (BreakerState::HalfOpen, Verdict::Failure) => {
                self.reopened += 1;
                self.enter(BreakerState::Open, now);
            }
            (BreakerState::HalfOpen, Verdict::Success) => {
                self.succeeded += 1;
                if self.succeeded >= self.rules.probes {
                    self.reopened = 0;
                    self.enter(BreakerState::Closed, now);
                }
            }
            _ => {}
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Call,
    /// Reports the call of this number, once more perhaps.
    Report(prop::sample::Index, Verdict),
    /// The sweeper comes by.
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let verdict = prop_oneof![
        4 => Just(Verdict::Failure), 3 => Just(Verdict::Success), 1 => Just(Verdict::Neutral),
    ];
    let step = prop_oneof![
        3 => prop_oneof![4 => 0..900_u64, 2 => 900..6_000_u64, 1 => 6_000..90_000_u64].prop_map(Step::Wait),
        6 => Just(Step::Call),
        6 => (any::<prop::sample::Index>(), verdict).prop_map(|(i, v)| Step::Report(i, v)),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 1..300)
}

fn any_rules() -> impl Strategy<Value = BreakerRules> {
    let window = prop_oneof![Just(None), (1_000..20_000_u64).prop_map(|w| Some(ms(w)))];
    let trips = prop_oneof![
        (1..6_u32).prop_map(|t| (Some(t), None)),
        (1..=10_u64).prop_map(|r| (None, Some(r * 100_000_000))),
        (2..6_u32, 1..=10_u64).prop_map(|(t, r)| (Some(t), Some(r * 100_000_000))),
    ];
    (window, trips, 1..4_u32, 1..8_u32, 1_u32..=2, any::<bool>()).prop_map(
        |(window, (threshold, rate), probes, minimum_calls, factor, capped)| BreakerRules {
            threshold,
            rate,
            minimum_calls,
            window,
            probes,
            multiplier: f64::from(factor),
            max_cooldown: capped.then(|| s(12)),
            lease: s(20),
            ..rules(&breaker_rules())
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Random calls; reports that come late, twice, in any order or never.
    #[test]
    fn it_is_the_reference(rules in any_rules(), steps in steps()) {
        let mut reference = Reference {
            rules: rules.clone(), state: BreakerState::Closed, since: Moment::ZERO, epoch: 0,
            reopened: 0, seen: vec![], probes: vec![], succeeded: 0,
        };
        let (mut ours, mut calls, mut millis, mut leases) = (None::<Breaker>, Vec::<Call>::new(), 0, 0);
        let mut numbers: Vec<Option<usize>> = Vec::new();
        for step in steps {
            let now = at(millis).now;
            match step {
                Step::Wait(gap) => millis += gap,
                Step::Call => {
                    let said = rules.check(ours.as_mut(), now);
                    match (reference.call(now), said) {
                        (Ok(probe), Ok(())) => {
                            leases += 1;
                            let (passage, _) = rules.charge(ours.as_mut(), LeaseId(leases), None, now);
                            prop_assert_eq!(probe.is_some(), passage.probe.is_some());
                            let epoch = reference.epoch;
                            calls.push(Call { taken: now, passage, epoch, reported: false });
                            numbers.push(probe);
                        }
                        (Err(wait), Err(refused)) => {
                            prop_assert_eq!(refused.wait, super::super::refused::Wait::For(whole_millis(wait)));
                        }
                        (theirs, ours) => prop_assert!(false, "{theirs:?} but {ours:?} at {millis}"),
                    }
                }
                Step::Report(index, verdict) if !calls.is_empty() => {
                    let at = index.index(calls.len());
                    // The table of open decisions lets each through once.
                    if !calls[at].reported {
                        calls[at].reported = true;
                        let call = calls[at];
                        reference.report(call.epoch, numbers[at], verdict, now);
                        if ours.is_none() && rules.remembers(verdict) {
                            ours = Some(Breaker::closed());
                        }
                        if let Some(state) = &mut ours {
                            rules.report(state, call.passage, call.taken, verdict, now);
                        }
                    }
                }
                Step::Report(..) => {}
                Step::Sweep => {
                    if let Some(state) = &mut ours {
                        state.advance(&rules, now);
                        if reference.state == BreakerState::Open
                            && reference.since.after(reference.cooldown()) <= now
                        {
                            reference.enter(BreakerState::HalfOpen, now);
                        }
                        // What is like new is dropped.
                        if state.is_fresh(&rules, now) {
                            ours = None;
                        }
                    }
                }
            }
            let due = reference.state == BreakerState::Open
                && reference.since.after(reference.cooldown()) <= at(millis).now;
            let theirs = if due { BreakerState::HalfOpen } else { reference.state };
            let state = ours.as_ref().map_or(BreakerState::Closed, |b| b.state(&rules, at(millis).now));
            prop_assert_eq!(state, theirs, "at {}", millis);
        }
    }
}

/// Calls and reports by hand: each line is a time in milliseconds and what happens.
struct Hand {
    rules: BreakerRules,
    state: Breaker,
    leases: u64,
}

impl Hand {
    fn new(written: &CircuitBreaker) -> Self {
        Self { rules: rules(written), state: Breaker::closed(), leases: 0 }
    }

    fn call(&mut self, millis: u64) -> Result<(Passage, Moment), Refused> {
        let now = at(millis).now;
        self.rules.check(Some(&mut self.state), now)?;
        self.leases += 1;
        let lease = LeaseId(self.leases);
        Ok((self.rules.charge(Some(&mut self.state), lease, None, now).0, now))
    }

    fn report(&mut self, call: (Passage, Moment), verdict: Verdict, millis: u64) {
        self.rules.report(&mut self.state, call.0, call.1, verdict, at(millis).now);
    }

    fn fail(&mut self, millis: u64) {
        let call = self.call(millis).unwrap();
        self.report(call, Verdict::Failure, millis);
    }

    fn is(&self, state: BreakerState, millis: u64) {
        assert_eq!(self.state.state(&self.rules, at(millis).now), state, "at {millis}");
    }
}

#[test]
fn failures_need_not_be_consecutive_and_leave_with_the_window() {
    let mut hand = Hand::new(&breaker_rules());
    hand.fail(0);
    hand.fail(4_000);
    let good = hand.call(5_000).unwrap();
    hand.report(good, Verdict::Success, 5_000);
    // The first has left: two in the window.
    hand.fail(10_000);
    hand.is(BreakerState::Closed, 10_000);
    hand.fail(13_999);
    hand.is(BreakerState::Open, 13_999);
}

#[test]
fn a_report_that_counts_for_nothing_trips_nothing_when_a_success_has_left() {
    let share = CircuitBreaker { failure_threshold: None, failure_rate: Some(0.6), ..breaker_rules() };
    let mut hand = Hand::new(&CircuitBreaker { minimum_calls: 1, ..share });
    let good = hand.call(0).unwrap();
    hand.report(good, Verdict::Success, 0);
    hand.fail(5_000);
    let late = hand.call(9_000).unwrap();
    hand.report(late, Verdict::Neutral, 10_000);
    hand.is(BreakerState::Closed, 10_000);
    hand.fail(10_001);
    hand.is(BreakerState::Open, 10_001);
}

#[test]
fn open_says_how_long_to_the_millisecond() {
    let mut hand = Hand::new(&breaker_rules());
    (0..3).for_each(|_| hand.fail(0));
    assert_eq!(hand.call(1).unwrap_err(), Refused::until(ReasonCode::BreakerOpen, ms(4_999)));
    assert_eq!(hand.call(4_999).unwrap_err(), Refused::until(ReasonCode::BreakerOpen, ms(1)));
    assert!(hand.call(5_000).unwrap().0.probe.is_some());
    // Its probe is out: the nearest lease ends in a minute, the cooldown is five seconds.
    assert_eq!(hand.call(5_000).unwrap_err(), Refused::until(ReasonCode::BreakerProbing, s(5)));
}

#[test]
fn a_lost_probe_does_not_wedge_it() {
    let mut hand = Hand::new(&breaker_rules());
    (0..3).for_each(|_| hand.fail(0));
    let lost = hand.call(5_000).unwrap();
    assert!(hand.call(64_999).is_err());
    let next = hand.call(65_000).unwrap();
    assert!(next.0.probe.is_some());
    // The lost one comes back after all: it closes the breaker, and the other has nothing to say.
    hand.report(lost, Verdict::Success, 66_000);
    hand.is(BreakerState::Closed, 66_000);
    hand.report(next, Verdict::Failure, 66_001);
    assert!(!hand.state.has_seen(&hand.rules, at(66_001).now));
}

#[test]
fn a_neutral_probe_gives_its_slot_back() {
    let mut hand = Hand::new(&breaker_rules());
    (0..3).for_each(|_| hand.fail(0));
    let probe = hand.call(5_000).unwrap();
    hand.report(probe, Verdict::Neutral, 5_100);
    hand.is(BreakerState::HalfOpen, 5_100);
    assert!(hand.call(5_100).is_ok());
}

#[test]
fn failed_probes_multiply_the_cooldown_up_to_its_maximum_and_success_resets_it() {
    let mut hand =
        Hand::new(&CircuitBreaker { cooldown_multiplier: 3.0, max_cooldown: Some(s(20)), ..breaker_rules() });
    (0..3).for_each(|_| hand.fail(0));
    for (from, cooldown) in [(5_000, 15_000), (20_000, 20_000), (40_000, 20_000)] {
        hand.fail(from);
        assert!(hand.call(from + cooldown - 1).is_err(), "at {from}");
        hand.is(BreakerState::HalfOpen, from + cooldown);
    }
    let probe = hand.call(60_000).unwrap();
    hand.report(probe, Verdict::Success, 60_000);
    (0..3).for_each(|_| hand.fail(61_000));
    hand.is(BreakerState::HalfOpen, 66_000);
}

#[test]
fn a_report_from_before_the_transition_says_nothing() {
    let mut hand = Hand::new(&breaker_rules());
    let early: Vec<_> = (0..5).map(|_| hand.call(0).unwrap()).collect();
    early[..3].iter().for_each(|call| hand.report(*call, Verdict::Failure, 1_000));
    hand.is(BreakerState::Open, 1_000);
    let probe = hand.call(6_000).unwrap();
    hand.report(early[3], Verdict::Failure, 6_100);
    hand.is(BreakerState::HalfOpen, 6_100);
    hand.report(early[4], Verdict::Success, 6_200);
    hand.is(BreakerState::HalfOpen, 6_200);
    hand.report(probe, Verdict::Success, 6_300);
    hand.is(BreakerState::Closed, 6_300);
}

#[test]
fn never_waits_for_an_operator() {
    let mut hand = Hand::new(&CircuitBreaker { cooldown: Cooldown::Never, ..breaker_rules() });
    (0..3).for_each(|_| hand.fail(0));
    let refused = hand.call(1 << 40).unwrap_err();
    assert_eq!(refused, Refused::for_good(ReasonCode::BreakerOpen));
    hand.state.operate(BreakerState::Closed, at(1 << 40).now);
    assert!(hand.call(1 << 40).is_ok());
}

#[test]
fn who_meets_a_probe_waits_for_it_where_there_is_no_cooldown_any_more() {
    let mut hand = Hand::new(&breaker_rules());
    (0..3).for_each(|_| hand.fail(0));
    hand.call(5_000).unwrap();
    assert_eq!(hand.call(6_000).unwrap_err(), Refused::until(ReasonCode::BreakerProbing, s(5)));
    hand.rules.cooldown = Cooldown::Never;
    assert_eq!(hand.call(6_000).unwrap_err(), Refused::until(ReasonCode::BreakerProbing, s(59)));
}

#[test]
fn operators_force_disable_and_close() {
    let mut hand = Hand::new(&breaker_rules());
    let early = hand.call(0).unwrap();
    hand.state.operate(BreakerState::ForcedOpen, at(1).now);
    assert_eq!(hand.call(1 << 40).unwrap_err(), Refused::for_good(ReasonCode::ForcedOpen));
    hand.report(early, Verdict::Failure, 2);
    hand.state.operate(BreakerState::Disabled, at(3).now);
    (0..10).for_each(|n| hand.fail(4 + n));
    hand.is(BreakerState::Disabled, 20);
    let disabled = hand.call(20).unwrap();
    hand.state.operate(BreakerState::Closed, at(21).now);
    (0..5).for_each(|_| hand.report(disabled, Verdict::Failure, 22));
    hand.is(BreakerState::Closed, 22);
    assert!(!hand.state.has_seen(&hand.rules, at(22).now));
}

#[test]
fn what_a_report_says() {
    let slow = CircuitBreaker { slow_call: Some(s(3)), ..breaker_rules() };
    let picky = CircuitBreaker { count_errors: vec![ErrorKind::Transient], ..breaker_rules() };
    let (plain, slow, picky) = (rules(&breaker_rules()), rules(&slow), rules(&picky));
    let failed = Ending::Failure;
    for (rules, ending, took, timeout, want) in [
        (&plain, Ending::Success, 0, None, Verdict::Success),
        (&plain, failed(ErrorKind::Transient), 0, None, Verdict::Failure),
        (&plain, failed(ErrorKind::RateLimited), 0, None, Verdict::Failure),
        (&plain, failed(ErrorKind::Permanent), 0, None, Verdict::Neutral),
        (&plain, Ending::Cancelled, 9, Some(1), Verdict::Neutral),
        (&picky, failed(ErrorKind::Timeout), 0, None, Verdict::Neutral),
        // Longer than the obligation is a timeout; exactly as long is not.
        (&plain, Ending::Success, 5, Some(5), Verdict::Success),
        (&plain, Ending::Success, 6, Some(5), Verdict::Failure),
        (&picky, Ending::Success, 6, Some(5), Verdict::Neutral),
        (&slow, Ending::Success, 3, None, Verdict::Failure),
        (&slow, Ending::Success, 2, None, Verdict::Success),
    ] {
        let got = rules.judge(&Outcome::of(ending), s(took), timeout.map(s));
        assert_eq!(got, want, "{ending:?} after {took} s of {timeout:?}");
    }
}

#[test]
fn a_key_is_small() {
    assert!(size_of::<Breaker>() <= 104, "{}", size_of::<Breaker>());
    let written = CircuitBreaker {
        failure_threshold: Some(1_000),
        failure_rate: Some(0.9),
        minimum_calls: u32::MAX,
        ..breaker_rules()
    };
    let rules = rules(&written);
    let mut state = Breaker::closed();
    let passage = Passage { epoch: 0, probe: None };
    for n in 0..10_000 {
        let verdict = if n % 20 == 0 { Verdict::Failure } else { Verdict::Success };
        rules.report(&mut state, passage, at(n).now, verdict, at(n).now);
    }
    assert!(state.heap() <= 28 * 16, "{}", state.heap());
}

#[test]
fn at_one_instant_the_epoch_tells_before_from_after() {
    let mut hand =
        Hand::new(&CircuitBreaker { failure_threshold: Some(1), half_open_probes: 2, ..breaker_rules() });
    hand.fail(0);
    let lost = hand.call(5_000).unwrap();
    let first = hand.call(5_000).unwrap();
    // The lease of the lost one is over: its slot is taken again in the instant of the closing.
    hand.report(first, Verdict::Success, 5_001);
    let second = hand.call(65_000).unwrap();
    hand.report(lost, Verdict::Success, 65_000);
    hand.is(BreakerState::Closed, 65_000);
    hand.report(second, Verdict::Failure, 65_000);
    hand.is(BreakerState::Closed, 65_000);
    hand.fail(65_000);
    hand.is(BreakerState::Open, 65_000);
}

#[test]
fn a_probe_whose_clock_was_read_before_the_step_counts() {
    let rules = rules(&breaker_rules());
    let mut state = Breaker::closed();
    for n in 0..3 {
        let (passage, _) = rules.charge(Some(&mut state), LeaseId(n), None, at(1).now);
        rules.report(&mut state, passage, at(1).now, Verdict::Failure, at(2).now);
    }
    assert_eq!(state.state(&rules, at(2).now), BreakerState::Open);
    // Another core steps at a later reading of the clock than this request has.
    assert!(state.advance(&rules, at(5_003).now).is_some());
    let (probe, _) = rules.charge(Some(&mut state), LeaseId(9), None, at(5_002).now);
    let step = rules.report(&mut state, probe, at(5_002).now, Verdict::Success, at(5_010).now);
    assert_eq!(step.map(|step| step.to), Some(BreakerState::Closed));
}
