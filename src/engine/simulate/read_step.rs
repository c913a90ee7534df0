//! Reads the steps of a sequence: when, how often, under which name, and what is expected.

use super::expect::{Entry, seconds};
use super::read_deed::{self, DEEDS};
use super::sequence::{Deed, Named, Step};
use super::shape::{self, Holds};
use super::suite::BundleAt;
use super::{read_expect, read_request};
use crate::model::Code;
use crate::read::form::{Field, Form, Kind, Known, Shape};
use crate::read::tree::Content;
use crate::read::{Findings, listed, nearest, shown};
use crate::unit::Span;

static STEP: Shape = Shape {
    what: "a step",
    fields: &[
        Known::plain("at"),
        Known::of("authorize", Kind::Verbatim),
        Known::plain("authorize_batch"),
        Known::plain("report"),
        Known::of("retry", Kind::Verbatim),
        Known::of("budget", Kind::Verbatim),
        Known::plain("reload"),
        Known::plain("operator"),
        Known::plain("as"),
        Known::plain("repeat"),
        Known::plain("parallel"),
        Known::plain("expect"),
    ],
};

/// How often a step is done at most, and how many answers it gives in all.
const MOST_TIMES: u32 = 10_000;
const MOST_ANSWERS: usize = 100_000;

/// The steps while they are read.
pub(super) struct Steps<'a> {
    /// When the step before was.
    at: Span,
    given: Vec<Given>,
    pub(super) reloads: &'a mut Vec<BundleAt>,
    pub(super) found: &'a mut Findings,
}

/// A name that a step gives to its decisions.
struct Given {
    name: Box<str>,
    line: u32,
    repeat: usize,
    items: usize,
    /// Whether each time gives several decisions.
    is_batch: bool,
}

/// Reads the steps of a sequence.
pub(super) fn steps(
    field: Field<'_>,
    reloads: &mut Vec<BundleAt>,
    found: &mut Findings,
) -> Option<Vec<Step>> {
    let Some(elements) = field.node.elements() else {
        field.wrong_type("write a list of steps", found);
        return None;
    };
    if elements.is_empty() {
        field.bad_value("has no step", "add a step", found);
    }
    let mut reading = Steps { at: Span::default(), given: vec![], reloads, found };
    Some(elements.iter().filter_map(|step| reading.step(field.element(step))).collect())
}

