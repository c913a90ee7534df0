//! The wire types of `proto/`, generated from the files there.

pub mod amplification;
pub mod codec;
pub mod value;

pub use value::{Entry, Kind, ListValue, Struct, Value};

mod generated {
    #![allow(
        missing_docs,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated; the comments of the proto files are the documentation"
    )]
    include!(concat!(env!("OUT_DIR"), "/packages.rs"));
}
pub use generated::envoy;
pub use generated::google::rpc;
pub use generated::tollgate::v1::*;

/// The descriptors of what every caller may ask, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tollgate.bin"));

/// Those of the admin service, which is off unless the operator opens it.
pub const ADMIN_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/admin.bin"));
