//! Policy tests: cases beside a bundle, run on the engine that serves (design 3.2).
//!
//! Pure: files are read and results are shown elsewhere. Nothing sleeps, and a case says what
//! time it is.

pub mod answer;
mod answer_guardrails;
mod boundary;
mod breakers;
pub mod coverage;
pub mod crew;
pub mod expect;
mod expectable;
mod judge;
mod read;
mod read_deed;
mod read_expect;
mod read_request;
mod read_step;
mod references;
pub mod result;
mod rows;
mod run;
pub mod sequence;
mod shape;
mod step;
pub mod suite;
#[cfg(test)]
mod tests;
mod why;
pub mod world;

pub use boundary::Boundaries;
pub use coverage::{Coverage, Gaps, Missing, OneSided};
pub use crew::{Crew, InTurn};
pub use expect::{Expected, Mismatch};
pub use read::{Reading, suite as read};
pub use result::{CaseResult, Failure, StepAt, SuiteResult, Verdict};
pub use run::{On, run};
pub use suite::{BundleAt, Case, Suite};
pub use world::World;
