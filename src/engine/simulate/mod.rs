//! Policy tests: cases beside a bundle, run on the engine that serves (design 3.2).
//!
//! Pure: files are read and results are shown elsewhere. Nothing sleeps, and a case says what
//! time it is.

pub mod answer;
pub mod coverage;
pub mod expect;
mod read;
mod read_expect;
pub mod result;
mod rows;
mod run;
mod shape;
mod steps;
pub mod suite;
#[cfg(test)]
mod tests;

pub use coverage::{Coverage, Gaps, Missing, OneSided};
pub use expect::{Expected, Mismatch};
pub use read::{Reading, suite as read};
pub use result::{CaseResult, Failure, SuiteResult, Verdict};
pub use run::{line, run};
pub use suite::{BundleAt, Case, Suite};
