//! A decision allocates nothing, and looks at no more rules in a large bundle than in a small
//! one (design 5.3). Both are counted and not timed, so that a busy machine changes nothing.

#[path = "../benches/guardrails/stage.rs"]
#[allow(dead_code, clippy::disallowed_methods, reason = "made for benches, which ask the clock")]
mod stage;
#[path = "../benches/workload/mod.rs"]
mod workload;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Answer, Decision, Obligations, Request, Scratch, Subject, authorize, explain};
use tollgate_engine::model::guardrail::{Algorithm, Enforcement};
use tollgate_engine::model::{Bundle, Guardrail, ReasonCode, Rule};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::{Fields, Seq, View};

use stage::Stage;
use workload::shape::exactly;
use workload::{Kind, Workload};

/// The system's allocator, counting what this thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

#[expect(unsafe_code, reason = "an allocator can be written in no other way")]
// SAFETY: each call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const NOW: WallTime = WallTime::from_nanos(1_795_248_000_000_000_000);
/// Decisions of each workload.
const DECISIONS: usize = 512;

#[expect(clippy::expect_used, reason = "a workload that does not compile fails the test")]
fn prepared(kind: Kind, rules: usize, change: fn(&mut Bundle)) -> (Workload, Compiled) {
    let mut workload = Workload::of(kind, rules);
    let mut bundle = workload.bundle.take().expect("a workload has a bundle");
    change(&mut bundle);
    let compiled = compile::bundle(bundle).expect("a workload's bundle compiles");
    (workload, compiled)
}

/// Which kinds of answer were seen.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    allow: bool,
    deny: bool,
    approval: bool,
    default: bool,
    modified: bool,
    by_error: bool,
}

impl Seen {
    fn note(&mut self, decision: &Decision<'_>) {
        self.default |= decision.rule.is_none();
        self.by_error |= decision.reason_code == ReasonCode::ConditionError;
        match &decision.answer {
            Answer::Allow(obligations) => {
                self.allow = true;
                self.modified |= obligations.limits != Obligations::default().limits;
            }
            Answer::Deny(_) => self.deny |= decision.rule.is_some(),
            Answer::RequireApproval(_) => self.approval = true,
            Answer::Throttle(_) => unreachable!("no guardrail is asked here"),
        }
    }
}

/// Leaves the rules whose `when` calls a function: their operands are gathered in a vector.
fn without_calls(bundle: &mut Bundle) {
    let calls = |rule: &Rule| rule.when.as_ref().is_some_and(|when| when.value.contains('('));
    bundle.rules.retain(|rule| !calls(rule));
}

#[test]
fn a_decision_allocates_nothing() {
    let mut seen = Seen::default();
    for rules in [10, 10_000] {
        for (name, kind) in Kind::ALL {
            let (workload, compiled) = prepared(kind, rules, without_calls);
            let mut scratch = Scratch::default();
            let mut decide = |turn: usize| {
                let request = workload.request(turn);
                let before = ALLOCATIONS.get();
                let decision = authorize(&compiled, &request, "production", NOW, None, &mut scratch);
                let allocations = ALLOCATIONS.get() - before;
                seen.note(&decision);
                allocations
            };
            let _warm: u64 = (0..DECISIONS).map(&mut decide).sum();
            let allocations: u64 = (0..DECISIONS).map(&mut decide).sum();
            assert_eq!(allocations, 0, "{name}, {rules} rules, {DECISIONS} decisions");
        }
    }
    let all = Seen { allow: true, deny: true, approval: true, default: true, modified: true, by_error: true };
    assert_eq!(seen, all, "the workloads must reach every kind of answer");
}

/// Decides often enough that all that is kept has grown to its size; then how often it allocates.
fn allocations_of(name: &str, guardrails: Vec<Guardrail>, allowed: bool) -> u64 {
    let stage = Stage::of(guardrails);
    let mut hand = stage.hand(1, (0, 1), 0);
    let mut decide = |_| {
        let before = ALLOCATIONS.get();
        hand.authorize(|decided, _, _| {
            let allocations = ALLOCATIONS.get() - before;
            let answer = &decided.decision.answer;
            assert_eq!(matches!(answer, Answer::Allow(_)), allowed, "{name}: {answer:?}");
            allocations
        })
    };
    let _warm: u64 = (0..DECISIONS).map(&mut decide).sum();
    (0..DECISIONS).map(&mut decide).sum()
}

