//! What is left of a document that is no bundle, so that all that is wrong with it can be said.

use super::Placed;
use crate::value::ConstMap;

/// The expressions of a document with format errors.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Constants that the expressions read; `None` where some of them could not be read, and a name
    /// that is not there may be one of these.
    pub data: Option<ConstMap>,
    /// The `when` of every rule that has one as text, in document order.
    pub expressions: Vec<Expression>,
}

/// The `when` of a rule, whatever else is wrong with the rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    /// The id of its rule, as it was written.
    pub rule: Option<Box<str>>,
    /// The text.
    pub when: Placed<Box<str>>,
}
