//! The gRPC edge, over real connections.

mod age;
mod batch;
mod decisions;
mod events;
mod guarding;
mod hostile;
mod life;
mod overload;
mod rude;
mod stream;
mod wire;
