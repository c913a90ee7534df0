//! One binary for all integration tests, so that the server is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test may wait, and give up")]

mod binary;
mod cli;
mod config;
mod grpc;
mod process;
mod reload;
mod served;
