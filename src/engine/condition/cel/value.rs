//! The values that an expression computes with.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use jiff::SignedDuration;

use super::address::{Block, Ip};
use super::time::Time;
use crate::condition::truth::Truth;
use crate::value::{Const, Fields, Seq, View};

/// How many bytes of text one step looks at.
pub(super) const STRIDE: usize = 16;

/// A value while an expression is evaluated.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Double(f64),
    Text(Cow<'a, str>),
    Time(Time),
    Span(SignedDuration),
    Ip(Ip),
    Block(Block),
    List(List<'a>),
    Map(Map<'a>),
}

/// A list: the request's or the bundle's own, or one that the expression made.
#[derive(Clone, Debug)]
pub(super) enum List<'a> {
    Given(&'a dyn Seq, Owner),
    Made(Rc<Vec<Val<'a>>>),
}

/// A map, by where it comes from: a missing key of the request is absence, one of the bundle's
/// own maps is an error.
#[derive(Clone, Debug)]
pub(super) enum Map<'a> {
    Request(&'a dyn Fields),
    Bundle(&'a dyn Fields),
    Made(Rc<Vec<(Val<'a>, Val<'a>)>>),
}

/// Whose a borrowed value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Request,
    Bundle,
}

impl<'a> Val<'a> {
    pub(super) fn of_view(view: View<'a>, owner: Owner) -> Self {
        match view {
            View::Null => Self::Null,
            View::Bool(b) => Self::Bool(b),
            View::Number(n) => Self::Double(n),
            View::Str(s) => Self::Text(Cow::Borrowed(s)),
            View::List(seq) => Self::List(List::Given(seq, owner)),
            View::Map(fields) => Self::Map(match owner {
                Owner::Request => Map::Request(fields),
                Owner::Bundle => Map::Bundle(fields),
            }),
        }
    }

    pub(super) fn of_const(constant: &'a Const) -> Self {
        Self::of_view(constant.view(), Owner::Bundle)
    }

    pub(super) const fn text(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    pub(super) fn list(items: Vec<Self>) -> Self {
        Self::List(List::Made(Rc::new(items)))
    }

    /// Whether both are equal: values of different types are not; numbers are compared across
    /// their types; NaN is an error.
    pub(super) fn equals(&self, other: &Self) -> Truth {
        match (self, other) {
            (Self::Double(n), _) | (_, Self::Double(n)) if n.is_nan() => Truth::Error,
            (Self::Null, Self::Null) => Truth::True,
            (Self::Bool(a), Self::Bool(b)) => (a == b).into(),
            (Self::Text(a), Self::Text(b)) => (a == b).into(),
            (Self::Time(a), Self::Time(b)) => (a == b).into(),
            (Self::Span(a), Self::Span(b)) => (a == b).into(),
            (Self::Ip(a), Self::Ip(b)) => (a == b).into(),
            (Self::Block(a), Self::Block(b)) => (a == b).into(),
            (Self::List(a), Self::List(b)) => a.equals(b),
            (Self::Map(a), Self::Map(b)) => a.equals(b),
            (a, b) => a.compare_numbers(b).is_some_and(Ordering::is_eq).into(),
        }
    }

    /// How many steps it takes to find out whether both are equal.
    pub(super) fn effort(&self, other: &Self) -> usize {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) if a.len() == b.len() => a.len() / STRIDE,
            (Self::List(a), Self::List(b)) if a.len() == b.len() => {
                let each = a.iter().zip(b.iter()).map(|(a, b)| 1 + a.effort(&b));
                each.fold(0, usize::saturating_add)
            }
            (Self::Map(a), Self::Map(b)) if a.len() == b.len() => {
                let pair = |key: Self| a.get(&key).zip(b.get(&key)).map_or(1, |(a, b)| 8 + a.effort(&b));
                a.keys().into_iter().map(pair).fold(0, usize::saturating_add)
            }
            _ => 0,
        }
    }

    /// How both stand to each other, where their types have an order.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            (Self::Span(a), Self::Span(b)) => Some(a.cmp(b)),
            (a, b) => a.compare_numbers(b),
        }
    }

    fn compare_numbers(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Int(a), Self::Double(b)) => int_to_double(*a, *b),
            (Self::Double(a), Self::Int(b)) => int_to_double(*b, *a).map(Ordering::reverse),
            _ => None,
        }
    }
}

