//! That a decision is recorded costs no allocation on the thread that decides, once its room is there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use tollgate::clock::Clock;
use tollgate::config::decision_log::{Fsync, Rates, WhenFull};
use tollgate::data_plane::{DataPlane, Options};
use tollgate::decision_log::options::Files;
use tollgate::decision_log::{self, Target};
use tollgate_engine::decide::{Action, Estimate, Grant, Question, Request, Subject};
use tollgate_engine::model::Phase;
use tollgate_engine::value::{Const, ConstMap};

use crate::served::{BUNDLE, install};

/// The system's allocator, counting what this thread asks of it.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator can be written in no other way")]
// SAFETY: each call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.alloc(layout) }
    }
    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        unsafe { System.realloc(old, layout, size) }
    }
    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn request<'a>(context: &'a ConstMap, none: &'a Vec<Box<str>>) -> Request<'a> {
    let subject =
        Subject { agent: "inbox", user: "alice", tenant: "", app: "", workflow: "", run: "", roles: none };
    let action = Action {
        name: "send",
        kind: None,
        tool: "mail",
        provider: "",
        model: "",
        pipeline: "",
        stage: "",
        handler: "",
        tags: none,
    };
    Request {
        subject,
        action,
        context,
        environment: "",
        mode: "",
        phase: Phase::Dispatch,
        priority: None,
        estimate: Estimate::default(),
        request_id: "r-1",
        batch_id: "",
        attempt: 0,
        grants: none,
        grant: Grant::None,
        dry_run: false,
        time_left: None,
        question: Question::MayRun,
    }
}

/// Allocations of this thread in a thousand decisions.
fn allocations(log: Option<decision_log::Options>) -> u64 {
    let plane = DataPlane::new(Options { decision_log: log, ..Options::default() }, Clock::system()).unwrap();
    install(&plane, BUNDLE);
    let (context, none) = (ConstMap::from([("amount".into(), Const::Number(7.0))]), Vec::new());
    let request = request(&context, &none);
    let decide = || (0..1_000).filter(|_| plane.authorize(&request, |answer| answer.is_allowed())).count();
    assert_eq!(decide(), 1_000, "once, so that the room is there");
    let before = ALLOCATIONS.get();
    assert_eq!(decide(), 1_000);
    let counted = ALLOCATIONS.get() - before;
    plane.close();
    if let Some(stats) = plane.log_stats() {
        assert_eq!((stats.written, stats.dropped.total()), (2_001, 0), "all of them, and the bundle");
    }
    counted
}

#[test]
fn a_recorded_decision_allocates_no_more_than_one_that_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files {
        dir: dir.path().into(),
        rotate_bytes: 64 << 20,
        rotate_after: Duration::from_secs(3_600),
        keep_files: 10,
        keep_bytes: 1 << 30,
        fsync: Fsync::Never,
        fsync_every: Duration::from_secs(1),
    };
    let options = |when_full| decision_log::Options {
        target: Target::Files(files.clone()),
        when_full,
        ring_bytes: 4 << 20,
        masks: vec!["/subject/user".to_owned()],
        hash_key: None,
        rates: Rates::default(),
    };
    let without = allocations(None);
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest, WhenFull::Refuse] {
        assert_eq!(allocations(Some(options(when_full))), without, "{when_full:?}");
    }
}
