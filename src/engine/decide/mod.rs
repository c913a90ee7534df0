//! From a request to an answer (design 1.6).

mod account;
mod authorize;
mod decision;
mod desk;
mod explain;
mod guarding;
mod obligations;
mod stop;
mod together;

pub use crate::model::request::{Action, Estimate, Grant, Question, Request, Subject};
pub use account::GuardrailTrace;
pub use authorize::{Scratch, authorize};
pub use decision::{Answer, Decision, Obligations, RetryPlan};
pub use desk::{Decided, Desk, Explained, GrantBook, NoGrants, Read, Tools};
pub use explain::{Explanation, MAX_TRACES, RuleOutcome, RuleTrace, explain};
pub use guarding::{BadCost, Visit, find_guardrails};
pub use stop::{Stop, StopEffect, Stops};
