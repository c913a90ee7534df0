//! The RPCs that this version knows and does not serve.

use tonic::Status;

/// Each by name, with what it will do.
const LATER: [(&str, &str); 1] = [("AuthorizeStream", "decisions over one stream")];

/// The refusal of an RPC that is not served.
#[must_use]
pub fn refusal(rpc: &str) -> Status {
    let version = env!("CARGO_PKG_VERSION");
    match LATER.iter().find(|(name, _)| *name == rpc) {
        Some((name, what)) => Status::unimplemented(format!(
            "`{name}` ({what}) is not served by version {version}; a later one will"
        )),
        None => Status::unimplemented("there is no such rpc; ask reflection for those there are"),
    }
}
