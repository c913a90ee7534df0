//! The gRPC edge: translates, and decides nothing.

pub mod admin;
mod aside;
mod authorize;
mod authorize_batch;
mod budget;
pub mod convert;
mod envoy;
mod explain;
mod front;
pub mod guard;
mod health;
mod incoming;
mod intake;
pub mod later;
mod listen;
mod patience;
mod report;
mod retry_decision;
mod server;
mod service;
mod stream;
mod traced;
mod wait_approval;
mod watch_events;
mod worker;

pub use convert::Limits;
pub use server::{Options, Server};

use crate::pb::policy_decision_service_server::PolicyDecisionServiceServer;

/// The generated server around our service.
type Generated = PolicyDecisionServiceServer<service::Service>;
