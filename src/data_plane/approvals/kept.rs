//! Who this instance is and what it asked people, over a clean end.
//!
//! The two belong together: an instance that came back without knowing what was spent would take
//! a grant twice. After an unclean end there is neither, and older grants end with it.

use anyhow::Context as _;
use uuid::Uuid;

use super::super::StateDir;
use super::{Approvals, SavedApprovals};

const FILE: &str = "approvals.json";

/// Takes away what the instance before has kept, if it ended cleanly.
pub fn take(dir: &StateDir) -> Option<SavedApprovals> {
    let instance = dir.take_instance()?;
    match read(dir, instance) {
        Ok(saved) => Some(saved),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(
                error,
                "what people were asked cannot be read; grants that were given end with it"
            );
            None
        }
    }
}

fn read(dir: &StateDir, instance: Uuid) -> anyhow::Result<SavedApprovals> {
    let path = dir.at(FILE);
    let saved: SavedApprovals = std::fs::read(&path)
        .map_err(anyhow::Error::from)
        .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
        .with_context(|| path.display().to_string())?;
    anyhow::ensure!(saved.instance == instance.as_u128(), "{}: is of another instance", path.display());
    Ok(saved)
}

/// Keeps them at a clean end.
pub fn keep(dir: &StateDir, approvals: &Approvals) {
    let written = serde_json::to_vec(&approvals.export())
        .map_err(anyhow::Error::from)
        .and_then(|bytes| Ok(dir.write(FILE, &bytes)?));
    match written {
        Ok(()) => dir.keep_instance(approvals.instance()),
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(error, "what people were asked cannot be kept; grants that were given end here");
        }
    }
}
