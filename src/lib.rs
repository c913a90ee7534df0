//! Tollgate: a policy decision point that runs beside a service and decides on its actions.

pub mod clock;
pub mod data_plane;
pub mod grpc;
pub mod pb;
pub mod source;
pub mod telemetry;
