//! From the options of the decision log to what it is made with.

use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::config::Config;
use crate::decision_log::options::{Collector, Files, Options, Target};
use crate::decision_log::{HashKey, SHORTEST_KEY};

/// What the decision log is made with; `None`: there is none.
///
/// # Errors
/// The key of masks cannot be read, or is too short.
pub(super) fn options(config: &Config) -> anyhow::Result<Option<Options>> {
    let Some(target) = target(config) else { return Ok(None) };
    Ok(Some(Options {
        target,
        when_full: config.decision_log_when_full,
        ring_bytes: config.decision_log_ring_bytes.0,
        masks: config.decision_log_mask.0.clone(),
        hash_key: config.decision_log_mask_key_file.as_deref().map(hash_key).transpose()?,
        rates: config.decision_log_sample.clone(),
    }))
}

fn target(config: &Config) -> Option<Target> {
    if let Some(dir) = &config.decision_log_dir {
        return Some(Target::Files(Files {
            dir: dir.clone(),
            rotate_bytes: config.decision_log_rotate_bytes.0 as u64,
            rotate_after: config.decision_log_rotate_seconds,
            keep_files: config.decision_log_keep_files.0,
            keep_bytes: config.decision_log_keep_bytes.0 as u64,
            fsync: config.decision_log_fsync,
            fsync_every: config.decision_log_fsync_seconds,
        }));
    }
    if let Some(url) = &config.decision_log_url.0 {
        return Some(Target::Collector(Box::new(Collector {
            url: url.to_string(),
            auth_file: config.decision_log_auth_file.clone(),
            ca_file: config.decision_log_ca_file.clone(),
            buffer_dir: config.decision_log_buffer_dir.clone(),
            buffer_bytes: config.decision_log_buffer_bytes.0 as u64,
            batch_bytes: config.decision_log_batch_bytes.0 as u64,
            batch_after: config.decision_log_batch_seconds,
            timeout: config.decision_log_timeout_seconds,
        })));
    }
    config.decision_log_stdout.then_some(Target::Stdout)
}

fn hash_key(path: &Path) -> anyhow::Result<HashKey> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("{shown}: the key of masks cannot be read"))?;
    let secret = bytes.trim_ascii();
    ensure!(
        secret.len() >= SHORTEST_KEY,
        "{shown}: the key of masks has {} bytes; write at least {SHORTEST_KEY}",
        secret.len()
    );
    Ok(HashKey::new(secret))
}
