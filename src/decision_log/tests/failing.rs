//! Disks that fail, and processes that are killed.

use super::*;
use std::io::Write as _;

/// A sink that refuses while it is told to, and takes half of what it refuses.
struct Moody {
    down: std::sync::Arc<AtomicBool>,
    taken: std::sync::Arc<std::sync::Mutex<Vec<u8>>>,
}

impl sink::Sink for Moody {
    fn write(&mut self, batch: &sink::Batch<'_>) -> Result<(), sink::Trouble> {
        if self.down.load(Ordering::Relaxed) {
            return Err(sink::Trouble::Stdout(std::io::ErrorKind::StorageFull.into()));
        }
        self.taken.lock().unwrap().extend_from_slice(batch.lines);
        Ok(())
    }

    fn tend(&mut self) -> Result<bool, sink::Trouble> {
        Ok(true)
    }

    fn finish(&mut self, _: u64) -> u64 {
        0
    }
}

#[test]
fn while_nothing_can_be_written_the_policy_holds_and_afterwards_all_is_well() {
    for when_full in [WhenFull::DropNewest, WhenFull::DropOldest, WhenFull::Refuse] {
        let (down, taken) = (std::sync::Arc::new(AtomicBool::new(true)), std::sync::Arc::default());
        let moody = Moody { down: std::sync::Arc::clone(&down), taken: std::sync::Arc::clone(&taken) };
        let clock = Clock::system();
        let log = Log::start_with(options(Target::Stdout, when_full, 64 << 10), Uuid::nil(), &clock, |_| {
            Ok(Box::new(moody))
        });
        let log = log.unwrap();
        let mut pen = log.pen();
        let most = 5_000;
        for number in 0..most {
            decide(&mut pen, &clock, number);
        }
        let stats = until("it fails", || Some(log.stats()).filter(|stats| stats.errors > 0));
        assert!(stats.dropped.total() > 0, "{when_full:?}: {stats:?}");
        assert!(log.health().failing.is_some());
        down.store(false, Ordering::Relaxed);
        until("it works again", || log.health().failing.is_none().then_some(()));
        until("there is room again", || (log.stats().waiting == 0).then_some(()));
        let lost = log.stats().dropped.total();
        for number in 0..10 {
            decide(&mut pen, &clock, number);
        }
        log.close();
        let stats = log.stats();
        assert_eq!(
            (stats.written + stats.dropped.total(), stats.dropped.total()),
            (most + 10, lost),
            "{when_full:?}"
        );
        let text = String::from_utf8(taken.lock().unwrap().clone()).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(count(&records, "decision"), stats.written);
        assert_eq!(count(&records, "lost"), lost, "and where they were lost is told");
    }
}

#[test]
fn a_torn_line_is_named_and_what_follows_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("decisions-20260101T000000000Z-00000000-000001.jsonl");
    let good = r#"{"v":1,"seq":1,"kind":"start","boot":"b"}"#;
    std::fs::write(&path, format!("{good}\n{{\"v\":1,\"se\nnull\n{{\"v\":9}}\n{good}\n{{\"v\":1")).unwrap();
    let read: Vec<String> = reader::Lines::open(&path)
        .unwrap()
        .map(|read| match read {
            reader::Read::Record(record) => format!("record {}", record["seq"]),
            reader::Read::Bad { line, .. } => format!("bad {line}"),
            reader::Read::Torn { line, bytes } => format!("torn {line} {bytes}"),
        })
        .collect();
    assert_eq!(read, ["record 1", "bad 2", "bad 3", "bad 4", "record 1", "torn 6 6"]);
    // What comes later completes it.
    let mut lines = reader::Lines::open(&path).unwrap();
    assert_eq!(lines.by_ref().count(), 6);
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b",\"seq\":2}\n").unwrap();
    lines.go_on();
    assert!(matches!(lines.next(), Some(reader::Read::Record(record)) if record["seq"] == 2));
}

