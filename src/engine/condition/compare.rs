//! Comparing a request's value with a bundle's.
//!
//! Types never coerce: `"95" >= 90` is an error, `"5" == 5` is plain false, and NaN makes every
//! comparison an error (design 1.5).

use std::cmp::Ordering;

use super::truth::Truth;
use crate::value::{Const, ConstMap, Fields, Seq, View};

/// Whether the value equals the constant. Values of different types do not.
#[must_use]
pub fn equals(value: View<'_>, constant: &Const) -> Truth {
    match (value, constant) {
        (View::Null, Const::Null) => Truth::True,
        (View::Bool(a), Const::Bool(b)) => (a == *b).into(),
        (View::Number(n), _) if n.is_nan() => Truth::Error,
        (View::Number(a), Const::Number(b)) => numbers_equal(a, *b),
        (View::Str(a), Const::Str(b)) => (a == &**b).into(),
        (View::List(a), Const::List(b)) => lists_equal(a, b),
        (View::Map(a), Const::Map(b)) => maps_equal(a, b),
        _ => Truth::False,
    }
}

#[expect(clippy::float_cmp, reason = "equality of doubles is what the bundle asks for")]
const fn numbers_equal(a: f64, b: f64) -> Truth {
    if a == b { Truth::True } else { Truth::False }
}

fn lists_equal(value: &dyn Seq, constant: &[Const]) -> Truth {
    if value.len() != constant.len() {
        return Truth::False;
    }
    let pair = |(i, c): (usize, &Const)| value.at(i).map_or(Truth::False, |v| equals(v, c));
    constant.iter().enumerate().map(pair).fold(Truth::True, Truth::and)
}

fn maps_equal(value: &dyn Fields, constant: &ConstMap) -> Truth {
    if value.len() != constant.len() {
        return Truth::False;
    }
    let pairs = constant.iter().map(|(name, own)| value.field(name).map_or(Truth::False, |v| equals(v, own)));
    pairs.fold(Truth::True, Truth::and)
}

/// Whether the value equals one of the constants.
#[must_use]
pub fn is_one_of(value: View<'_>, constants: &[Const]) -> Truth {
    let any = constants.iter().map(|c| equals(value, c)).fold(Truth::False, Truth::or);
    match value {
        View::Number(n) if n.is_nan() => Truth::Error,
        _ => any,
    }
}

/// How the value stands to the constant; `None` where the two have no order.
#[must_use]
pub fn order(value: View<'_>, constant: &Const) -> Option<Ordering> {
    match (value, constant) {
        (View::Number(a), Const::Number(b)) => a.partial_cmp(b),
        (View::Str(a), Const::Str(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
