//! One binary for all integration tests, so that the server is linked once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod grpc;
mod reload;
mod served;
