//! A folder of this process for what can only be read from a disk, in memory where the machine has such a place.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::{env, fs, process};

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let shared = Path::new("/dev/shm");
    let parent = if shared.is_dir() { shared.to_owned() } else { env::temp_dir() };
    let folder = parent.join(format!("tollgate-fuzz-{}", process::id()));
    fs::create_dir_all(&folder).expect("a folder of our own");
    folder
});

pub(crate) fn folder() -> &'static Path {
    &FOLDER
}
