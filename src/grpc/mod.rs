//! The gRPC edge: translates, and decides nothing.

pub mod admin;
mod answer;
mod aside;
mod authorize;
mod authorize_batch;
mod authorize_stream;
mod budget;
pub mod convert;
mod envoy;
mod explain;
mod frames;
mod front;
pub mod guard;
mod health;
mod incoming;
mod intake;
mod line;
mod listen;
mod outgoing;
mod overload;
mod patience;
mod report;
mod retry_decision;
mod server;
mod service;
mod stream;
mod traced;
mod transport;
mod turns;
mod unary;
mod wait_approval;
mod watch_events;
mod worker;

pub use convert::Limits;
pub use server::{Options, Overload, Server};

use crate::pb::policy_decision_service_server::PolicyDecisionServiceServer;

/// The generated server around our service.
type Generated = PolicyDecisionServiceServer<service::Service>;
