//! Collectors that answer 500, hang, close, ask for patience, and come back: all records arrive at least
//! once, and those that decide wait for nothing.

use super::*;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a collector does with a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Takes,
    /// Answers with this status.
    Says(&'static str),
    /// Takes the batch and never answers.
    Hangs,
    Closes,
}

/// A collector on this machine.
struct Collecting {
    url: String,
    mood: Arc<Mutex<Mood>>,
    /// Names and lines of the batches that were taken.
    taken: Arc<Mutex<Vec<(String, String)>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Collecting {
    fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/decisions", listener.local_addr().unwrap());
        let collecting =
            Self { url, mood: Arc::new(Mutex::new(mood)), taken: Arc::default(), asked: Arc::default() };
        let (mood, taken, asked) =
            (Arc::clone(&collecting.mood), Arc::clone(&collecting.taken), Arc::clone(&collecting.asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mood, taken, asked) = (Arc::clone(&mood), Arc::clone(&taken), Arc::clone(&asked));
                std::thread::spawn(move || serve(stream.unwrap(), &mood, &taken, &asked));
            }
        });
        collecting
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The numbers of the decisions that arrived.
    fn arrived(&self) -> BTreeSet<u64> {
        let taken = self.taken.lock().unwrap();
        let lines = taken.iter().flat_map(|(_, lines)| lines.lines());
        let records = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
        records.filter_map(|record| record["request"]["context"]["n"].as_u64()).collect()
    }
}

fn serve(
    stream: TcpStream,
    mood: &Mutex<Mood>,
    taken: &Mutex<Vec<(String, String)>>,
    asked: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut head, mut length, mut name) = (String::new(), 0, String::new());
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            match &*field.to_ascii_lowercase() {
                "content-length" => length = value.trim().parse().unwrap(),
                "tollgate-batch" => name = value.trim().to_owned(),
                _ => {}
            }
            head += &line;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        asked.lock().unwrap().push(head);
        let now = *mood.lock().unwrap();
        let status = match now {
            Mood::Closes => return None,
            Mood::Hangs => {
                std::thread::sleep(Duration::from_secs(20));
                return None;
            }
            Mood::Says(status) => status,
            Mood::Takes => {
                let mut lines = String::new();
                flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut lines).unwrap();
                taken.lock().unwrap().push((name, lines));
                "204 No Content"
            }
        };
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()?;
    }
}

fn collector(url: &str) -> Collector {
    Collector {
        url: url.to_owned(),
        auth_file: None,
        ca_file: None,
        buffer_dir: None,
        buffer_bytes: 1 << 20,
        batch_bytes: 10_000,
        batch_after: Duration::from_millis(20),
        timeout: Duration::from_millis(500),
    }
}

fn start(collector: Collector, when_full: WhenFull) -> (Log, Clock) {
    let clock = Clock::system();
    let target = Target::Collector(Box::new(collector));
    let log = Log::start(options(target, when_full, 64 << 10), Uuid::nil(), &clock).unwrap();
    (log, clock)
}

#[test]
fn whatever_ails_a_collector_all_records_arrive_once_it_is_well() {
    for mood in [
        Mood::Says("500 Oh No"),
        Mood::Says("503 Later\r\nretry-after: 1"),
        Mood::Hangs,
        Mood::Closes,
        Mood::Says("401 Who"),
    ] {
        let collecting = Collecting::start(mood);
        let (log, clock) = start(collector(&collecting.url), WhenFull::DropNewest);
        let mut pen = log.pen();
        for number in 0..100 {
            decide(&mut pen, &clock, number);
        }
        let why = until("it fails", || log.health().failing);
        assert!(why.starts_with(&collecting.url), "{why}");
        assert!(log.stats().backlog > 0 && log.stats().lag > 0);
        collecting.set(Mood::Takes);
        until("all arrive", || (collecting.arrived().len() == 100).then_some(()));
        until("it works again", || log.health().failing.is_none().then_some(()));
        log.close();
        let stats = log.stats();
        assert_eq!((stats.written, stats.dropped.total()), (100, 0), "{mood:?}");
        assert!(stats.errors > 0);
        let head = collecting.asked.lock().unwrap().join("");
        assert!(head.contains("content-encoding: gzip") && head.contains("application/x-ndjson"), "{head}");
        assert!(head.starts_with("POST /decisions"), "{head}");
    }
}

#[test]
fn what_a_collector_has_no_room_for_fills_the_rings_and_then_the_policy_holds() {
    let collecting = Collecting::start(Mood::Closes);
    let small = Collector { buffer_bytes: 20_000, ..collector(&collecting.url) };
    let (log, clock) = start(small, WhenFull::Refuse);
    let mut pen = log.pen();
    let mut brought = 0;
    until("actions are refused", || {
        decide(&mut pen, &clock, brought);
        brought += 1;
        (log.stats().dropped.refused > 0).then_some(())
    });
    collecting.set(Mood::Takes);
    until("there is room again", || {
        let before = log.stats().dropped.refused;
        decide(&mut pen, &clock, brought);
        brought += 1;
        (log.stats().dropped.refused == before).then_some(())
    });
    log.close();
    let stats = log.stats();
    assert_eq!(stats.written + stats.dropped.refused, brought);
    assert_eq!((collecting.arrived().len() as u64, stats.dropped.unsent), (stats.written, 0));
}

