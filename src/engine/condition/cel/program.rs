//! The typed form of an expression: what is evaluated.

use std::sync::Arc;

use jiff::tz::TimeZone;
use regex::Regex;

use super::time::Part;
use crate::condition::slots::SlotId;
use crate::value::Const;

/// One node of a program. Chains of `&&`, `||` and `+` are flat, so depth is bounded.
#[derive(Debug)]
pub(super) enum Node {
    /// A literal.
    Const(Const),
    /// A value of `data`; expressions that read the same share it.
    Data(Arc<Const>),
    /// An integer literal.
    Int(i64),
    /// A field of the request.
    Slot(SlotId),
    /// A field of the request that holds seconds, read as a duration.
    SlotSpan(SlotId),
    /// `has()` of a field of the request.
    HasSlot(SlotId),
    /// A macro's variable, counted from the outermost.
    Variable(usize),
    /// The time of the decision.
    Now,
    /// `a.name`
    Select(Box<Node>, Box<str>),
    /// `has(a.name)`
    Has(Box<Node>, Box<str>),
    /// `a[key]`
    Index(Box<[Node; 2]>),
    /// `!a`
    Not(Box<Node>),
    /// `-a`
    Negate(Box<Node>),
    /// `a && b && …`
    And(Vec<Node>),
    /// `a || b || …`
    Or(Vec<Node>),
    /// `a ? b : c`
    Choose(Box<[Node; 3]>),
    /// `a + b + …`
    Sum(Vec<Node>),
    /// `a - b` and the like
    Arithmetic(Arithmetic, Box<[Node; 2]>),
    /// `a < b` and the like
    Compare(Order, Box<[Node; 2]>),
    /// `a == b`
    Equal(Box<[Node; 2]>),
    /// `a in b`
    In(Box<[Node; 2]>),
    /// `[a, b]`
    List(Vec<Node>),
    /// `{a: b}`
    Map(Vec<(Node, Node)>),
    /// `list.exists(x, …)` and the like
    Loop(Box<Loop>),
    /// `a.getHours(zone)` and the like; the zone where it is constant
    Part(Part, Box<Node>, Zone),
    /// `a.matches(pattern)`
    Matches(Box<Node>, Arc<Regex>),
    /// Any other function
    Call(Function, Vec<Node>),
}

/// The zone of an accessor.
#[derive(Debug)]
pub(super) enum Zone {
    /// None was given: UTC; a duration takes no other.
    None,
    /// Known when the bundle was loaded.
    Fixed(TimeZone),
    /// Read from the request.
    Computed(Box<Node>),
}

/// A macro over the elements of a list or the keys of a map.
#[derive(Debug)]
pub(super) struct Loop {
    pub(super) kind: LoopKind,
    pub(super) over: Node,
    /// The predicate; of `map`, the filter in its three-argument form.
    pub(super) test: Option<Node>,
    /// What `map` makes of an element.
    pub(super) make: Option<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arithmetic {
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Size,
    StartsWith,
    EndsWith,
    Contains,
    LowerAscii,
    UpperAscii,
    Trim,
    Split,
    Join,
    ToInt,
    ToDouble,
    ToText,
    ToBool,
    ToTime,
    ToSpan,
    ToIp,
    ToBlock,
    ContainsIp,
}
