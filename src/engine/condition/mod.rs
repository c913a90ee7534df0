//! Conditions: what a test over a request means.
//!
//! Two ways to write them, one meaning (design 1.5): `conditions` become flat [`eval`] tests,
//! `when` expressions become [`cel`] programs, and both answer true, false or one of two kinds
//! of unknown.

pub mod glob;
