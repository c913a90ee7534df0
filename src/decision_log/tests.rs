//! The log as a whole: everything that is brought is written once, or counted as lost, whatever happens.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tollgate_engine::decide::{Answer, Decision, Grant, Obligations, Question, Read, Request, Subject};
use tollgate_engine::guardrail::report::{Ending, Outcome};
use tollgate_engine::guardrail::{At, Verdict};
use tollgate_engine::model::request::{Action, Estimate};
use tollgate_engine::model::{Phase, ReasonCode};
use tollgate_engine::value::ConstMap;

use super::*;
use crate::config::decision_log::Fsync;
use crate::config::value::OptionValue as _;
use options::{Collector, Files};
use record::{DecisionRecord, Origin, ReportRecord};

mod collecting;
mod failing;

pub(super) fn options(target: Target, when_full: WhenFull, ring_bytes: usize) -> Options {
    let (masks, hash_key, rates) = (Vec::new(), None, Rates::default());
    Options { target, when_full, ring_bytes, masks, hash_key, rates }
}

pub(super) fn files(dir: &Path) -> Files {
    Files {
        dir: dir.into(),
        rotate_bytes: 1 << 20,
        rotate_after: Duration::from_secs(3_600),
        keep_files: 1_000,
        keep_bytes: 1 << 30,
        fsync: Fsync::Never,
        fsync_every: Duration::from_secs(1),
    }
}

fn request(context: &ConstMap) -> Request<'_> {
    static NONE: Vec<Box<str>> = Vec::new();
    let subject =
        Subject { agent: "a", user: "alice", tenant: "", app: "", workflow: "", run: "", roles: &NONE };
    let action = Action {
        name: "send",
        kind: None,
        tool: "",
        provider: "",
        model: "",
        pipeline: "",
        stage: "",
        handler: "",
        tags: &NONE,
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
        request_id: "",
        batch_id: "",
        attempt: 0,
        grants: &NONE,
        grant: Grant::None,
        dry_run: false,
        time_left: None,
        question: Question::MayRun,
    }
}

/// Brings a decision, the `number`th of its thread.
pub(super) fn decide(pen: &mut Pen, clock: &Clock, number: u64) -> Uuid {
    let context = ConstMap::from([("n".into(), tollgate_engine::value::Const::Number(number as f64))]);
    let request = request(&context);
    let at = At { now: clock.moment(), wall: clock.wall() };
    let id = clock.decision_id(at.wall);
    pen.done();
    if !pen.has_room(Some(&request), 0) {
        pen.refused();
        return id;
    }
    let decision = Decision {
        answer: Answer::Allow(Obligations::default()),
        reason_code: ReasonCode::DefaultAllow,
        reason: "because",
        rule: None,
        guardrail: None,
        estimate: tollgate_engine::model::Estimate { cost: None, compute: None, risk: None },
        bad_cost: None,
        environment: "default",
        other_errors: 0,
        context_violations: 0,
    };
    pen.decision(&DecisionRecord {
        id,
        at,
        took: 1,
        draw: 2,
        origin: Origin { edition: 0, arm: "STABLE", stale: false },
        request: Some(&request),
        request_id: "",
        batch: None,
        decision: &decision,
        verdict: &Verdict::default(),
        asked: None,
        read: &Read::default(),
        sampled: None,
    });
    id
}

/// All records of a log, none of them broken; numbers go up by one in each run.
pub(super) fn all(dir: &Path) -> Vec<Value> {
    let mut last: HashMap<String, u64> = HashMap::new();
    let mut records = Vec::new();
    for path in reader::files(dir).unwrap() {
        for read in reader::Lines::open(&path).unwrap() {
            let reader::Read::Record(record) = read else { panic!("{}: {read:?}", path.display()) };
            let (boot, seq) = (record["boot"].as_str().unwrap(), record["seq"].as_u64().unwrap());
            let before = last.insert(boot.to_owned(), seq).unwrap_or(0);
            assert_eq!(seq, before + 1, "{record}");
            records.push(record);
        }
    }
    records
}

