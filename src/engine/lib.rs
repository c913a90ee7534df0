//! What a Tollgate policy means: read a bundle, compile it, decide.

// Whatever comes in gets an answer: no index out of range, no number cut short.
#![cfg_attr(not(test), warn(clippy::cast_possible_truncation, clippy::indexing_slicing))]

pub mod compile;
pub mod condition;
#[warn(clippy::wildcard_enum_match_arm)]
pub mod decide;
pub mod guardrail;
pub mod id;
#[warn(clippy::wildcard_enum_match_arm)]
pub mod model;
pub mod read;
pub mod sign;
pub mod simulate;
pub mod time;
pub mod unit;
pub mod value;
