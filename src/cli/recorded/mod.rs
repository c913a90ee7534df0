//! The decision log as commands read it: which records somebody wants, and how they are shown.

mod account;
mod place;
mod row;
mod wanted;

pub use account::{account, question};
pub use place::{Following, LogPlace, Step};
pub use row::row;
pub use wanted::Wanted;
