//! From a request to an answer (design 1.6).

pub mod decision;
pub mod request;

pub use decision::{Answer, Decision, Obligations};
pub use request::{Action, Estimate, Request, Subject};
