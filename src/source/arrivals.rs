//! Notices that files may have changed.
//!
//! The *folder* is watched and not the file: editors replace files by renaming, and Kubernetes
//! renames a link beside them. What is watched is looked up again after each change, since a
//! folder may appear later or be replaced as a whole. It only wakes; what changed is found out by
//! reading.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::content;

/// Watches the surroundings of some paths.
pub struct Arrivals {
    paths: Vec<PathBuf>,
    watcher: Option<RecommendedWatcher>,
    watched: Vec<Watched>,
    interest: Arc<Mutex<Interest>>,
}

/// A folder, by name and by identity: a new folder of the same name is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    folder: PathBuf,
    device: u64,
    inode: u64,
    reach: Reach,
}

/// How much of a folder is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// Everything in it.
    Below,
    /// Its own entries.
    Near,
    /// Only those of its entries that the path leads through.
    Way,
}

/// Links that are followed at most, as the system does.
const MAX_LINKS: usize = 40;

impl Arrivals {
    /// Calls `wake` whenever something near one of `paths` may have changed it. Without the
    /// system's help (no inotify left) it never does, and polling has to do.
    pub fn new(paths: &[PathBuf], wake: impl Fn() + Send + 'static) -> Self {
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let paths: Vec<PathBuf> = paths.iter().map(absolute).collect();
        let interest = Arc::new(Mutex::new(Interest::default()));
        let of_interest = Arc::clone(&interest);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| lock(&of_interest).covers(&event)) {
                wake();
            }
        });
        let first = paths.first().cloned().unwrap_or_default();
        let watcher = watcher.map_err(|error| complain(&first, &error)).ok();
        Self { paths, watcher, watched: Vec::new(), interest }
    }

    /// Watches what is there now. Call it before reading, so that no change falls between.
    pub fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let way: Vec<PathBuf> = self.paths.iter().flat_map(|path| way(path)).collect();
        let wanted = surroundings(&self.paths, &way);
        *lock(&self.interest) = Interest::of(&self.paths, &way, &wanted);
        if wanted == self.watched {
            return;
        }
        for old in &self.watched {
            // It may be gone already, and its watch with it.
            let _ = watcher.unwatch(&old.folder);
        }
        self.watched.clear();
        for new in wanted {
            let mode = if new.reach == Reach::Below {
                RecursiveMode::Recursive
            } else {
                RecursiveMode::NonRecursive
            };
            match watcher.watch(&new.folder, mode) {
                Ok(()) => self.watched.push(new),
                // Far above may be what we may not read; it seldom changes.
                Err(_) if new.reach == Reach::Way => self.watched.push(new),
                Err(error) => complain(&new.folder, &error),
            }
        }
    }
}

fn lock(interest: &Mutex<Interest>) -> MutexGuard<'_, Interest> {
    interest.lock().unwrap_or_else(PoisonError::into_inner)
}

fn complain(path: &Path, error: &notify::Error) {
    let path = path.display().to_string();
    tracing::warn!(path, %error, "cannot be watched; changes are noticed by polling only");
}

/// Everything that the path leads through, links and where they lead included: `gs/current/b.yaml`
/// changes when the link `gs/current` does.
fn way(path: &Path) -> Vec<PathBuf> {
    let (mut at, mut all, mut links) = (PathBuf::new(), Vec::new(), 0);
    let mut ahead: Vec<PathBuf> = parts(path);
    while let Some(part) = ahead.pop() {
        if part == Path::new("..") {
            at.pop();
            continue;
        }
        at.push(part);
        all.push(at.clone());
        if let Ok(target) = at.read_link()
            && links < MAX_LINKS
        {
            links += 1;
            at.pop();
            ahead.extend(parts(&target));
        }
    }
    all
}

/// The parts of a path, the first one last. The root is one that replaces what is before it.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

/// The paths themselves if they are folders, and the nearest folders above them; the same for
/// where links lead; and the folders on the way.
fn surroundings(paths: &[PathBuf], way: &[PathBuf]) -> Vec<Watched> {
    let mut all: Vec<Watched> = paths.iter().flat_map(|path| around(path)).collect();
    for path in paths {
        if let Ok(real) = path.canonicalize()
            && real != *path
        {
            all.extend(around(&real));
        }
    }
    let above = way.iter().filter_map(|part| part.parent());
    all.extend(above.filter_map(|folder| watched(folder, Reach::Way)));
    let mut distinct: Vec<Watched> = Vec::new();
    for one in all {
        // The system keeps one watch for a folder, by whichever name.
        let same = |other: &&mut Watched| (other.device, other.inode) == (one.device, one.inode);
        match distinct.iter_mut().find(same) {
            Some(other) if one.reach < other.reach => *other = one,
            Some(_) => {}
            None => distinct.push(one),
        }
    }
    distinct
}

fn around(path: &Path) -> Vec<Watched> {
    let itself = path.is_dir().then(|| watched(path, Reach::Below)).flatten();
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    itself.into_iter().chain(above.and_then(|folder| watched(folder, Reach::Near))).collect()
}

fn watched(folder: &Path, reach: Reach) -> Option<Watched> {
    let metadata = std::fs::metadata(folder).ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    Some(Watched { folder: folder.to_owned(), device, inode, reach })
}

/// Which events are worth a look, so that a busy folder does not keep us reading.
#[derive(Debug, Default)]
struct Interest {
    /// The names on the way to the paths, their own included.
    names: HashSet<OsString>,
    /// Folders of which only these names count.
    ways: Vec<PathBuf>,
}

impl Interest {
    fn of(paths: &[PathBuf], way: &[PathBuf], watched: &[Watched]) -> Self {
        let on_the_way = way.iter().filter_map(|part| part.file_name());
        let ways = watched.iter().filter(|one| one.reach == Reach::Way);
        Self {
            names: paths.iter().flat_map(|path| path.iter()).chain(on_the_way).map(OsStr::to_owned).collect(),
            ways: ways.map(|one| one.folder.clone()).collect(),
        }
    }

    fn covers(&self, event: &Event) -> bool {
        let looked_at_only = match event.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            EventKind::Access(_) => true,
            _ => false,
        };
        !looked_at_only
            && (event.need_rescan()
                || event.paths.is_empty()
                || event.paths.iter().any(|path| self.covers_path(path)))
    }

    fn covers_path(&self, path: &Path) -> bool {
        let Some(name) = path.file_name() else { return true };
        if self.names.contains(name) {
            return true;
        }
        if self.ways.iter().any(|folder| Some(folder.as_path()) == path.parent()) {
            return false;
        }
        // `..data` is the link that Kubernetes renames; a name without an ending may be a folder.
        let text = name.to_string_lossy();
        text.starts_with("..") || content::belongs(&text) || !text.contains('.')
    }
}
