//! A sequence as it is written: steps on a virtual clock.

use super::expect::Entry;
use super::suite::Asked;
use crate::guardrail::operate::Operation;
use crate::guardrail::report::Outcome;
use crate::guardrail::retry::Hint;
use crate::model::Place;
use crate::model::guardrail::ErrorKind;
use crate::unit::Span;
use std::ops::Range;

/// Steps in the order of their time.
#[derive(Debug)]
pub struct Sequence {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Debug)]
pub struct Step {
    /// Where it stands.
    pub place: Place,
    /// When it happens, since the start.
    pub at: Span,
    /// What is done.
    pub deed: Deed,
    /// The name of the decisions that it brings about.
    pub name: Option<Box<str>>,
    /// How often it is done.
    pub repeat: u32,
    /// Whether that happens all at once, on several threads.
    pub parallel: bool,
    /// What is expected; only what is named is looked at.
    pub expected: Vec<Entry>,
}

/// What a step does.
#[derive(Debug)]
pub enum Deed {
    /// Asks whether an action may run.
    Authorize(Box<Asked>),
    /// Asks about all actions of a flush.
    Batch(Batch),
    /// Says how an action ended.
    Report(Report),
    /// Asks whether an action that failed is tried again.
    Retry(Box<Retry>),
    /// Asks what is left.
    Budget(Box<Asked>),
    /// Goes over to another bundle: its number among those of the suite.
    Reload(usize),
    /// Does what an operator does.
    Operate(Operate),
}

/// The actions of one flush.
#[derive(Debug)]
pub struct Batch {
    /// The requests; one that a server would refuse is a refused item.
    pub requests: Vec<Asked>,
    /// Whether all are allowed or none is.
    pub all_or_nothing: bool,
}

/// What is said about actions that were allowed, or were not.
#[derive(Debug)]
pub struct Report {
    /// The decisions; `None`: one that nobody has taken.
    pub of: Option<Named>,
    /// What is said of each.
    pub says: Says,
}

/// Decisions of an earlier step, by its name and their places among its decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name of the step.
    pub name: Box<str>,
    /// Which of its decisions.
    pub which: Range<usize>,
}

/// What a report says.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// The action ended.
    Ended(Outcome),
    /// It still runs.
    InProgress,
}

/// A question about an action that failed.
#[derive(Debug)]
pub struct Retry {
    /// The same facts that Authorize was asked with; `attempt` is the one that failed.
    pub request: Asked,
    /// What went wrong.
    pub kind: ErrorKind,
    /// What the other side said about when to come again.
    pub hint: Option<Hint>,
}

/// What an operator does to a guardrail.
#[derive(Debug)]
pub struct Operate {
    /// Its name.
    pub guardrail: Box<str>,
    /// The values of one key; `None`: all keys.
    pub key: Option<Vec<String>>,
    /// What is done.
    pub operation: Operation,
}

impl Deed {
    /// Its name in a file of tests.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorize(_) => "authorize",
            Self::Batch(_) => "authorize_batch",
            Self::Report(_) => "report",
            Self::Retry(_) => "retry",
            Self::Budget(_) => "budget",
            Self::Reload(_) => "reload",
            Self::Operate(_) => "operator",
        }
    }

    /// How many answers it gives each time.
    #[must_use]
    pub fn answers(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.requests.len(),
            Self::Report(Report { of: Some(named), .. }) => named.which.len(),
            Self::Report(_)
            | Self::Authorize(_)
            | Self::Retry(_)
            | Self::Budget(_)
            | Self::Reload(_)
            | Self::Operate(_) => 1,
        }
    }
}
