//! What survives a restart: the last good bundle, who this instance is, and what it has counted.
//!
//! Files are written beside their place, flushed, and renamed onto it, so that a crash leaves
//! the old one or the new one.

mod bundle;
mod format;
mod health;
mod keeper;
mod kept;
mod lock;
mod save;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use tollgate_engine::time::WallTime;
use uuid::Uuid;

use crate::config::value::OnBadState;

pub(super) use format::{Blocks, Section, Writer};
pub(super) use health::Health;
pub use health::StateFile;
pub(super) use keeper::{Contents, Keeper};
pub use kept::Restored;
pub(super) use kept::{Head, KeptState};
pub(super) use save::guardrails;

const STATE: &str = "state";
const INSTANCE: &str = "instance";

/// A directory of its own for each process.
#[derive(Debug)]
pub(super) struct StateDir {
    path: PathBuf,
    /// Nobody else uses the directory while this file is held.
    _held: File,
}

impl StateDir {
    /// Makes the directory where it is missing, takes it for this process alone, and sees whether
    /// it can be written.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let cannot = || format!("{}: the state directory cannot be written", path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(path).with_context(cannot)?;
        let dir = Self { path: path.to_owned(), _held: lock::hold(path)? };
        dir.write("probe", b"").with_context(cannot)?;
        fs::remove_file(dir.at("probe")).with_context(cannot)?;
        Ok(dir)
    }

    /// What the process before has kept, and the name of the file that was set aside instead.
    ///
    /// # Errors
    /// The file is of no use, and the operator wants no start without it.
    pub(super) fn kept<M: DeserializeOwned>(
        &self,
        on_bad: OnBadState,
        now: WallTime,
    ) -> anyhow::Result<(Option<KeptState>, Option<String>)> {
        let path = self.at(STATE);
        let read = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
            Err(error) => Err(anyhow::Error::from(error)),
            Ok(bytes) => KeptState::read::<M>(bytes).map_err(anyhow::Error::from),
        };
        let why = match read {
            Ok(kept) => return Ok((Some(kept), None)),
            Err(why) => why,
        };
        let path = path.display();
        if on_bad == OnBadState::Refuse {
            bail!(
                "{path}: the state cannot be read: {why}; bring back an intact file, or start once with \
                 `--on-bad-state fresh`, which sets it aside and begins with empty limits and budgets"
            );
        }
        let aside = self
            .set_aside(now)
            .with_context(|| format!("{path}: it cannot be read ({why}) and not be set aside either"))?;
        let why = why.to_string();
        tracing::error!(
            why,
            aside,
            "the state cannot be read and was set aside: limits and budgets are empty"
        );
        Ok((None, Some(aside)))
    }

    fn set_aside(&self, now: WallTime) -> io::Result<String> {
        let time = jiff::Timestamp::from(now).strftime("%Y%m%dT%H%M%SZ").to_string();
        let names = (1_u32..).map(|n| match n {
            1 => format!("{STATE}.damaged-{time}"),
            n => format!("{STATE}.damaged-{time}-{n}"),
        });
        let free = names.take(1_000).find(|name| !self.at(name).exists());
        let name = free.ok_or_else(|| io::Error::from(ErrorKind::AlreadyExists))?;
        fs::rename(self.at(STATE), self.at(&name))?;
        Ok(name)
    }

    /// The instance that ended cleanly here, taken away: if this one crashes, the next is new.
    pub(super) fn take_instance(&self) -> Option<Uuid> {
        let path = self.at(INSTANCE);
        let kept = fs::read_to_string(&path).ok()?;
        fs::remove_file(&path).ok()?;
        Uuid::try_parse(kept.trim()).ok()
    }

    /// Notes that this instance ended cleanly.
    pub(super) fn keep_instance(&self, instance: Uuid) {
        if let Err(error) = self.write(INSTANCE, instance.to_string().as_bytes()) {
            tracing::error!(%error, "the id of this instance cannot be kept");
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.replace(name, |file| file.write_all(bytes))
    }

    /// Puts a new file in the place of another, whole or not at all.
    fn replace<T>(&self, name: &str, fill: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let beside = self.at(&format!("{name}.new"));
        // It names users and tenants, wherever somebody has put the directory.
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let filled = open.and_then(|mut file| {
            let done = fill(&mut file)?;
            file.sync_all()?;
            Ok(done)
        });
        let moved = filled.and_then(|done| fs::rename(&beside, self.at(name)).map(|()| done));
        if moved.is_err() {
            // A full disk should not be kept full by half a file.
            let _ = fs::remove_file(&beside);
        }
        let done = moved?;
        File::open(&self.path)?.sync_all()?;
        Ok(done)
    }
}

#[cfg(test)]
mod tests;
