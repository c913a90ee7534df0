//! From a request to an answer (design 1.6).

mod authorize;
mod decision;
mod explain;
mod obligations;

pub use crate::model::request::{Action, Estimate, Request, Subject};
pub use authorize::{Scratch, authorize};
pub use decision::{Answer, Decision, Obligations};
pub use explain::{Explanation, MAX_TRACES, RuleOutcome, RuleTrace, explain};