pub(super) fn count(records: &[Value], kind: &str) -> u64 {
    let of_kind = records.iter().filter(|record| record["kind"] == kind);
    of_kind.map(|record| if kind == "lost" { record["count"].as_u64().unwrap() } else { 1 }).sum()
}

#[test]
fn of_many_threads_every_record_is_written_or_counted_as_lost() {
    const THREADS: u64 = 4;
    const EACH: u64 = 5_000;
    for (when_full, ring) in [
        (WhenFull::DropNewest, 8 << 10),
        (WhenFull::DropOldest, 8 << 10),
        (WhenFull::Refuse, 64 << 10),
        (WhenFull::DropNewest, 16 << 20),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let log = Log::start(options(Target::Files(files(dir.path())), when_full, ring), Uuid::nil(), &clock)
            .unwrap();
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                let (mut pen, clock) = (log.pen(), clock.clone());
                scope.spawn(move || {
                    (0..EACH).for_each(|number| {
                        decide(&mut pen, &clock, number);
                    });
                });
            }
        });
        log.close();
        let stats = log.stats();
        assert_eq!(stats.written + stats.dropped.total(), THREADS * EACH, "{when_full:?}: {stats:?}");
        let records = all(dir.path());
        assert_eq!(count(&records, "decision"), stats.written, "{when_full:?}");
        assert_eq!(count(&records, "lost"), stats.dropped.total(), "{when_full:?}");
        let mut newest: HashMap<u64, u64> = HashMap::new();
        for record in records.iter().filter(|record| record["kind"] == "decision") {
            let (thread, number) =
                (record["thread"].as_u64().unwrap(), record["request"]["context"]["n"].as_u64().unwrap());
            let before = newest.insert(thread, number);
            assert!(before.is_none_or(|before| before < number), "of a thread in its order: {record}");
        }
        if ring > 1 << 20 {
            assert_eq!(stats.dropped.total(), 0);
        }
        let bytes = all_bytes(dir.path());
        assert!(bytes >= stats.bytes, "{bytes} {stats:?}");
    }
}

fn all_bytes(dir: &Path) -> u64 {
    use std::io::Read as _;
    let plain = |path: &PathBuf| {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).unwrap();
        if path.extension().is_some_and(|end| end == "zst") {
            zstd::stream::read::Decoder::new(file).unwrap().read_to_end(&mut bytes).unwrap();
        } else {
            std::io::BufReader::new(file).read_to_end(&mut bytes).unwrap();
        }
        bytes.len() as u64
    };
    reader::files(dir).unwrap().iter().map(plain).sum()
}

#[test]
fn a_report_stands_behind_its_decision_whichever_thread_brings_it() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let target = Target::Files(files(dir.path()));
    let log = Log::start(options(target, WhenFull::DropNewest, 16 << 20), Uuid::nil(), &clock).unwrap();
    let (given, ids) = std::sync::mpsc::channel::<Uuid>();
    let (mut first, mut second) = (log.pen(), log.pen());
    let reporting = {
        let clock = clock.clone();
        std::thread::spawn(move || {
            for id in ids {
                let at = At { now: clock.moment(), wall: clock.wall() };
                let outcome = Outcome::of(Ending::Success);
                second.report(&ReportRecord {
                    at,
                    id,
                    outcome: Some(&outcome),
                    result: "APPLIED",
                    within: None,
                });
            }
        })
    };
    for number in 0..20_000 {
        given.send(decide(&mut first, &clock, number)).unwrap();
    }
    drop(given);
    reporting.join().unwrap();
    log.close();
    let mut known = std::collections::HashSet::new();
    let mut reports = 0;
    for record in all(dir.path()) {
        if record["kind"] == "decision" {
            known.insert(record["decision"]["decision_id"].as_str().unwrap().to_owned());
        } else if record["kind"] == "report" {
            assert!(known.contains(record["decision_id"].as_str().unwrap()), "{record}");
            reports += 1;
        }
    }
    assert_eq!(reports, 20_000);
}

