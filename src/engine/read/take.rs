//! Typed values of fields: each reader says what it wants where it finds something else.

use super::form::{Field, Form};
use super::nearest::{listed, nearest};
use super::tree::{Content, to_const_map};
use super::{Findings, shown};
use crate::model::{Code, Severity};
use crate::unit::{Money, Span};
use crate::value::{ConstMap, number_to_json};

/// Names and what they stand for.
pub type Choices<T> = [(&'static str, T)];

/// Which spans of time a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Least {
    /// Zero and more.
    Zero,
    /// More than zero.
    AboveZero,
}

impl<'n> Field<'n> {
    /// Text.
    #[must_use]
    pub fn text(self, found: &mut Findings) -> Option<&'n str> {
        match &self.node.content {
            Content::Text(text) => Some(text),
            Content::Bool(_) | Content::Number(_) => {
                self.wrong_type("write it in quotes to make it text", found);
                None
            }
            Content::Null | Content::List(_) | Content::Map(_) => {
                self.wrong_type("write text", found);
                None
            }
        }
    }

    /// Text that is not empty.
    #[must_use]
    pub fn filled_text(self, found: &mut Findings) -> Option<&'n str> {
        let text = self.text(found)?;
        if text.trim().is_empty() {
            self.bad_value("is empty", "write text, or leave it out", found);
            return None;
        }
        Some(text)
    }

    /// True or false.
    #[must_use]
    pub fn boolean(self, found: &mut Findings) -> Option<bool> {
        if let Content::Bool(b) = self.node.content {
            return Some(b);
        }
        self.wrong_type("write `true` or `false`", found);
        None
    }

    /// A number.
    #[must_use]
    pub fn number(self, found: &mut Findings) -> Option<f64> {
        if let Content::Number(n) = self.node.content {
            return Some(n);
        }
        self.wrong_type("write a number", found);
        None
    }

    /// A number from `low` to `high`.
    #[must_use]
    pub fn number_in(self, low: f64, high: f64, found: &mut Findings) -> Option<f64> {
        let n = self.number(found)?;
        if (low..=high).contains(&n) {
            return Some(n);
        }
        let range = format!("write a number from {} to {}", plain(low), plain(high));
        self.bad_value(&format!("is {}", plain(n)), &range, found);
        None
    }

    /// A whole number from `low` to `high`.
    #[must_use]
    pub fn whole<T>(self, low: T, high: T, found: &mut Findings) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        let Content::Number(n) = self.node.content else {
            self.wrong_type("write a whole number", found);
            return None;
        };
        let whole = exact(n).and_then(|n| T::try_from(n).ok());
        if let Some(n) = whole.filter(|n| (low..=high).contains(n)) {
            return Some(n);
        }
        let range = format!("write a whole number from {low} to {high}");
        self.bad_value(&format!("is {}", plain(n)), &range, found);
        None
    }

    /// A count: a whole number from `low` to a million million.
    #[must_use]
    pub fn count(self, low: u64, found: &mut Findings) -> Option<u64> {
        self.whole(low, 1_000_000_000_000, found)
    }

    /// A span of time in seconds, fractions allowed.
    #[must_use]
    pub fn seconds(self, least: Least, found: &mut Findings) -> Option<Span> {
        let n = self.number(found)?;
        let span = Span::from_seconds(n);
        if let Some(span) = span.filter(|s| least == Least::Zero || s.nanos() > 0) {
            return Some(span);
        }
        let range = match least {
            Least::Zero => "write seconds from 0 to 1000000000",
            Least::AboveZero => "write seconds above 0, at most 1000000000",
        };
        self.bad_value(&format!("is {}", plain(n)), range, found);
        None
    }

    /// A span of time: a number of seconds, or text such as `300ms`, `1.5s`, `2m`, `1h30m`.
    #[must_use]
    pub fn duration(self, found: &mut Findings) -> Option<Span> {
        let Some(text) = self.node.text() else {
            return self.seconds(Least::Zero, found);
        };
        let span = seconds_of(text).and_then(Span::from_seconds);
        if span.is_none() {
            let remedy = "write seconds, or a text such as `300ms`, `1.5s`, `2m`, `1h30m`";
            self.bad_value(&format!("is {}, no span of time", shown(text)), remedy, found);
        }
        span
    }

    /// An amount of money.
    #[must_use]
    pub fn money(self, found: &mut Findings) -> Option<Money> {
        let n = self.number(found)?;
        let money = Money::from_units(n);
        if money.is_none() {
            let range = "write an amount from 0 to 1000000000";
            self.bad_value(&format!("is {}", plain(n)), range, found);
        }
        money
    }

    /// One of these names.
    #[must_use]
    pub fn choice<T: Copy>(self, choices: &Choices<T>, found: &mut Findings) -> Option<T> {
        let names = || choices.iter().map(|(name, _)| *name);
        let Some(text) = self.node.text() else {
            self.wrong_type(&format!("write one of {}", listed(names())), found);
            return None;
        };
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*value);
        }
        if !found.keeps_errors() {
            found.count_error();
            return None;
        }
        let suggestion = match nearest(text, names()) {
            Some(name) => format!("write `{name}`"),
            None => format!("write one of {}", listed(names())),
        };
        self.bad_value(&format!("cannot be {}", shown(text)), &suggestion, found);
        None
    }

    /// The elements of a list.
    #[must_use]
    pub fn list(self, found: &mut Findings) -> Option<impl Iterator<Item = Self> + use<'n>> {
        let elements = self.node.elements();
        if elements.is_none() {
            self.wrong_type("write a list", found);
        }
        elements.map(|nodes| nodes.iter().map(move |node| self.element(node)))
    }

    /// The elements of a list; a single value that is none stands for a list of it.
    pub fn one_or_many(self) -> impl Iterator<Item = Self> + use<'n> {
        let (one, many) = match self.node.elements() {
            Some(nodes) => (None, nodes),
            None => (Some(self), &[][..]),
        };
        one.into_iter().chain(many.iter().map(move |node| self.element(node)))
    }

    /// A list of texts that are not empty.
    #[must_use]
    pub fn texts(self, found: &mut Findings) -> Option<Vec<Box<str>>> {
        let elements = self.list(found)?;
        Some(elements.filter_map(|e| e.filled_text(found)).map(Into::into).collect())
    }

    /// A map of anything.
    #[must_use]
    pub fn free_map(self, found: &mut Findings) -> Option<ConstMap> {
        let entries = self.node.entries();
        if entries.is_none() {
            self.wrong_type("write a map", found);
        }
        entries.map(to_const_map)
    }

    /// A priority: any 32-bit integer; outside 0 to 1000 it is a warning.
    #[must_use]
    pub fn priority(self, found: &mut Findings) -> Option<i32> {
        let n = self.whole(i32::MIN, i32::MAX, found)?;
        if !(0..=1000).contains(&n) {
            let message = format!("{} is {n}, outside of 0 to 1000", self.label());
            let finding = crate::model::Finding::error(Code::PriorityRange, self.node.place, message);
            let suggestion = "keep priorities between 0 and 1000";
            found.push(finding.severity(Severity::Warning).suggest(suggestion));
        }
        Some(n)
    }
}

