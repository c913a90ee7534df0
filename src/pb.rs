//! The wire types of `proto/tollgate/v1`, generated from the files there.

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
    tonic::include_proto!("tollgate.v1");
}
pub use generated::*;

/// The descriptors of what every caller may ask, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tollgate.bin"));

/// Those of the admin service, which is off unless the operator opens it.
pub const ADMIN_DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/admin.bin"));