#[test]
fn guardrails_on_a_known_key_allocate_nothing() {
    let window = |name, limit| stage::rate_limit(name, limit, stage::SECOND, Algorithm::SlidingWindow);
    let full = || stage::rate_limit("full", 0, stage::SECOND, Algorithm::SlidingWindow);
    let shadow = |guardrail| Guardrail { enforcement: Enforcement::Shadow, ..guardrail };
    let mixed = || vec![window("w", 1 << 40), stage::breaker("b"), stage::sampling("s", 1.0)];
    for (name, guardrails, allowed) in [
        ("three windows", stage::Three::Windows.guardrails(1), true),
        ("three buckets", stage::Three::Buckets.guardrails(1), true),
        ("a window, a breaker and a sample", mixed(), true),
        ("a refusal", vec![window("w", 1 << 40), full()], false),
        ("a sample that leaves it out", vec![window("w", 1 << 40), stage::sampling("s", 0.0)], false),
        ("a shadow that would refuse", vec![window("w", 1 << 40), shadow(full())], true),
    ] {
        assert_eq!(allocations_of(name, guardrails, allowed), 0, "{name}");
    }
    // What is held until a report has to be kept somewhere.
    assert!(allocations_of("a budget", vec![stage::budget("b")], true) >= DECISIONS as u64);
}

#[test]
fn the_counter_counts() {
    let (workload, compiled) = prepared(Kind::Exact, 10, |_| ());
    let before = ALLOCATIONS.get();
    let request = workload.request(0);
    explain(&compiled, &request, "production", NOW, None, &mut Scratch::default());
    assert!(ALLOCATIONS.get() > before);
}

/// The roles of a request that wants to know how often they are looked at: once by each rule
/// whose other needs fit.
#[derive(Debug, Default)]
struct Watched {
    looked_at: Cell<usize>,
}

impl Seq for Watched {
    fn len(&self) -> usize {
        self.looked_at.set(self.looked_at.get() + 1);
        1
    }
    fn at(&self, _: usize) -> Option<View<'_>> {
        Some(View::Str("reader"))
    }
}

/// A context that wants to know how often it is looked into.
#[derive(Debug)]
struct WatchedContext<'a> {
    entries: &'a dyn Fields,
    looked_into: Cell<usize>,
}

impl Fields for WatchedContext<'_> {
    fn len(&self) -> usize {
        self.entries.len()
    }
    fn field(&self, name: &str) -> Option<View<'_>> {
        self.looked_into.set(self.looked_into.get() + 1);
        self.entries.field(name)
    }
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a str, View<'a>)) {
        self.looked_into.set(self.looked_into.get() + self.entries.len());
        self.entries.each(visit);
    }
}

/// How many rules a decision looks at, on average; asserts that it looks at no entry of the
/// context more than once.
fn rules_looked_at(kind: Kind, rules: usize) -> f64 {
    let (workload, compiled) = prepared(kind, rules, |bundle| {
        for rule in &mut bundle.rules {
            rule.target.roles = exactly("reader");
        }
    });
    let (roles, mut scratch) = (Watched::default(), Scratch::default());
    for turn in 0..DECISIONS {
        let plain = workload.request(turn);
        let context = WatchedContext { entries: plain.context, looked_into: Cell::new(0) };
        let request =
            Request { context: &context, subject: Subject { roles: &roles, ..plain.subject }, ..plain };
        authorize(&compiled, &request, "production", NOW, None, &mut scratch);
        let (looked, has) = (context.looked_into.get(), context.len());
        assert!(looked <= has, "{kind:?}: {looked} looks at {has} entries");
    }
    roles.looked_at.get() as f64 / DECISIONS as f64
}

#[test]
fn a_decision_looks_at_few_rules_however_many_there_are() {
    for (kind, most) in [
        (Kind::Exact, 1.0),
        (Kind::Denies, 1.0),
        (Kind::WrongType, 1.0),
        (Kind::Modify, 2.5),
        (Kind::Mixed, 8.0),
        (Kind::Threshold, 1.0),
        (Kind::ThresholdDenies, 1.0),
        (Kind::BothWays, 1.0),
        (Kind::Window, 1.0),
        (Kind::Equality, 1.0),
        (Kind::FieldEach, 8.0),
        (Kind::ModifyThreshold, 10.0),
    ] {
        let looked_at = rules_looked_at(kind, 10_000);
        assert!(looked_at <= most, "{kind:?}: {looked_at} of 10,000, not {most}");
    }
}
