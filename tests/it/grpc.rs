//! The gRPC edge, over real connections.

mod batch;
mod decisions;
mod events;
mod guarding;
mod hostile;
mod life;
