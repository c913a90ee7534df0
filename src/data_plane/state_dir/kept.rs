//! A state file that was read back, until its guardrails are there to take what it holds.

use std::collections::HashSet;
use std::sync::Arc;

use foldhash::quality::RandomState;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tollgate_engine::guardrail::open::OpenTable;
use tollgate_engine::guardrail::saved::{Offset, SavedKey};
use tollgate_engine::guardrail::snapshot::{SavedDecision, SavedGuard, down};
use tollgate_engine::guardrail::{At, Guards, Live};
use tollgate_engine::time::WallTime;

use super::super::approvals::saved::{SavedApproval, SavedApprovals};
use super::super::approvals::spent::SavedSpent;
use super::super::stops::SavedStop;
use super::format::{Bad, Blocks, Section};

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::data_plane) struct Head {
    /// When it was written, in nanoseconds since 1970.
    pub(in crate::data_plane) written: i64,
    /// Which instance wrote it.
    pub(in crate::data_plane) instance: u128,
    /// The secret by which it knows the ids of decisions that took nothing.
    pub(in crate::data_plane) mark: u64,
    /// Which version of the program.
    pub(in crate::data_plane) program: String,
}

/// A file that can be read from front to back.
#[derive(Debug)]
pub(in crate::data_plane) struct KeptState {
    head: Head,
    blocks: Arc<Blocks>,
    /// Guardrails that no bundle has named yet.
    waiting: Vec<SavedGuard>,
    applied: bool,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Keys that go on where they were.
    pub keys: u64,
    /// Keys that their guardrails have no room for any more.
    pub keys_left_out: u64,
    /// Decisions that a report may still come for.
    pub open_decisions: u64,
    /// Decisions whose report has come.
    pub settled_decisions: u64,
}

impl KeptState {
    /// Reads all of a file once, so that nothing in it fails later.
    pub(super) fn read<M: DeserializeOwned>(bytes: Vec<u8>) -> Result<Self, Bad> {
        let blocks = Blocks::read(bytes)?;
        let mut heads = blocks.records(Section::Head);
        let head = heads.next().unwrap_or(Err(Bad::Damaged("it does not say when it was written")))?;
        drop(heads);
        let waiting = blocks.records(Section::Guards).collect::<Result<_, _>>()?;
        blocks.records::<(u32, SavedKey)>(Section::Keys).try_for_each(|key| key.map(drop))?;
        blocks.records::<SavedDecision<M>>(Section::Open).try_for_each(|open| open.map(drop))?;
        blocks.records::<(u128, Offset)>(Section::Settled).try_for_each(|settled| settled.map(drop))?;
        blocks.records::<SavedApproval>(Section::Approvals).try_for_each(|one| one.map(drop))?;
        blocks.records::<SavedStop>(Section::Stops).try_for_each(|one| one.map(drop))?;
        blocks.records::<SavedSpent>(Section::Spent).try_for_each(|one| one.map(drop))?;
        Ok(Self { head, blocks: Arc::new(blocks), waiting, applied: false })
    }

    /// What people were asked, and what is left of their grants.
    pub(in crate::data_plane) fn approvals(&self) -> SavedApprovals {
        SavedApprovals {
            instance: self.head.instance,
            approvals: self.blocks.records(Section::Approvals).filter_map(Result::ok).collect(),
            spent: self.blocks.records(Section::Spent).filter_map(Result::ok).collect(),
        }
    }

    /// What operators had stopped.
    pub(in crate::data_plane) fn stops(&self) -> Vec<SavedStop> {
        self.blocks.records(Section::Stops).filter_map(Result::ok).collect()
    }

    /// All that it holds, as it was found.
    pub(in crate::data_plane) fn blocks(&self) -> Arc<Blocks> {
        Arc::clone(&self.blocks)
    }

    /// What it says of itself.
    pub(in crate::data_plane) fn head(&self) -> &Head {
        &self.head
    }

    /// When it was written.
    pub(in crate::data_plane) fn written(&self) -> WallTime {
        WallTime::from_nanos(self.head.written)
    }

    /// Whether there are guardrails in it that no bundle has named yet.
    pub(in crate::data_plane) fn is_waiting(&self) -> bool {
        !self.applied || !self.waiting.is_empty()
    }

    /// Whether nothing of it has been put back yet.
    pub(in crate::data_plane) fn is_untouched(&self) -> bool {
        !self.applied
    }

    /// Puts back what belongs to these guardrails, which serve nobody yet. The first time also the
    /// decisions: their ids must be known, whatever becomes of what they took.
    pub(in crate::data_plane) fn apply<M: Clone + DeserializeOwned>(
        &mut self,
        live: &Live,
        guards: &Guards,
        open: &OpenTable<M>,
        at: At,
    ) -> Restored {
        let translation = live.translate(&self.waiting, guards, down(self.written(), at.wall), at);
        let mut restored = Restored::default();
        for (guard, key) in self.blocks.records::<(u32, SavedKey)>(Section::Keys).flatten() {
            match translation.found(guard) {
                true if live.restore(&translation, guard, &key) => restored.keys += 1,
                true => restored.keys_left_out += 1,
                false => {}
            }
        }
        self.waiting.retain(|guard| !translation.found(guard.id));
        if std::mem::replace(&mut self.applied, true) {
            return restored;
        }
        let settled: Vec<(u128, Offset)> = self.blocks.records(Section::Settled).flatten().collect();
        let known: HashSet<u128, RandomState> = settled.iter().map(|(id, _)| *id).collect();
        for decision in self.blocks.records::<SavedDecision<M>>(Section::Open).flatten() {
            if !known.contains(&decision.id) {
                open.restore(&translation, &decision);
                restored.open_decisions += 1;
            }
        }
        for (id, when) in &settled {
            open.restore_settled(&translation, *id, *when);
        }
        restored.settled_decisions = settled.len() as u64;
        restored
    }
}
