//! What decides, with the bundle that has a guardrail of each kind. Each target has one of its own for all its inputs:
//! what they leave behind is bounded, and an answer depends on little of it.

use std::sync::Arc;

use tollgate::clock::Clock;
use tollgate::data_plane::{DataPlane, Offer, Options, Outcome};

use crate::requests::{GUARDED, NOW};

pub(crate) fn guarded() -> Arc<DataPlane> {
    let options = Options { max_open_decisions: 1_000, max_open_approvals: 100, ..Options::default() };
    let plane = DataPlane::new(options, Clock::manual(NOW)).expect("a data plane without a directory");
    let files = vec![("bundle.yaml".to_owned(), GUARDED.as_bytes().to_vec())];
    let outcome = plane.offer(&Offer { name: "fuzz".to_owned(), files });
    assert!(matches!(outcome, Outcome::Applied), "{outcome:?}");
    plane
}
