//! TLS for the ports that callers use: certificates that are read again while they serve, handshakes
//! that hold up nobody else, and who may connect.

mod certificate;
mod door;
mod failure;
mod follow;
mod live;
mod load;
pub mod pem;
mod refused;

pub use door::{Door, Place, Port};
pub use live::{Live, Status};
pub use load::Files;
