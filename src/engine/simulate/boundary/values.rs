//! The values at, just under and just over what a condition compares with.

use crate::condition::glob::{Anchor, Glob};
use crate::model::{Op, Pattern};
use crate::value::Const;

/// What a place of a request is to hold.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Setting {
    Absent,
    Value(Const),
}

/// The values of a list that are taken, at most.
const MOST: usize = 8;

/// A value with which the condition holds, and those on both sides of where it begins to.
pub(super) fn of(op: &Op) -> (Setting, Vec<Setting>) {
    let value = |value: &Const| Setting::Value(value.clone());
    let around = |bound: &Const| vec![below(bound), value(bound), above(bound)];
    match op {
        Op::Eq(bound) => (value(bound), around(bound)),
        Op::Ne(bound) => (above(bound), around(bound)),
        Op::Lt(bound) => (below(bound), around(bound)),
        Op::Gt(bound) => (above(bound), around(bound)),
        Op::Le(bound) | Op::Ge(bound) => (value(bound), around(bound)),
        Op::In(list) => {
            let first = list.first().map_or(Setting::Absent, value);
            let other = list.iter().map(above).find(|other| !list.iter().any(|own| value(own) == *other));
            (first, list.iter().take(MOST).map(value).chain(other).collect())
        }
        Op::NotIn(list) => {
            let other = list.iter().map(above).find(|other| !list.iter().any(|own| value(own) == *other));
            let other = other.unwrap_or(Setting::Absent);
            (other.clone(), list.iter().take(MOST).map(value).chain([other]).collect())
        }
        Op::Between(from, to) => {
            (value(from), vec![below(from), value(from), above(from), below(to), value(to), above(to)])
        }
        Op::Matches(pattern) => {
            let text = fitting(pattern).unwrap_or_default();
            let (fits, other) = (Const::Str(text.clone()), Const::Str(format!("{text}\u{1}").into()));
            (Setting::Value(fits.clone()), vec![Setting::Value(fits), Setting::Value(other)])
        }
        Op::Exists(is_there) => {
            let there = Setting::Value(Const::Bool(true));
            let both = vec![there.clone(), Setting::Absent];
            (if *is_there { there } else { Setting::Absent }, both)
        }
    }
}

/// The next smaller value that a policy's author would think of.
fn below(bound: &Const) -> Setting {
    match bound {
        Const::Number(n) if n.fract() == 0.0 => Setting::Value(Const::Number(n - 1.0)),
        Const::Number(n) => Setting::Value(Const::Number(n.next_down())),
        Const::Str(text) => {
            let mut shorter = text.to_string();
            // Nothing is smaller than no text.
            match shorter.pop() {
                Some(_) => Setting::Value(Const::Str(shorter.into())),
                None => Setting::Absent,
            }
        }
        other => different(other),
    }
}

/// The next larger one.
fn above(bound: &Const) -> Setting {
    match bound {
        Const::Number(n) if n.fract() == 0.0 => Setting::Value(Const::Number(n + 1.0)),
        Const::Number(n) => Setting::Value(Const::Number(n.next_up())),
        Const::Str(text) => Setting::Value(Const::Str(format!("{text}x").into())),
        other => different(other),
    }
}

/// Another value, of the same type where it has another.
fn different(value: &Const) -> Setting {
    match value {
        Const::Bool(b) => Setting::Value(Const::Bool(!b)),
        Const::List(items) => {
            Setting::Value(Const::List(items.iter().cloned().chain([Const::Null]).collect()))
        }
        _ => Setting::Value(Const::Bool(true)),
    }
}

/// A text that fits a pattern, where one is found without searching.
pub(super) fn fitting(pattern: &Pattern) -> Option<Box<str>> {
    match pattern {
        Pattern::Exact(text) => Some(text.clone()),
        Pattern::Glob(glob) => glob.anchors().find_map(|anchor| fitting_glob(glob, &anchor)),
    }
}

fn fitting_glob(glob: &Glob, anchor: &Anchor) -> Option<Box<str>> {
    let texts = match anchor {
        Anchor::Exact(text) => vec![text.clone()],
        Anchor::Prefix(text) => vec![format!("{text}a"), text.clone(), format!("{text}1")],
        Anchor::Suffix(text) => vec![format!("a{text}"), text.clone(), format!("1{text}")],
        Anchor::Inside(text) => vec![format!("a{text}a"), format!("1{text}1")],
        Anchor::Nothing => vec!["a".to_owned(), "1".to_owned(), "aa".to_owned()],
    };
    texts.into_iter().find(|text| glob.matches(text)).map(String::into_boxed_str)
}
