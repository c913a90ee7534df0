//! The RPCs that this version knows and does not serve.

use tonic::Status;

/// Each by name, with what it will do.
const LATER: [(&str, &str); 7] = [
    ("AuthorizeStream", "decisions over one stream"),
    ("Report", "outcomes of decisions, which guardrails need"),
    ("ReportBatch", "outcomes of decisions, which guardrails need"),
    ("RetryDecision", "whether and when to try again"),
    ("Budget", "the limits in force and what is left of them"),
    ("WaitApproval", "waiting for people's approval"),
    ("WatchEvents", "the events of guardrails and bundles"),
];

/// The refusal of an RPC that is not served yet; `None` for one that is.
#[must_use]
pub fn refusal(rpc: &str) -> Option<Status> {
    let (name, what) = LATER.iter().find(|(name, _)| *name == rpc)?;
    let version = env!("CARGO_PKG_VERSION");
    Some(Status::unimplemented(format!(
        "`{name}` ({what}) is not served by version {version}; a later one will"
    )))
}

/// As [`refusal`], for a method that is known not to be served.
pub(super) fn not_yet<T>(rpc: &str) -> Result<T, Status> {
    Err(refusal(rpc).unwrap_or_else(|| Status::unimplemented(format!("`{rpc}` is not served"))))
}
