//! Reads what a step of a sequence does.

use super::breakers::key_values;
use super::read_request::{asked, asked_of_anything, bundle, refuse, text, without};
use super::read_step::Steps;
use super::sequence::{Batch, Deed, Operate, Report, Retry, Says};
use crate::guardrail::operate::Operation;
use crate::guardrail::report::{Ending, Outcome};
use crate::guardrail::retry::Hint;
use crate::model::Code;
use crate::model::guardrail::ErrorKind;
use crate::read::Findings;
use crate::read::form::{Field, Form, Kind, Known, Shape};
use crate::read::tree::Content;

/// What a step can do; it does one of these.
pub(super) const DEEDS: [&str; 7] =
    ["authorize", "authorize_batch", "report", "retry", "budget", "reload", "operator"];

static BATCH: Shape = Shape {
    what: "a batch",
    fields: &[Known::of("requests", Kind::Verbatim), Known::plain("all_or_nothing")],
};

static REPORT: Shape = Shape {
    what: "a report",
    fields: &[
        Known::plain("of"),
        Known::plain("status"),
        Known::plain("error_kind"),
        Known::plain("error_code"),
        Known::plain("cost"),
        Known::plain("tokens"),
        Known::plain("compute"),
        Known::plain("duration"),
    ],
};

static ERROR: Shape = Shape {
    what: "an error",
    fields: &[
        Known::plain("kind"),
        Known::plain("code"),
        Known::plain("message"),
        Known::plain("retry_after"),
    ],
};

static OPERATOR: Shape = Shape {
    what: "an operator's step",
    fields: &[Known::plain("guardrail"), Known::plain("set"), Known::plain("key")],
};

const ERROR_KINDS: [(&str, ErrorKind); 4] = [
    ("TRANSIENT", ErrorKind::Transient),
    ("RATE_LIMITED", ErrorKind::RateLimited),
    ("TIMEOUT", ErrorKind::Timeout),
    ("PERMANENT", ErrorKind::Permanent),
];

const OPERATIONS: [(&str, Operation); 4] = [
    ("force_open", Operation::ForceOpen),
    ("close", Operation::Close),
    ("disable", Operation::Disable),
    ("reset", Operation::Reset),
];

/// What a retry and a budget request do not have.
const NOT_OF_A_RETRY: [&str; 3] = ["batch_id", "grants", "dry_run"];
const NOT_OF_A_BUDGET: [&str; 6] = ["batch_id", "grants", "dry_run", "request_id", "attempt", "time_left"];

/// The largest count that is exact as a double.
const MOST_COUNTED: u64 = 1 << 53;

/// Reads the deed of this name.
pub(super) fn deed(name: &str, field: Field<'_>, steps: &mut Steps<'_>) -> Option<Deed> {
    match name {
        "authorize" => Some(Deed::Authorize(Box::new(asked(field, steps.found)))),
        "authorize_batch" => batch(field, steps.found).map(Deed::Batch),
        "report" => report(field, steps).map(Deed::Report),
        "retry" => retry(field, steps.found).map(|retry| Deed::Retry(Box::new(retry))),
        "budget" => {
            refuse(field, &NOT_OF_A_BUDGET, steps.found);
            Some(Deed::Budget(Box::new(asked_of_anything(field, steps.found))))
        }
        "reload" => reload(field, steps).map(Deed::Reload),
        _ => operator(field, steps.found).map(Deed::Operate),
    }
}

/// A list of requests, or a map that has one.
fn batch(field: Field<'_>, found: &mut Findings) -> Option<Batch> {
    let (requests, all_or_nothing) = match &field.node.content {
        Content::List(_) => (field, false),
        _ => {
            let form = Form::open(field, &BATCH, found)?;
            let all = form.present("all_or_nothing").and_then(|f| f.boolean(found));
            (form.required("requests", found)?, all.unwrap_or(false))
        }
    };
    let requests = requests.list(found)?.map(|item| asked(item, found)).collect();
    Some(Batch { requests, all_or_nothing })
}

