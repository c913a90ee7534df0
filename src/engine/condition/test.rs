//! One flat test of a slot against a constant: what `conditions` compile to.
//!
//! A test is 16 bytes, so that those of a rule lie on one or two cache lines; what does not fit
//! (texts, lists) stands in [`Operands`], which all tests of a bundle share.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::compare::{equals, is_one_of, order};
use super::slots::{Slot, SlotId, Slots};
use super::truth::Truth;
use crate::model::{Op, Pattern};
use crate::value::{Const, View};

/// A test that must hold for its rule to match.
#[derive(Clone, Copy, Debug)]
pub struct Test {
    /// A number's bits, a boolean, a range of the shared texts, or a place among the operators.
    operand: u64,
    slot: SlotId,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exists,
    Missing,
    EqNumber,
    NeNumber,
    Lt,
    Le,
    Gt,
    Ge,
    EqText,
    NeText,
    EqBool,
    NeBool,
    Other,
}

/// The right sides of tests that do not fit into them.
#[derive(Debug, Default)]
pub struct Operands {
    texts: String,
    /// Where long texts stand, so that equal ones stand once.
    long: HashMap<Box<str>, u64>,
    ops: Vec<Op>,
}

/// From which length on equal texts are kept once.
const LONG: usize = 64;

impl Operands {
    /// A test of this slot.
    pub fn test(&mut self, slot: SlotId, op: Op) -> Test {
        let (kind, operand) = match &op {
            Op::Exists(true) => (Kind::Exists, 0),
            Op::Exists(false) => (Kind::Missing, 0),
            Op::Eq(Const::Number(n)) => (Kind::EqNumber, n.to_bits()),
            Op::Ne(Const::Number(n)) => (Kind::NeNumber, n.to_bits()),
            Op::Lt(Const::Number(n)) => (Kind::Lt, n.to_bits()),
            Op::Le(Const::Number(n)) => (Kind::Le, n.to_bits()),
            Op::Gt(Const::Number(n)) => (Kind::Gt, n.to_bits()),
            Op::Ge(Const::Number(n)) => (Kind::Ge, n.to_bits()),
            Op::Eq(Const::Str(text)) if self.has_room(text) => (Kind::EqText, self.keep(text)),
            Op::Ne(Const::Str(text)) if self.has_room(text) => (Kind::NeText, self.keep(text)),
            Op::Eq(Const::Bool(b)) => (Kind::EqBool, u64::from(*b)),
            Op::Ne(Const::Bool(b)) => (Kind::NeBool, u64::from(*b)),
            _ => {
                self.ops.push(op);
                (Kind::Other, self.ops.len() as u64 - 1)
            }
        };
        Test { operand, slot, kind }
    }

    fn has_room(&self, text: &str) -> bool {
        u32::try_from(self.texts.len() + text.len()).is_ok()
    }

    fn keep(&mut self, text: &str) -> u64 {
        if let Some(range) = self.long.get(text) {
            return *range;
        }
        let start = self.texts.len() as u64;
        self.texts.push_str(text);
        let range = (start << 32) | text.len() as u64;
        if text.len() > LONG {
            self.long.insert(text.into(), range);
        }
        range
    }

    fn op(&self, place: u64) -> Option<&Op> {
        usize::try_from(place).ok().and_then(|at| self.ops.get(at))
    }

    fn text(&self, range: u64) -> &str {
        let (start, length) = ((range >> 32) as usize, (range & 0xffff_ffff) as usize);
        self.texts.get(start..start + length).unwrap_or_default()
    }
}

impl Test {
    /// What it reads.
    #[must_use]
    pub const fn slot(&self) -> SlotId {
        self.slot
    }

    /// The operator, with its right side.
    #[must_use]
    pub fn op(&self, operands: &Operands) -> Op {
        let number = || Const::Number(f64::from_bits(self.operand));
        let text = || Const::Str(operands.text(self.operand).into());
        let boolean = || Const::Bool(self.operand != 0);
        match self.kind {
            Kind::Exists => Op::Exists(true),
            Kind::Missing => Op::Exists(false),
            Kind::EqNumber => Op::Eq(number()),
            Kind::NeNumber => Op::Ne(number()),
            Kind::Lt => Op::Lt(number()),
            Kind::Le => Op::Le(number()),
            Kind::Gt => Op::Gt(number()),
            Kind::Ge => Op::Ge(number()),
            Kind::EqText => Op::Eq(text()),
            Kind::NeText => Op::Ne(text()),
            Kind::EqBool => Op::Eq(boolean()),
            Kind::NeBool => Op::Ne(boolean()),
            Kind::Other => operands.op(self.operand).cloned().unwrap_or(Op::In(Vec::new())),
        }
    }

