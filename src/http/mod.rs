//! What the process answers over HTTP: so far probes, metrics and its status, on one port.

mod connection;
pub mod probes;

pub use connection::Server;
