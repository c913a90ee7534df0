//! The gRPC edge, over real connections.

mod batch;
mod decisions;
mod events;
mod hostile;
mod life;
