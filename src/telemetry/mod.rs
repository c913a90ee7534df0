//! What the process says about itself.

pub mod decisions;
pub mod exemplar;
pub mod logs;
pub mod manual;
pub mod metrics;
pub mod outcomes;
pub mod page;
pub mod recent;
mod scrape;
pub mod traces;
