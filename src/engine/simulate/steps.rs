//! The steps of a sequence: their form is checked now, so that files can be written; they run
//! when guardrails have state.

use super::expect::seconds;
use crate::model::Code;
use crate::read::Findings;
use crate::read::form::{Field, Form, Known, Shape};
use crate::read::tree::Content;

static STEP: Shape = Shape {
    what: "a step",
    fields: &[
        Known::plain("at"),
        Known::plain("authorize"),
        Known::plain("authorize_batch"),
        Known::plain("report"),
        Known::plain("retry"),
        Known::plain("budget"),
        Known::plain("reload"),
        Known::plain("operator"),
        Known::plain("as"),
        Known::plain("repeat"),
        Known::plain("parallel"),
        Known::plain("expect"),
    ],
};

/// What a step can do; it does one of these.
const DEEDS: [&str; 7] = ["authorize", "authorize_batch", "report", "retry", "budget", "reload", "operator"];

/// Checks the steps of a sequence.
pub(super) fn check(field: Field<'_>, found: &mut Findings) {
    let Some(steps) = field.node.elements() else {
        return field.wrong_type("write a list of steps", found);
    };
    for step in steps {
        if let Some(form) = Form::open(field.element(step), &STEP, found) {
            check_step(&form, found);
        }
    }
}

fn check_step(form: &Form<'_>, found: &mut Findings) {
    let deeds = DEEDS.iter().filter(|deed| form.get(deed).is_some()).count();
    if deeds != 1 {
        let message = format!("a step does one thing, and this one does {deeds}");
        let remedy = format!("write one of {}", crate::read::listed(DEEDS));
        found.error_with(Code::MissingField, form.place, message, remedy);
    }
    if let Some(at) = form.present("at") {
        let is_time = match &at.node.content {
            Content::Text(text) => seconds(text).is_some(),
            Content::Number(n) => *n >= 0.0,
            Content::Null | Content::Bool(_) | Content::List(_) | Content::Map(_) => false,
        };
        if !is_time {
            at.bad_value("is no time since the start", "write one such as `5s` or `4999ms`", found);
        }
    }
}
