//! Tollgate, a policy decision point: the server and the command line around `tollgate-engine`.

pub mod cli;
pub mod config;
pub mod telemetry;