#[test]
fn files_are_rotated_compressed_and_deleted_and_nothing_is_lost_on_the_way() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let small = Files { rotate_bytes: 20_000, ..files(dir.path()) };
    let target = Target::Files(small.clone());
    let log = Log::start(options(target, WhenFull::DropNewest, 4 << 20), Uuid::nil(), &clock).unwrap();
    let mut pen = log.pen();
    for number in 0..500 {
        decide(&mut pen, &clock, number);
        if number % 50 == 0 {
            until("it is written", || (log.stats().written > number).then_some(()));
        }
    }
    log.close();
    assert_eq!(count(&all(dir.path()), "decision"), 500);
    let names = || reader::files(dir.path()).unwrap();
    assert!(names().len() > 3, "{:?}", names());
    // The next run compresses what was left, and keeps no more than it should.
    let few = Files { keep_files: 2, ..small };
    let log =
        Log::start(options(Target::Files(few), WhenFull::DropNewest, 4 << 20), Uuid::nil(), &clock).unwrap();
    until("the old ones are compressed and deleted", || {
        let names = names();
        let plain = names.iter().filter(|path| path.extension().is_some_and(|end| end == "jsonl")).count();
        (names.len() <= 3 && plain == 1).then_some(())
    });
    log.close();
}

#[test]
fn a_new_file_is_begun_when_somebody_takes_it_away_or_asks() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let target = Target::Files(files(dir.path()));
    let log = Log::start(options(target, WhenFull::DropNewest, 1 << 20), Uuid::nil(), &clock).unwrap();
    let mut pen = log.pen();
    let names = || reader::files(dir.path()).unwrap();
    let first = until("a file", || names().first().cloned());
    decide(&mut pen, &clock, 0);
    until("it is written", || (log.stats().written == 1).then_some(()));
    std::fs::rename(&first, dir.path().join("taken-away")).unwrap();
    decide(&mut pen, &clock, 1);
    let second = until("a second file", || names().first().cloned().filter(|path| *path != first));
    until("it is written", || (log.stats().written == 2).then_some(()));
    log.rotate();
    decide(&mut pen, &clock, 2);
    until("a third file", || {
        names()
            .iter()
            .find(|path| **path != second && path.extension().is_some_and(|end| end == "jsonl"))
            .cloned()
    });
    log.close();
    let text = std::fs::read_to_string(dir.path().join("taken-away")).unwrap();
    assert_eq!(text.lines().count(), 2, "its start, and the first decision: {text}");
}

pub(super) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..6_000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within a minute: {what}");
}

#[test]
fn only_the_share_that_is_asked_for_is_recorded_and_the_rest_counted() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let rates = Rates::read("ALLOW=0.5", "").unwrap();
    let target = Target::Files(files(dir.path()));
    let options = Options { rates, ..options(target, WhenFull::DropNewest, 4 << 20) };
    let log = Log::start(options, Uuid::nil(), &clock).unwrap();
    let mut pen = log.pen();
    let kept = (0..2_000).filter(|number| sample::is_kept(decide(&mut pen, &clock, *number))).count() as u64;
    log.close();
    let stats = log.stats();
    assert_eq!((stats.written, stats.sampled_out), (kept, 2_000 - kept));
    assert_eq!(count(&all(dir.path()), "decision"), kept);
}

#[test]
fn a_log_that_ends_while_threads_still_write_comes_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let target = Target::Files(files(dir.path()));
    let log = Log::start(options(target, WhenFull::DropOldest, 1 << 16), Uuid::nil(), &clock).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut pen = log.pen();
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                decide(&mut pen, &clock, number);
                number += 1;
            }
        });
        until("something is written", || (log.stats().written > 100).then_some(()));
        log.close();
        over.store(true, Ordering::Relaxed);
    });
    let records = all(dir.path());
    assert_eq!(records.last().unwrap()["kind"], "end");
}
