//! Conditions: what a test over a request means.
//!
//! Two ways to write them, one meaning (design 1.5): `conditions` become flat [`mod@test`]s, `when`
//! expressions become [`cel`] programs or, where their shape allows, flat tests too. Both answer
//! true, false or one of two kinds of unknown.

pub mod cel;
pub mod compare;
pub mod glob;
pub mod slots;
pub mod test;
pub mod truth;
