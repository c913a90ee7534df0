//! The live state of guardrails: limits, breakers, budgets (design 1.7, 2.2).
//!
//! A request asks some guardrails, each about one key ([`Asks`]); the [`Ledger`] checks and
//! charges them all or none and gives [`Ticket`]s for what has to be settled by the report.

// A limit must not be wrong by an overflow.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

pub mod again;
pub mod ask;
pub mod breaker;
pub mod budget;
pub mod concurrency;
pub mod count_log;
pub mod draw;
pub mod guard;
pub mod hottest;
pub mod key;
pub mod lease;
pub mod ledger;
pub mod live;
pub mod open;
pub mod operate;
pub mod outcomes;
pub mod rate_limit;
pub mod refused;
pub mod report;
pub mod retry;
pub mod sampling;
pub mod saved;
pub mod settle;
pub mod snapshot;
pub mod state;
pub mod sweep;
pub mod usage;
pub mod verdict;

pub mod directory;
#[cfg(test)]
mod fixture;
mod keyed;
#[cfg(all(test, loom))]
mod orders;
mod scan;
mod sheet;
mod sync;

pub use ask::{Asks, Facts};
pub use draw::Draw;
pub use guard::{Guard, GuardId};
pub use ledger::Ledger;
pub use live::{Guards, Live};
pub use state::At;
pub use verdict::{Ticket, Verdict};
