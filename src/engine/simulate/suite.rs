//! A suite of policy tests as it is written: a bundle and cases.

use super::expect::Entry;
use crate::model::{Finding, Place};
use crate::read::request::RequestDocument;
use crate::time::WallTime;

/// A file of policy tests.
#[derive(Debug)]
pub struct Suite {
    /// The bundle that the cases are about.
    pub bundle: BundleAt,
    /// The cases in the order of the file; each row of a table is one.
    pub cases: Vec<Case>,
}

/// Where the bundle of a suite is.
#[derive(Debug)]
pub enum BundleAt {
    /// Beside the suite, by the name of the suite.
    Beside,
    /// At this path, from the folder of the suite.
    Path(Box<str>, Place),
    /// In the suite itself; as JSON.
    Inline(Vec<u8>, Place),
}

/// One case.
#[derive(Debug)]
pub struct Case {
    /// Its name; a row of a table carries its values: `thresholds[risk=84]`.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// What it asks.
    pub ask: Ask,
}

/// What a case asks.
#[derive(Debug)]
pub enum Ask {
    /// One request and what is expected of the answer.
    Request(Box<Question>),
    /// Steps on a virtual clock, which need the state of guardrails.
    Sequence,
}

/// One request, and what is expected of the answer.
#[derive(Debug)]
pub struct Question {
    /// The request, or why a server would refuse it.
    pub request: Result<RequestDocument, Vec<Finding>>,
    /// The environment of the server: `default` unless the case says so.
    pub environment: Box<str>,
    /// What time it is.
    pub now: WallTime,
    /// What is expected; only what is named is looked at.
    pub expected: Vec<Entry>,
}
