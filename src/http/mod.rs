//! What the process answers over HTTP: probes, metrics and its status on one port, AuthZEN on another.

pub mod authzen;
mod connection;
mod guests;
pub mod probes;

pub use connection::{Patience, Server};
