//! A real Envoy in front of a service, asking the real binary: the example of `deploy/envoy`.

mod check;
mod edge;
mod failing;
mod limits;
mod wire;
