//! A suite of policy tests as it is written: a bundle and cases.

use super::expect::Entry;
use super::sequence::Sequence;
use crate::model::{Finding, Place};
use crate::read::request::RequestDocument;
use crate::time::WallTime;

/// A file of policy tests.
#[derive(Debug)]
pub struct Suite {
    /// The bundle that the cases are about.
    pub bundle: BundleAt,
    /// The bundles that sequences go over to, as their steps number them.
    pub reloads: Vec<BundleAt>,
    /// Where random draws come from; each case begins with it anew.
    pub seed: u64,
    /// The cases in the order of the file; each row of a table is one.
    pub cases: Vec<Case>,
}

/// Where the bundle of a suite is.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The environment of the server: `default` unless the case says so.
    pub environment: Box<str>,
    /// What time it is when the case begins.
    pub now: WallTime,
    /// What it asks.
    pub ask: Ask,
}

/// What a case asks.
#[derive(Debug)]
pub enum Ask {
    /// One request, of guardrails that nobody has used yet.
    Request(Box<Question>),
    /// Steps on a virtual clock, each on the state that the steps before it left.
    Sequence(Sequence),
}

/// One request, and what is expected of the answer.
#[derive(Debug)]
pub struct Question {
    /// The request, or why a server would refuse it.
    pub request: Asked,
    /// What is expected; only what is named is looked at.
    pub expected: Vec<Entry>,
}

/// A request, or why a server would refuse it.
pub type Asked = Result<RequestDocument, Vec<Finding>>;
