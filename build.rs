//! Compiles the protobuf files without protoc, and keeps the descriptor for reflection.

use prost::Message as _;

const FILES: [&str; 2] = ["proto/tollgate/v1/policy_decision.proto", ADMIN];

/// What operators ask; reflection tells of it only where it is served.
const ADMIN: &str = "proto/tollgate/v1/admin.proto";

/// Well-known types that this crate writes itself: wire-compatible, without a map for each level.
const OWN: [&str; 3] = ["Struct", "Value", "ListValue"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    let (admin, open): (Vec<_>, Vec<_>) =
        descriptors.file.iter().cloned().partition(|file| ADMIN.ends_with(file.name()));
    for (name, file) in [("tollgate.bin", open), ("admin.bin", admin)] {
        std::fs::write(out.join(name), prost_types::FileDescriptorSet { file }.encode_to_vec())?;
    }
    let mut generator = tonic_prost_build::configure().codec_path("crate::pb::codec::Codec");
    for name in OWN {
        let proto = format!(".google.protobuf.{name}");
        generator = generator.extern_path(proto, format!("crate::pb::{name}"));
    }
    generator.compile_fds(descriptors)?;
    Ok(())
}
