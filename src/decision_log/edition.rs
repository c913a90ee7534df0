//! What the records of one bundle are read with: its name, its guardrails, what is masked.
//!
//! A record holds the number of its edition and no names, so that hardly anything is copied where it
//! is decided.

use std::sync::Arc;

use tollgate_engine::guardrail::{GuardId, Guards};

use super::mask::Masks;

/// What the records of one bundle are read with.
#[derive(Debug, Default)]
pub struct Edition {
    /// Its number; 0 is that of no bundle.
    pub number: u32,
    /// The bundle's version.
    pub version: String,
    /// The bundle's digest.
    pub digest: String,
    /// The guardrails that are live with it.
    pub guards: Arc<Guards>,
    /// What is masked.
    pub masks: Masks,
}

impl Edition {
    /// The name of a guardrail.
    pub(super) fn guardrail(&self, id: u64) -> String {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let known = self.guards.get(GuardId(id)).map(|guard| guard.name.as_str().to_owned());
        known.unwrap_or_else(|| format!("#{id}"))
    }
}
