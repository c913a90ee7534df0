//! The gRPC edge, over real connections.

mod batch;
mod decisions;
mod hostile;
mod life;
