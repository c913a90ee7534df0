//! Arithmetic: overflow is an error, an integer beside a double becomes one.

use jiff::SignedDuration;

use super::eval::{Outcome, Scope};
use super::program::Arithmetic;
use super::time::{Time, in_range, span_in_range};
use super::value::{STRIDE, Val};
use crate::condition::truth::Unknown;

/// `a + b`: numbers, texts, lists, durations, a time and a duration.
pub(super) fn add<'a>(a: Val<'a>, b: &Val<'a>, scope: &Scope<'_, 'a>) -> Outcome<'a> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => a.checked_add(*b).map(Val::Int).ok_or(Unknown::Error),
        (Val::Text(a), Val::Text(b)) => {
            scope.spend((a.len() + b.len()) / STRIDE)?;
            Ok(Val::text(a.into_owned() + b))
        }
        (Val::List(a), Val::List(b)) => {
            scope.spend(a.len() + b.len())?;
            Ok(Val::list(a.iter().chain(b.iter()).collect()))
        }
        (Val::Span(a), Val::Span(b)) => finish_span(a.checked_add(*b)),
        (Val::Time(at), Val::Span(by)) => shift(at, Some(*by)),
        (Val::Span(by), Val::Time(at)) => shift(*at, Some(by)),
        (a, b) => finite(doubles(&a, b)?, |a, b| a + b),
    }
}

/// `a - b`, `a * b`, `a / b`, `a % b`.
pub(super) fn arithmetic<'a>(op: Arithmetic, a: &Val<'a>, b: &Val<'a>) -> Outcome<'a> {
    match (op, a, b) {
        (_, Val::Int(a), Val::Int(b)) => integers(op, *a, *b).map(Val::Int).ok_or(Unknown::Error),
        (Arithmetic::Subtract, Val::Span(a), Val::Span(b)) => finish_span(a.checked_sub(*b)),
        (Arithmetic::Subtract, Val::Time(a), Val::Time(b)) => finish_span(a.checked_sub(*b)),
        (Arithmetic::Subtract, Val::Time(at), Val::Span(by)) => shift(*at, by.checked_neg()),
        (Arithmetic::Subtract, ..) => finite(doubles(a, b)?, |a, b| a - b),
        (Arithmetic::Multiply, ..) => finite(doubles(a, b)?, |a, b| a * b),
        (Arithmetic::Divide, ..) => {
            let (a, b) = doubles(a, b)?;
            if b == 0.0 { Err(Unknown::Error) } else { finite((a, b), |a, b| a / b) }
        }
        (Arithmetic::Remainder, ..) => {
            let (a, b) = doubles(a, b)?;
            let whole = a.fract() == 0.0 && b.fract() == 0.0 && b != 0.0;
            if whole { finite((a, b), |a, b| a % b) } else { Err(Unknown::Error) }
        }
    }
}

/// `-a`
pub(super) fn negate<'a>(a: &Val<'a>) -> Outcome<'a> {
    match a {
        Val::Int(n) => n.checked_neg().map(Val::Int).ok_or(Unknown::Error),
        Val::Double(n) if !n.is_nan() => Ok(Val::Double(-n)),
        _ => Err(Unknown::Error),
    }
}

const fn integers(op: Arithmetic, a: i64, b: i64) -> Option<i64> {
    match op {
        Arithmetic::Subtract => a.checked_sub(b),
        Arithmetic::Multiply => a.checked_mul(b),
        Arithmetic::Divide => a.checked_div(b),
        Arithmetic::Remainder => a.checked_rem(b),
    }
}

/// Both as doubles, where both are numbers and at least one is a double.
fn doubles(a: &Val<'_>, b: &Val<'_>) -> Result<(f64, f64), Unknown> {
    match (a, b) {
        (Val::Double(a), Val::Double(b)) => Ok((*a, *b)),
        (Val::Int(a), Val::Double(b)) => Ok((widen(*a), *b)),
        (Val::Double(a), Val::Int(b)) => Ok((*a, widen(*b))),
        _ => Err(Unknown::Error),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an integer beside a double becomes one")]
pub(super) const fn widen(n: i64) -> f64 {
    n as f64
}

/// A result that is not finite is an overflow, or came of NaN or an infinity.
fn finite<'a>((a, b): (f64, f64), op: fn(f64, f64) -> f64) -> Outcome<'a> {
    let result = op(a, b);
    if result.is_finite() { Ok(Val::Double(result)) } else { Err(Unknown::Error) }
}

fn finish_span<'a>(span: Option<SignedDuration>) -> Outcome<'a> {
    span.and_then(span_in_range).map(Val::Span).ok_or(Unknown::Error)
}

fn shift<'a>(at: Time, by: Option<SignedDuration>) -> Outcome<'a> {
    let moved = by.and_then(|by| at.checked_add(by));
    moved.and_then(in_range).map(Val::Time).ok_or(Unknown::Error)
}