#[test]
fn a_file_that_cannot_grow_is_cut_back_to_whole_lines_and_goes_on() {
    // A folder that is taken away and comes back as another: no file can be begun in between.
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("log");
    let clock = Clock::system();
    let target = Target::Files(files(&inner));
    let log = Log::start(options(target, WhenFull::DropNewest, 1 << 20), Uuid::nil(), &clock).unwrap();
    let mut pen = log.pen();
    decide(&mut pen, &clock, 0);
    until("it is written", || (log.stats().written == 1).then_some(()));
    std::fs::rename(&inner, dir.path().join("aside")).unwrap();
    decide(&mut pen, &clock, 1);
    until("it fails", || log.health().failing);
    std::fs::create_dir(&inner).unwrap();
    until("it works again", || (log.stats().written == 2).then_some(()));
    log.close();
    let records = all(&dir.path().join("aside"));
    assert_eq!(count(&records, "decision"), 1);
    let later = reader::files(&inner).unwrap();
    assert_eq!(later.len(), 1);
    let lines = std::fs::read_to_string(&later[0]).unwrap();
    assert_eq!(lines.lines().filter(|line| line.contains("\"decision\"")).count(), 1, "{lines}");
    assert_eq!(log.stats().dropped.total(), 0);
}

#[test]
fn an_end_while_nothing_can_be_written_counts_what_is_lost_with_it() {
    let down = std::sync::Arc::new(AtomicBool::new(true));
    let moody = Moody { down, taken: std::sync::Arc::default() };
    let clock = Clock::manual(tollgate_engine::time::WallTime::from_nanos(1_000_000_000));
    let options = options(Target::Stdout, WhenFull::DropNewest, 64 << 10);
    let log = Log::start_with(options, Uuid::nil(), &clock, |_| Ok(Box::new(moody))).unwrap();
    let mut pen = log.pen();
    for number in 0..10 {
        decide(&mut pen, &clock, number);
    }
    until("it fails", || {
        clock.advance(1);
        (log.stats().errors > 0).then_some(())
    });
    std::thread::scope(|scope| {
        let closing = scope.spawn(|| log.close());
        while !closing.is_finished() {
            clock.advance(1_000_000_000);
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!((log.stats().written, log.stats().dropped.unsent), (0, 10));
}

#[test]
fn one_process_alone_writes_to_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::system();
    let start = || {
        let options = options(Target::Files(files(dir.path())), WhenFull::DropNewest, 64 << 10);
        Log::start(options, Uuid::nil(), &clock)
    };
    let first = start().unwrap();
    assert!(start().unwrap_err().to_string().contains("another process"));
    first.close();
    start().unwrap().close();
}

#[test]
fn a_file_that_could_not_be_compressed_is_tried_again_when_the_next_is_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let clock = Clock::system();
    let mut log_files = files(dir.path());
    log_files.rotate_bytes = 1;
    let log =
        Log::start(options(Target::Files(log_files), WhenFull::DropNewest, 1 << 20), Uuid::nil(), &clock);
    let (log, mut number) = (log.unwrap(), 0);
    let mut pen = log.pen();
    // Each record has a file of its own, which is complete with the next one.
    let mut next = || {
        decide(&mut pen, &clock, number);
        number += 1;
        until("it is written", || (log.stats().written == number).then_some(()));
    };
    let plain = || {
        let files = reader::files(dir.path()).unwrap();
        files
            .into_iter()
            .filter(|path| path.extension().is_some_and(|end| end == "jsonl"))
            .collect::<Vec<_>>()
    };
    next();
    until("only what grows is plain", || (plain().len() == 1).then_some(()));
    let stays = plain().remove(0);
    // Compressing goes by way of this file.
    let hinders = stays.with_extension("tmp");
    std::fs::create_dir(&hinders).unwrap();
    next();
    next();
    let packed = |path: &Path| at(&format!("{}.zst", path.file_name().unwrap().to_str().unwrap()));
    until("others are compressed", || (plain().len() == 2).then_some(()));
    assert!(stays.exists() && !packed(&stays).exists());
    std::fs::remove_dir(&hinders).unwrap();
    next();
    until("it is compressed too", || (!stays.exists() && packed(&stays).exists()).then_some(()));
    log.close();
    assert_eq!(count(&all(dir.path()), "decision"), number);
}