/// A field that is left out has its default; one that is wrong was reported.
impl<'n> Form<'n> {
    /// A whole number from `low` to `high`, or the default.
    pub fn whole_or<T>(&self, name: &str, (low, high): (T, T), default: T, found: &mut Findings) -> T
    where
        T: TryFrom<i64> + PartialOrd + std::fmt::Display + Copy,
    {
        self.get(name).and_then(|f| f.whole(low, high, found)).unwrap_or(default)
    }

    /// A number from `low` to `high`, or the default.
    pub fn number_or(&self, name: &str, (low, high): (f64, f64), default: f64, found: &mut Findings) -> f64 {
        self.get(name).and_then(|f| f.number_in(low, high, found)).unwrap_or(default)
    }

    /// A span of time, or so many seconds.
    pub fn seconds_or(&self, name: &str, least: Least, default: u64, found: &mut Findings) -> Span {
        let default = Span::from_nanos(default.saturating_mul(1_000_000_000));
        self.get(name).and_then(|f| f.seconds(least, found)).unwrap_or(default)
    }

    /// One of these names, or the default.
    pub fn choice_or<T: Copy>(
        &self,
        name: &str,
        choices: &Choices<T>,
        default: T,
        found: &mut Findings,
    ) -> T {
        self.get(name).and_then(|f| f.choice(choices, found)).unwrap_or(default)
    }
}

/// The seconds of `1h30m`, `1.5s`, `300ms`.
fn seconds_of(text: &str) -> Option<f64> {
    let mut seconds = 0.0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(letters);
        let (times, per) = match unit {
            "ns" => (1.0, 1e9),
            "us" | "µs" => (1.0, 1e6),
            "ms" => (1.0, 1e3),
            "s" => (1.0, 1.0),
            "m" => (60.0, 1.0),
            "h" => (3_600.0, 1.0),
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * times / per;
        rest = next;
    }
    (!text.is_empty()).then_some(seconds)
}

/// A double that is a whole number within ±2^53.
#[must_use]
pub fn exact(n: f64) -> Option<i64> {
    let whole = n.fract() == 0.0 && n.abs() <= super::scalar::EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "whole and at most 2^53")]
    whole.then_some(n as i64)
}

/// A number as people write it.
#[must_use]
pub fn plain(n: f64) -> String {
    if n.is_finite() { number_to_json(n).to_string() } else { n.to_string() }
}