/// Compares exactly: an integer beyond 2^53 is not rounded to the double.
fn int_to_double(int: i64, double: f64) -> Option<Ordering> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= TWO_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_63 {
        return Some(Ordering::Greater);
    }
    #[expect(clippy::cast_possible_truncation, reason = "between -2^63 and 2^63")]
    let whole = double.trunc() as i64;
    let fraction = double.fract();
    Some(int.cmp(&whole).then_with(|| 0.0_f64.partial_cmp(&fraction).unwrap_or(Ordering::Equal)))
}

impl<'a> List<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Given(seq, _) => seq.len(),
            Self::Made(items) => items.len(),
        }
    }

    pub(super) fn at(&self, index: usize) -> Option<Val<'a>> {
        match self {
            Self::Given(seq, owner) => seq.at(index).map(|view| Val::of_view(view, *owner)),
            Self::Made(items) => items.get(index).cloned(),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Val<'a>> + '_ {
        (0..self.len()).filter_map(|i| self.at(i))
    }

    fn equals(&self, other: &Self) -> Truth {
        if self.len() != other.len() {
            return Truth::False;
        }
        self.iter().zip(other.iter()).map(|(a, b)| a.equals(&b)).fold(Truth::True, Truth::and)
    }

    /// Whether an element equals this value.
    pub(super) fn contains(&self, wanted: &Val<'a>) -> Truth {
        let any = self.iter().map(|item| item.equals(wanted)).fold(Truth::False, Truth::or);
        match wanted {
            Val::Double(n) if n.is_nan() => Truth::Error,
            _ => any,
        }
    }
}

impl<'a> Map<'a> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Request(fields) | Self::Bundle(fields) => fields.len(),
            Self::Made(entries) => entries.len(),
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<Val<'a>> {
        match self {
            Self::Request(fields) => fields.field(name).map(|v| Val::of_view(v, Owner::Request)),
            Self::Bundle(fields) => fields.field(name).map(|v| Val::of_view(v, Owner::Bundle)),
            Self::Made(_) => self.get(&Val::Text(Cow::Owned(name.into()))),
        }
    }

    /// The value of this key, if the map has it.
    pub(super) fn get(&self, key: &Val<'a>) -> Option<Val<'a>> {
        match (self, key) {
            (Self::Request(_) | Self::Bundle(_), Val::Text(name)) => self.field(name),
            (Self::Request(_) | Self::Bundle(_), _) => None,
            (Self::Made(entries), key) => {
                let found = entries.iter().find(|(own, _)| own.equals(key) == Truth::True);
                found.map(|(_, value)| value.clone())
            }
        }
    }

    /// The keys; those of a request in the order of their bytes, so that every machine computes
    /// the same.
    pub(super) fn keys(&self) -> Vec<Val<'a>> {
        match self {
            Self::Request(fields) | Self::Bundle(fields) => {
                let mut names = Vec::with_capacity(fields.len());
                fields.each(&mut |name, _| names.push(name));
                names.sort_unstable();
                names.into_iter().map(|name| Val::Text(Cow::Borrowed(name))).collect()
            }
            Self::Made(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        }
    }

    fn equals(&self, other: &Self) -> Truth {
        if self.len() != other.len() {
            return Truth::False;
        }
        let mut all = Truth::True;
        for key in self.keys() {
            let (Some(a), Some(b)) = (self.get(&key), other.get(&key)) else {
                return Truth::False;
            };
            all = all.and(a.equals(&b));
        }
        all
    }
}
