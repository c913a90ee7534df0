//! Compiles the protobuf files without protoc, and keeps the descriptor for reflection.

use prost::Message as _;

const FILES: [&str; 1] = ["proto/tollgate/v1/policy_decision.proto"];

/// Well-known types that this crate writes itself: wire-compatible, without a map for each level.
const OWN: [&str; 3] = ["Struct", "Value", "ListValue"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for file in FILES {
        println!("cargo:rerun-if-changed={file}");
    }
    let descriptors = protox::compile(FILES, ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("tollgate.bin"), descriptors.encode_to_vec())?;
    let mut generator = tonic_prost_build::configure().codec_path("crate::pb::codec::Codec");
    for name in OWN {
        let proto = format!(".google.protobuf.{name}");
        generator = generator.extern_path(proto, format!("crate::pb::{name}"));
    }
    generator.compile_fds(descriptors)?;
    Ok(())
}
