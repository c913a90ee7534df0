//! A decision allocates nothing, and looks at no more rules in a large bundle than in a small
//! one (design 5.3). Both are counted and not timed, so that a busy machine changes nothing.

#[path = "../benches/workload/mod.rs"]
mod workload;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Answer, Decision, Obligations, Request, Scratch, Subject, authorize, explain};
use tollgate_engine::model::{Bundle, ReasonCode, Rule};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::{Fields, Seq, View};

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