#[test]
fn batches_on_disk_outlive_the_process_and_keep_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    std::fs::write(&token, "Bearer abc\n").unwrap();
    let collecting = Collecting::start(Mood::Closes);
    let on_disk = || Collector {
        buffer_dir: Some(dir.path().join("buffer")),
        auth_file: Some(token.clone()),
        ..collector(&collecting.url)
    };
    let (log, clock) = start(on_disk(), WhenFull::DropNewest);
    let mut pen = log.pen();
    for number in 0..50 {
        decide(&mut pen, &clock, number);
    }
    until("it fails", || log.health().failing);
    log.close();
    assert_eq!(log.stats().dropped.total(), 0, "they are on the disk");
    // A batch that a kill has cut off.
    let part = dir.path().join("buffer/batch-99999999999999-ffffffff-00000001.part");
    std::fs::write(part, "{\"v\":1,\"request\":{\"context\":{\"n\":50}}}\n{\"v\":1,\"requ").unwrap();
    collecting.set(Mood::Takes);
    let (log, _) = start(on_disk(), WhenFull::DropNewest);
    until("all arrive", || (collecting.arrived().len() == 51).then_some(()));
    log.close();
    let heads = collecting.asked.lock().unwrap();
    assert!(heads.iter().all(|head| head.contains("authorization: Bearer abc")), "{heads:?}");
    let names: Vec<String> = collecting.taken.lock().unwrap().iter().map(|(name, _)| name.clone()).collect();
    assert!(names.iter().all(|name| name.starts_with("batch-")), "{names:?}");
    let left = std::fs::read_dir(dir.path().join("buffer")).unwrap().count();
    assert_eq!(left, 0, "what has arrived is deleted");
}

#[test]
fn a_batch_that_is_refused_for_good_is_given_up_and_counted() {
    let collecting = Collecting::start(Mood::Says("400 Bad\r\nretry-after: 0"));
    let (log, clock) = start(collector(&collecting.url), WhenFull::DropNewest);
    let mut pen = log.pen();
    decide(&mut pen, &clock, 0);
    until("it is given up", || (log.stats().dropped.unsent == 1).then_some(()));
    collecting.set(Mood::Takes);
    decide(&mut pen, &clock, 1);
    until("the next arrives", || (collecting.arrived() == BTreeSet::from([1])).then_some(()));
    log.close();
    assert_eq!((log.stats().written, log.stats().dropped.unsent), (1, 1));
}

#[test]
fn what_alone_fills_the_buffer_is_sent_and_not_kept_until_it_is_more() {
    let collecting = Collecting::start(Mood::Takes);
    let late = Duration::from_secs(3_600);
    let small = Collector { buffer_bytes: 2_000, batch_after: late, batch_bytes: 1 << 20, ..collector("") };
    let (log, clock) = start(Collector { url: collecting.url.clone(), ..small }, WhenFull::DropNewest);
    until("the start of the log waits", || (log.stats().backlog > 0).then_some(()));
    let mut pen = log.pen();
    for number in 0..50 {
        decide(&mut pen, &clock, number);
    }
    until("all is taken", || (log.stats().waiting == 0).then_some(()));
    log.close();
    assert_eq!((collecting.arrived().len(), log.stats().dropped.total()), (50, 0));
}

#[test]
fn what_went_wrong_is_told_without_the_token_in_the_address() {
    let collecting = Collecting::start(Mood::Says("500 No"));
    let url = format!("{}?token=secret", collecting.url);
    let (log, clock) = start(collector(&url), WhenFull::DropNewest);
    decide(&mut log.pen(), &clock, 0);
    let why = until("it fails", || log.health().failing);
    assert!(why.starts_with(&collecting.url) && !why.contains("secret"), "{why}");
    collecting.set(Mood::Takes);
    log.close();
}

#[test]
fn a_batch_that_somebody_has_deleted_is_counted_and_does_not_hold_up_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let collecting = Collecting::start(Mood::Closes);
    let buffer_dir = Some(dir.path().to_owned());
    let (log, clock) = start(Collector { buffer_dir, ..collector(&collecting.url) }, WhenFull::Refuse);
    let mut pen = log.pen();
    decide(&mut pen, &clock, 0);
    until("it fails", || log.health().failing);
    let is_whole = |path: &Path| path.extension().is_some_and(|end| end == "jsonl");
    until("the decision is in a whole batch", || {
        let paths = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let held = paths.filter(|path| is_whole(path)).map(|path| std::fs::read_to_string(path).unwrap());
        held.into_iter().any(|lines| lines.contains("\"decision\"")).then_some(())
    });
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    collecting.set(Mood::Takes);
    decide(&mut pen, &clock, 1);
    until("the next arrives", || (collecting.arrived() == BTreeSet::from([1])).then_some(()));
    until("the other is counted", || (log.stats().dropped.unsent == 1).then_some(()));
    log.close();
}

#[test]
fn the_lag_is_the_age_of_what_has_waited_longest() {
    let collecting = Collecting::start(Mood::Says("503 Busy"));
    let clock = Clock::system();
    let target = Target::Collector(Box::new(collector(&collecting.url)));
    let log = Log::start(options(target, WhenFull::DropNewest, 1 << 20), Uuid::nil(), &clock).unwrap();
    let mut pen = log.pen();
    assert_eq!(log.stats().lag, 0);
    let last = 60;
    decide(&mut pen, &clock, 0);
    let first = clock.moment();
    for number in 1..=last {
        std::thread::sleep(Duration::from_millis(5));
        decide(&mut pen, &clock, number);
        let waited = clock.moment().since(first).nanos();
        let lag = log.stats().lag;
        assert!(lag >= waited, "after record {number}: {lag} of {waited} ns");
    }
    collecting.set(Mood::Takes);
    until("all is there", || (collecting.arrived().len() as u64 == last + 1).then_some(()));
    until("nothing waits", || (log.stats().lag == 0).then_some(()));
}
