//! What the process says about itself.

pub mod decisions;
pub mod logs;
pub mod metrics;
pub mod outcomes;
pub mod page;