fn report(field: Field<'_>, steps: &mut Steps<'_>) -> Option<Report> {
    let form = Form::open(field, &REPORT, steps.found)?;
    let of = form.required("of", steps.found)?;
    let is_null = of.node.content == Content::Null;
    let named = if is_null { None } else { steps.named(of) };
    let says = says(&form, steps.found);
    if named.is_none() && !is_null {
        return None;
    }
    Some(Report { of: named, says: says? })
}

fn says(form: &Form<'_>, found: &mut Findings) -> Option<Says> {
    let kind = form.present("error_kind").and_then(|f| f.choice(&ERROR_KINDS, found));
    let _ = form.present("error_code").and_then(|f| f.text(found));
    let outcome = |ending| Some(Outcome::of(ending));
    let statuses = [
        ("SUCCESS", outcome(Ending::Success)),
        ("FAILURE", outcome(Ending::Failure(kind.unwrap_or(ErrorKind::Transient)))),
        ("CANCELLED", outcome(Ending::Cancelled)),
        ("IN_PROGRESS", None),
    ];
    let status = form.required("status", found).and_then(|f| f.choice(&statuses, found));
    let cost = form.present("cost").and_then(|f| f.money(found));
    let tokens = form.present("tokens").and_then(|f| f.whole(0, MOST_COUNTED, found));
    let compute = form.present("compute").and_then(|f| f.whole(0, MOST_COUNTED, found));
    let duration = form.present("duration").and_then(|f| f.duration(found));
    Some(match status? {
        Some(outcome) => Says::Ended(Outcome { cost, tokens, compute, duration, ..outcome }),
        None => Says::InProgress,
    })
}

fn retry(field: Field<'_>, found: &mut Findings) -> Option<Retry> {
    refuse(field, &NOT_OF_A_RETRY, found);
    let facts = without(field.node, &["error"]);
    let request = asked(Field { node: &facts, ..field }, found);
    let Some(error) = field.node.entries().and_then(|all| all.iter().find(|entry| &*entry.key == "error"))
    else {
        let message = "`retry` needs `error`";
        found.error_with(Code::MissingField, field.place, message, "add `error: {kind: TRANSIENT}`");
        return None;
    };
    let error = Field::named(&error.key, error.place, &error.node);
    let form = Form::open(error, &ERROR, found)?;
    for name in ["code", "message"] {
        let _ = form.present(name).and_then(|f| f.text(found));
    }
    let kind = form.required("kind", found).and_then(|f| f.choice(&ERROR_KINDS, found));
    let hint = form.present("retry_after").map(|f| hint(f, found));
    Some(Retry { request, kind: kind?, hint: hint.flatten() })
}

/// What the other side said; less than nothing is a refusal.
fn hint(field: Field<'_>, found: &mut Findings) -> Option<Hint> {
    let is_negative = match &field.node.content {
        Content::Number(n) => *n < 0.0,
        Content::Text(text) => {
            text.strip_prefix('-').is_some_and(|rest| super::expect::seconds(rest).is_some())
        }
        Content::Null | Content::Bool(_) | Content::List(_) | Content::Map(_) => false,
    };
    if is_negative { Some(Hint::Refuses) } else { field.duration(found).map(Hint::After) }
}

/// The number of a bundle among those that sequences go over to.
fn reload(field: Field<'_>, steps: &mut Steps<'_>) -> Option<usize> {
    let at = bundle(field, steps.found)?;
    let known = steps.reloads.iter().position(|other| *other == at);
    Some(known.unwrap_or_else(|| {
        steps.reloads.push(at);
        steps.reloads.len().saturating_sub(1)
    }))
}

fn operator(field: Field<'_>, found: &mut Findings) -> Option<Operate> {
    let form = Form::open(field, &OPERATOR, found)?;
    let guardrail = form.required("guardrail", found).and_then(|f| text(f, found));
    let operation = form.required("set", found).and_then(|f| f.choice(&OPERATIONS, found));
    let key = form.present("key").map(|f| match f.node.text() {
        Some(text) => key_values(text),
        None => f.one_or_many().filter_map(|value| value.text(found)).map(String::from).collect(),
    });
    Some(Operate { guardrail: guardrail?, key, operation: operation? })
}
