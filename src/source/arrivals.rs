//! Notices that files may have changed.
//!
//! The *folder* is watched and not the file: editors replace files by renaming, and Kubernetes
//! renames a link beside them. What is watched is looked up again after each change, since a
//! folder may appear later or be replaced as a whole. It only wakes; what changed is found out by
//! reading.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::content;

/// Watches the surroundings of one path.
pub struct Arrivals {
    path: PathBuf,
    watcher: Option<RecommendedWatcher>,
    watched: Vec<Watched>,
}

/// A folder, by name and by identity: a new folder of the same name is another one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    folder: PathBuf,
    device: u64,
    inode: u64,
    below: bool,
}

impl Arrivals {
    /// Calls `wake` whenever something near `path` may have changed it. Without the system's
    /// help (no inotify left) it never does, and polling has to do.
    pub fn new(path: &Path, wake: impl Fn() + Send + 'static) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let of_interest = Interest::of(&path);
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| of_interest.covers(&event)) {
                wake();
            }
        });
        let watcher = watcher.map_err(|error| complain(&path, &error)).ok();
        Self { path, watcher, watched: Vec::new() }
    }

    /// Watches what is there now. Call it before reading, so that no change falls between.
    pub fn follow(&mut self) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = surroundings(&self.path);
        if wanted == self.watched {
            return;
        }
        for old in &self.watched {
            // It may be gone already, and its watch with it.
            let _ = watcher.unwatch(&old.folder);
        }
        self.watched.clear();
        for new in wanted {
            let mode = if new.below { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            match watcher.watch(&new.folder, mode) {
                Ok(()) => self.watched.push(new),
                Err(error) => complain(&new.folder, &error),
            }
        }
    }
}

fn complain(path: &Path, error: &notify::Error) {
    let path = path.display().to_string();
    tracing::warn!(path, %error, "cannot be watched; changes are noticed by polling only");
}

/// The path itself if it is a folder, and the nearest folder above it; the same for where links
/// lead.
fn surroundings(path: &Path) -> Vec<Watched> {
    let mut all = around(path);
    if let Ok(real) = path.canonicalize()
        && real != path
    {
        all.extend(around(&real));
    }
    let mut distinct: Vec<Watched> = Vec::new();
    for one in all {
        if !distinct.iter().any(|other| other.folder == one.folder) {
            distinct.push(one);
        }
    }
    distinct
}

fn around(path: &Path) -> Vec<Watched> {
    let itself = path.is_dir().then(|| watched(path, true)).flatten();
    let above = path.ancestors().skip(1).find(|folder| folder.is_dir());
    itself.into_iter().chain(above.and_then(|folder| watched(folder, false))).collect()
}

fn watched(folder: &Path, below: bool) -> Option<Watched> {
    let metadata = std::fs::metadata(folder).ok()?;
    let (device, inode) = (metadata.dev(), metadata.ino());
    Some(Watched { folder: folder.to_owned(), device, inode, below })
}

/// Which events are worth a look, so that a busy folder does not keep us reading.
struct Interest {
    /// The names on the way to the path, its own included.
    names: Vec<std::ffi::OsString>,
}

impl Interest {
    fn of(path: &Path) -> Self {
        Self { names: path.iter().map(std::ffi::OsStr::to_owned).collect() }
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
        let text = name.to_string_lossy();
        // `..data` is the link that Kubernetes renames; a name without an ending may be a folder.
        self.names.iter().any(|own| own == name)
            || text.starts_with("..")
            || content::belongs(&text)
            || !text.contains('.')
    }
}
