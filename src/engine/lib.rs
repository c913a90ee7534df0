//! What a Tollgate policy means: read a bundle, compile it, decide.

pub mod compile;
pub mod condition;
pub mod decide;
pub mod guardrail;
pub mod id;
pub mod model;
pub mod read;
pub mod time;
pub mod unit;
pub mod value;