    /// What the test says about a request.
    #[must_use]
    pub fn holds(&self, operands: &Operands, slots: &Slots<'_>) -> Truth {
        let slot = slots.get(self.slot);
        match (self.kind, slot) {
            (Kind::Exists, _) => holds(&Op::Exists(true), slot),
            (Kind::Missing, _) => holds(&Op::Exists(false), slot),
            (Kind::EqText, Slot::Value(View::Str(text))) => (text == operands.text(self.operand)).into(),
            (Kind::NeText, Slot::Value(View::Str(text))) => (text != operands.text(self.operand)).into(),
            (Kind::EqText, _) => unlike(slot),
            (Kind::NeText, _) => unlike(slot).not(),
            (Kind::Other, _) => match operands.op(self.operand) {
                Some(op) => holds(op, slot),
                None => Truth::False,
            },
            (kind, _) => holds_small(kind, self.operand, slot),
        }
    }
}

/// What equality says of a value that is no text, beside one.
fn unlike(slot: Slot<'_>) -> Truth {
    match slot.read() {
        Ok(View::Number(n)) if n.is_nan() => Truth::Error,
        Ok(_) => Truth::False,
        Err(unknown) => unknown.into(),
    }
}

fn holds_small(kind: Kind, operand: u64, slot: Slot<'_>) -> Truth {
    let number = Const::Number(f64::from_bits(operand));
    let op = match kind {
        Kind::EqNumber => Op::Eq(number),
        Kind::NeNumber => Op::Ne(number),
        Kind::Lt => Op::Lt(number),
        Kind::Le => Op::Le(number),
        Kind::Gt => Op::Gt(number),
        Kind::Ge => Op::Ge(number),
        Kind::EqBool => Op::Eq(Const::Bool(operand != 0)),
        Kind::NeBool => Op::Ne(Const::Bool(operand != 0)),
        Kind::Exists | Kind::Missing | Kind::EqText | Kind::NeText | Kind::Other => return Truth::False,
    };
    holds(&op, slot)
}

/// What an operator says about the content of a slot.
#[must_use]
pub fn holds(op: &Op, slot: Slot<'_>) -> Truth {
    if let Op::Exists(wanted) = op {
        return match slot {
            Slot::Absent | Slot::Unset(_) => (!wanted).into(),
            Slot::Broken => Truth::Error,
            Slot::Value(_) => (*wanted).into(),
        };
    }
    match slot.read() {
        Ok(value) => asks(op, value),
        Err(unknown) => unknown.into(),
    }
}

fn asks(op: &Op, value: View<'_>) -> Truth {
    match op {
        Op::Eq(c) => equals(value, c),
        Op::Ne(c) => equals(value, c).not(),
        Op::In(list) => is_one_of(value, list),
        Op::NotIn(list) => is_one_of(value, list).not(),
        Op::Lt(c) => ordered(value, c, Ordering::is_lt),
        Op::Le(c) => ordered(value, c, Ordering::is_le),
        Op::Gt(c) => ordered(value, c, Ordering::is_gt),
        Op::Ge(c) => ordered(value, c, Ordering::is_ge),
        Op::Between(low, high) => {
            ordered(value, low, Ordering::is_ge).and(ordered(value, high, Ordering::is_le))
        }
        Op::Matches(pattern) => match value {
            View::Str(text) => pattern.fits(text).into(),
            View::Null | View::Bool(_) | View::Number(_) | View::List(_) | View::Map(_) => Truth::Error,
        },
        Op::Exists(wanted) => (*wanted).into(),
    }
}

fn ordered(value: View<'_>, constant: &Const, wanted: fn(Ordering) -> bool) -> Truth {
    order(value, constant).map_or(Truth::Error, |found| wanted(found).into())
}

impl Pattern {
    /// Whether the whole text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(own) => **own == *text,
            Self::Glob(glob) => glob.matches(text),
        }
    }
}
