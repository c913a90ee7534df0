//! Live guardrails and open decisions on their way into a file, shard by shard.
//!
//! No request waits for more than one shard to be copied. What a decision took must never be given
//! back by a report that had been counted already, so the order matters: decisions that are open,
//! then the keys, then which decisions are settled. One that was settled in between is in both
//! lists, and settled. One that was taken in between is in neither: what its keys hold for it ends
//! as the guardrail says.

use std::io;

use serde::Serialize;
use tollgate_engine::guardrail::open::OpenTable;
use tollgate_engine::guardrail::{At, Guards, Live};

use super::format::{Section, Writer};

/// Adds all guardrails with their keys, and all decisions that a report may come for.
///
/// `guards` gives those in force when it is asked, which is after the keys were read, so that none
/// of them belongs to a guardrail that is not there yet.
pub(in crate::data_plane) fn guardrails<M: Clone + Serialize>(
    file: &mut Writer<'_>,
    live: &Live,
    open: &OpenTable<M>,
    guards: impl FnOnce() -> std::sync::Arc<Guards>,
    at: At,
) -> io::Result<()> {
    for shard in 0..open.shards() {
        for decision in open.save_open(shard, at) {
            file.record(Section::Open, &decision)?;
        }
    }
    for shard in 0..live.shards() {
        for key in live.save_shard(shard, at) {
            file.record(Section::Keys, &key)?;
        }
    }
    for guard in live.save_guards(&guards(), at) {
        file.record(Section::Guards, &guard)?;
    }
    for shard in 0..open.shards() {
        for settled in open.save_settled(shard, at) {
            file.record(Section::Settled, &settled)?;
        }
    }
    Ok(())
}
