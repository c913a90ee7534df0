//! One flat test of a slot against constants: what `conditions` compile to.

use std::cmp::Ordering;

use super::compare::{equals, is_one_of, order};
use super::truth::Truth;
use crate::condition::slots::{Slot, SlotId, Slots};
use crate::model::{Op, Pattern};
use crate::value::{Const, View};

/// A test that must hold for its rule to match.
#[derive(Debug)]
pub struct Test {
    /// What it reads.
    pub slot: SlotId,
    /// What it asks.
    pub op: Op,
}

impl Test {
    /// What the test says about a request.
    #[must_use]
    pub fn holds(&self, slots: &Slots<'_>) -> Truth {
        holds(&self.op, slots.get(self.slot))
    }
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
