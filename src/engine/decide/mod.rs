//! From a request to an answer (design 1.6).

pub mod authorize;
pub mod decision;

pub use authorize::{Explanation, RuleOutcome, RuleTrace, Scratch, authorize, explain};
pub use decision::{Answer, Decision, Obligations};
pub use crate::model::request::{Action, Estimate, Request, Subject};
