//! One process for a state directory: two would write over each other, and each would hand out
//! the whole of a budget.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context as _, bail};

const LOCK: &str = "lock";

/// Takes the directory until the file is dropped, or until the process ends in whatever way.
pub(super) fn hold(dir: &Path) -> anyhow::Result<File> {
    let shown = dir.display();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(dir.join(LOCK))
        .with_context(|| format!("{shown}: the state directory cannot be written"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("{shown}: another process uses this state directory; give each its own by `--state-dir`")
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{shown}: the state directory cannot be locked"))
        }
    }
}