impl Steps<'_> {
    fn step(&mut self, field: Field<'_>) -> Option<Step> {
        let form = Form::open(field, &STEP, self.found)?;
        self.time(&form);
        let deed = self.deed(&form)?;
        let repeat = form.whole_or("repeat", (1, MOST_TIMES), 1, self.found);
        let parallel = form.present("parallel").and_then(|f| f.boolean(self.found)).unwrap_or(false);
        self.repetition(&form, &deed, repeat, parallel);
        let name = form.present("as").and_then(|field| self.give(field, &deed, repeat));
        let expected = form.present("expect").map_or_else(Vec::new, |f| self.expected(f, &deed));
        let at = self.at;
        Some(Step { place: form.place, at, deed, name, repeat, parallel, expected })
    }

    /// When the step is; without `at` as the one before.
    fn time(&mut self, form: &Form<'_>) {
        let Some(field) = form.present("at") else { return };
        let at = match &field.node.content {
            Content::Text(text) => seconds(text).and_then(Span::from_seconds),
            Content::Number(n) => Span::from_seconds(*n),
            Content::Null | Content::Bool(_) | Content::List(_) | Content::Map(_) => None,
        };
        match at {
            None => field.bad_value(
                "is no time since the start",
                "write one such as `5s`, `4999ms` or `2h`",
                self.found,
            ),
            Some(at) if at < self.at => {
                let before = super::answer::span(self.at);
                let what = format!("is {}, and the step before it is at {before}", super::answer::span(at));
                field.bad_value(&what, "time does not go back: write the steps in its order", self.found);
            }
            Some(at) => self.at = at,
        }
    }

    fn deed(&mut self, form: &Form<'_>) -> Option<Deed> {
        let mut deeds = DEEDS.iter().filter_map(|name| form.get(name).map(|field| (*name, field)));
        match (deeds.next(), deeds.count()) {
            (Some((name, field)), 0) => read_deed::deed(name, field, self),
            (first, others) => {
                let deeds = others + usize::from(first.is_some());
                let message = format!("a step does one thing, and this one does {deeds}");
                let remedy = format!("write one of {}", listed(DEEDS));
                self.found.error_with(Code::MissingField, form.place, message, remedy);
                None
            }
        }
    }

    fn repetition(&mut self, form: &Form<'_>, deed: &Deed, repeat: u32, parallel: bool) {
        let changes = matches!(deed, Deed::Reload(_) | Deed::Operate(_));
        if changes {
            for name in ["repeat", "parallel"] {
                let why = format!("does not go with `{}`", deed.name());
                form.refuse(name, &why, "leave it out", self.found);
            }
        } else if parallel && repeat < 2 {
            let why = "is about repetitions, and this step is done once";
            form.refuse("parallel", why, "add `repeat`", self.found);
        }
        let answers = deed.answers().saturating_mul(repeat as usize);
        if let (Some(field), true) = (form.present("repeat"), answers > MOST_ANSWERS) {
            let what = format!("makes {answers} answers; at most {MOST_ANSWERS} are taken");
            field.bad_value(&what, "repeat it less often", self.found);
        }
    }

    fn expected(&mut self, field: Field<'_>, deed: &Deed) -> Vec<Entry> {
        let known: Vec<(&str, Holds)> = shape::of(deed);
        read_expect::fields(field, &known, self.found)
    }

    /// The name of the decisions of a step.
    fn give(&mut self, field: Field<'_>, deed: &Deed, repeat: u32) -> Option<Box<str>> {
        let name = read_request::text(field, self.found)?;
        if !matches!(deed, Deed::Authorize(_) | Deed::Batch(_)) {
            let what = format!("names decisions, and `{}` takes none", deed.name());
            field.bad_value(&what, "leave it out", self.found);
        } else if name.contains('#') {
            let what = format!("is {}", shown(&name));
            field.bad_value(&what, "write it without `#`, which is for the repetitions", self.found);
        } else if let Some(other) = self.given.iter().find(|given| given.name == name) {
            let what = format!("is {}, as at line {}", shown(&name), other.line);
            field.bad_value(&what, "write another name", self.found);
        } else {
            let (repeat, is_batch) = (repeat as usize, matches!(deed, Deed::Batch(_)));
            let line = field.place.line;
            self.given.push(Given { name: name.clone(), line, repeat, items: deed.answers(), is_batch });
        }
        Some(name)
    }

    /// The decisions that a report is about.
    pub(super) fn named(&mut self, field: Field<'_>) -> Option<Named> {
        let text = read_request::text(field, self.found)?;
        let known = self.given.iter().find_map(|given| given.resolve(&text));
        if known.is_none() {
            let names = || self.given.iter().map(|given| &*given.name);
            let what = format!("is {}, which no step before this one is called", shown(&text));
            let remedy = match nearest(&text, names()) {
                Some(name) => format!("write `{name}`, or `null` for a decision that nobody took"),
                None => "name the step by `as`, or write `null` for a decision that nobody took".into(),
            };
            field.bad_value(&what, &remedy, self.found);
        }
        known
    }
}

impl Given {
    /// Which decisions a text means: `a` all of them, `a#2` those of the second time or of the
    /// second item, `a#2#3` of the second time the third item.
    fn resolve(&self, text: &str) -> Option<Named> {
        let mut parts = text.split('#');
        if parts.next() != Some(&*self.name) {
            return None;
        }
        let numbers: Vec<usize> = parts.map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let which = match (numbers.as_slice(), self.repeat, self.is_batch) {
            ([], ..) => 0..self.repeat * self.items,
            ([item], 1, true) => one(*item, self.items)?,
            ([time], ..) => {
                let times = one(*time, self.repeat)?;
                times.start * self.items..times.end * self.items
            }
            ([time, item], _, true) => {
                let (time, item) = (one(*time, self.repeat)?, one(*item, self.items)?);
                time.start * self.items + item.start..time.start * self.items + item.end
            }
            _ => return None,
        };
        Some(Named { name: self.name.clone(), which })
    }
}

/// The place of the first, second, third of so many.
fn one(number: usize, of: usize) -> Option<std::ops::Range<usize>> {
    (1..=of).contains(&number).then(|| number - 1..number)
}

#[cfg(test)]
mod tests;
