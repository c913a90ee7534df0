//! Tollgate: a policy decision point that runs beside a service and decides on its actions.

pub mod cli;
pub mod clock;
pub mod config;
pub mod data_plane;
pub mod decision_log;
pub mod events;
pub mod grpc;
pub mod http;
pub mod load;
pub mod pb;
pub mod serve;
pub mod source;
pub mod telemetry;
pub mod tls;
