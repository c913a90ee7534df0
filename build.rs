//! Compiles the protobuf files without protoc, and keeps the descriptor for reflection.

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet};

const FILES: [&str; 4] = ["proto/tollgate/v1/policy_decision.proto", ADMIN, AUTH, RATE_LIMIT];

/// What operators ask; reflection tells of it only where it is served.
const ADMIN: &str = "proto/tollgate/v1/admin.proto";

/// What Envoy asks: of its API the part that is read or answered.
const AUTH: &str = "proto/envoy/service/auth/v3/external_auth.proto";
const RATE_LIMIT: &str = "proto/envoy/service/ratelimit/v3/rls.proto";

/// Well-known types that this crate writes itself: wire-compatible, without a map for each level.
const OWN: [&str; 3] = ["Struct", "Value", "ListValue"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto");
    let mut descriptors = protox::compile(FILES, ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    let (admin, open): (Vec<_>, Vec<_>) =
        descriptors.file.iter().cloned().partition(|file| ADMIN.ends_with(file.name()));
    for (name, file) in [("tollgate.bin", open), ("admin.bin", admin)] {
        std::fs::write(out.join(name), FileDescriptorSet { file }.encode_to_vec())?;
    }
    descriptors.file.iter_mut().for_each(maps_are_lists);
    let mut generator =
        tonic_prost_build::configure().codec_path("crate::pb::codec::Codec").include_file("packages.rs");
    for name in OWN {
        let proto = format!(".google.protobuf.{name}");
        generator = generator.extern_path(proto, format!("crate::pb::{name}"));
    }
    generator.compile_fds(descriptors)?;
    Ok(())
}

/// On the wire a map is a list of entries. It is read as one: a list keeps its order, and costs no
/// hashing of names that a client has chosen.
fn maps_are_lists(file: &mut FileDescriptorProto) {
    fn plain(message: &mut DescriptorProto) {
        if let Some(options) = &mut message.options {
            options.map_entry = None;
        }
        message.nested_type.iter_mut().for_each(plain);
    }
    if file.package().starts_with("envoy.") {
        // The comments are found by the place of what they are about, and entries have none.
        file.source_code_info = None;
        file.message_type.iter_mut().for_each(plain);
    }
}
