//! The thread with something small to write, and disks that do not take it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::super::format::{Blocks, Section};
use super::super::health::StateFile;
use super::*;

const SOON: Duration = Duration::from_millis(10);

#[derive(Default)]
struct Number {
    value: AtomicU64,
    waits: AtomicBool,
}

impl Contents for Number {
    fn is_waiting(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }

    fn save(&self, file: &mut Writer<'_>) -> io::Result<()> {
        file.record(Section::Head, &self.value.load(Ordering::SeqCst))
    }
}

struct Kept {
    folder: tempfile::TempDir,
    number: Arc<Number>,
    health: Arc<Mutex<Health>>,
    keeper: Option<Keeper>,
}

fn start(every: Duration) -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let dir = Arc::new(StateDir::open(folder.path()).unwrap());
    let (number, health) = (Arc::<Number>::default(), Arc::<Mutex<Health>>::default());
    let weak = Arc::downgrade(&number);
    let keeper = Keeper::start(dir, weak, Arc::clone(&health), Clock::system(), every).unwrap();
    Kept { folder, number, health, keeper: Some(keeper) }
}

impl Kept {
    /// The number in the file.
    fn read(&self) -> Option<u64> {
        let bytes = fs::read(self.folder.path().join(STATE)).ok()?;
        Blocks::read(bytes).unwrap().records(Section::Head).next()?.ok()
    }

    fn close(&mut self) -> bool {
        self.keeper.take().unwrap().close()
    }

    fn wait(&self, what: &str, reached: impl Fn(&StateFile) -> bool) {
        for _ in 0..1_000 {
            if reached(&lock(&self.health).show(0)) {
                return;
            }
            std::thread::sleep(SOON);
        }
        panic!("{what}: {:?}", lock(&self.health).show(0));
    }
}

#[test]
fn it_writes_at_the_interval_and_at_the_end() {
    let mut kept = start(SOON);
    for value in [1, 2] {
        kept.number.value.store(value, Ordering::SeqCst);
        let before = lock(&kept.health).show(0).writes;
        kept.wait("two writes", |file| file.writes >= before + 2);
        assert_eq!(kept.read(), Some(value));
    }
    kept.number.value.store(3, Ordering::SeqCst);
    assert!(kept.close());
    assert_eq!(kept.read(), Some(3));

    let mut seldom = start(Duration::from_secs(3_600));
    seldom.number.value.store(4, Ordering::SeqCst);
    assert!(seldom.close());
    assert_eq!(seldom.read(), Some(4));
}

#[test]
fn it_leaves_the_file_alone_while_what_it_holds_waits() {
    let mut kept = start(SOON);
    kept.number.waits.store(true, Ordering::SeqCst);
    kept.wait("it starts", |_| true);
    fs::write(kept.folder.path().join(STATE), "as it was").unwrap();
    std::thread::sleep(5 * SOON);
    assert!(kept.close());
    assert_eq!(fs::read_to_string(kept.folder.path().join(STATE)).unwrap(), "as it was");
}

#[test]
fn it_ends_without_a_word_when_nobody_has_anything_to_write() {
    let mut kept = start(SOON);
    kept.number = Arc::default();
    let keeper = kept.keeper.take().unwrap();
    for _ in 0..1_000 {
        if keeper.thread.as_ref().unwrap().is_finished() {
            assert!(!keeper.close());
            return;
        }
        std::thread::sleep(SOON);
    }
    panic!("the thread goes on");
}

#[test]
fn a_disk_that_fails_is_said_and_tried_again() {
    let mut kept = start(SOON);
    kept.wait("it writes", |file| file.writes > 0);
    // Even for root a folder is no file to write to, and one with something in it stays.
    let beside = kept.folder.path().join("state.new");
    block(&beside);
    kept.wait("it fails", |file| file.failures > 1 && file.error.is_some());
    let writes = lock(&kept.health).show(0).writes;
    fs::remove_dir_all(&beside).unwrap();
    kept.wait("it writes again", |file| file.writes > writes && file.error.is_none());
    block(&beside);
    assert!(!kept.close(), "the last write failed");
}

/// Puts a folder with something in it where a file is to be written.
fn block(beside: &Path) {
    // Between two writes there is no such file.
    while fs::create_dir(beside).is_err() || fs::write(beside.join("x"), "").is_err() {}
}

/// Linux has a device that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let mut kept = start(Duration::from_secs(3_600));
    std::os::unix::fs::symlink("/dev/full", kept.folder.path().join("state.new")).unwrap();
    assert!(!kept.close());
    let shown = lock(&kept.health).show(0);
    assert!(shown.error.as_ref().is_some_and(|error| error.contains("No space left")), "{shown:?}");
}

#[test]
fn a_write_that_takes_long_is_followed_by_a_rest() {
    for (took, want) in [(0, 1_000), (50, 900), (300, 400), (400, 400), (2_000, 2_000)] {
        let rest = rest_after(Duration::from_secs(1), Duration::from_millis(took));
        assert_eq!(rest, Duration::from_millis(want), "{took}");
    }
}
