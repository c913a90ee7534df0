//! One binary for all integration tests, so that the server is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "from outside, the process runs on the time of the machine")]

mod allocating;
mod approvals;
mod authzen;
mod bench;
mod binary;
mod check;
mod cli;
mod config;
mod deploy;
mod docs;
mod envoy;
mod events;
mod grpc;
mod hammer;
mod notify;
mod operators;
mod parts;
mod process;
mod prometheus;
mod recording;
mod reload;
mod sequences;
mod served;
mod state;
mod tls;
mod traces;
