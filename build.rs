//! Compiles the protobuf files without protoc.
use prost::Message as _;
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["proto/tollgate/v1/policy_decision.proto"];
    for f in files { println!("cargo:rerun-if-changed={f}"); }
    let fds = protox::compile(files, ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("tollgate.bin"), fds.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(fds)?;
    Ok(())
}
