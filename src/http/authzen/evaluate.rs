//! One evaluation, or several in one of three semantics.

use serde_json::{Value as Json, json};
use tollgate_engine::decide::Request;

use super::facts::{Facts, map, take};
use super::{Point, Refused, answer, bounded};
use crate::data_plane::{Item, span};
use crate::grpc::convert::Checked;
use crate::pb::{Kind, Struct};
use crate::telemetry::traces::Span;

/// Values that an evaluation may have besides its context: entities, properties, what is ignored.
const BESIDES: usize = 1_024;

/// When evaluations end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Semantic {
    ExecuteAll,
    /// With the first of this decision.
    Until(bool),
}

/// The answer to one evaluation.
pub(super) fn one(
    point: &Point,
    sent: &[u8],
    id: Option<&str>,
    span: &mut Option<Span>,
) -> Result<Json, Refused> {
    let most = point.limits.context_values + BESIDES;
    single(point, bounded::object(sent, most).map_err(unreadable)?, id, span)
}

/// The answer to several; without `evaluations` they are one.
pub(super) fn several(
    point: &Point,
    sent: &[u8],
    id: Option<&str>,
    span: &mut Option<Span>,
) -> Result<Json, Refused> {
    let limits = &point.limits;
    let most = limits.context_values.saturating_add(16).saturating_mul(limits.batch_items) + BESIDES;
    let mut object = bounded::object(sent, most).map_err(unreadable)?;
    let items = match take(&mut object, "evaluations") {
        None => return single(point, object, id, span),
        Some(Kind::List(list)) if list.values.is_empty() => return single(point, object, id, span),
        Some(Kind::List(list)) => list.values,
        Some(_) => return Err(Refused::malformed("`evaluations` is no list; send one")),
    };
    if items.len() > limits.batch_items {
        let most = limits.batch_items;
        let what = format!("`evaluations` has {} elements; at most {most} are taken", items.len());
        return Err(Refused::malformed(what));
    }
    let (semantic, charge) = options(&mut object)?;
    let defaults = Facts::take(&mut object).map_err(Refused::malformed)?;
    if defaults.bytes().saturating_mul(items.len()) > limits.batch_bytes {
        let (items, most) = (items.len(), limits.batch_bytes);
        let what =
            format!("the defaults of {items} evaluations make more than {most} bytes; send fewer at once");
        return Err(Refused::malformed(what));
    }
    let item = |value: crate::pb::Value| match value.kind {
        Some(Kind::Struct(mut item)) => Facts::take(&mut item)?.or(&defaults).into_request(limits, None),
        _ => Err("is no object; send one".to_owned()),
    };
    let count = items.len();
    // Each is read when its turn comes.
    let items = items
        .into_iter()
        .enumerate()
        .map(|(at, value)| item(value).map_err(|what| format!("`evaluations[{at}]`: {what}")));
    let evaluations = match semantic {
        Semantic::ExecuteAll => all(point, items.collect(), charge, span.as_mut()),
        Semantic::Until(decision) => until(point, items, charge, (decision, span.as_mut())),
    };
    if let Some(span) = span {
        let allowed = evaluations.iter().filter(|one| one["decision"] == true).count();
        span::tell_count("tollgate.batch.items", count, span);
        span::tell_count("tollgate.batch.allowed", allowed, span);
    }
    Ok(json!({ "evaluations": evaluations }))
}

fn single(
    point: &Point,
    mut object: Struct,
    id: Option<&str>,
    span: &mut Option<Span>,
) -> Result<Json, Refused> {
    let (_, charge) = options(&mut object)?;
    let facts = Facts::take(&mut object).map_err(Refused::malformed)?;
    let checked = facts.into_request(&point.limits, id).map_err(Refused::malformed)?;
    let request = request(&checked, charge);
    if let Some(span) = span {
        span::tell_request(&request, span);
    }
    Ok(point.plane.authorize(&request, |answer| {
        span.iter_mut().for_each(|span| answer.tell(span));
        answer::evaluation(&answer)
    }))
}

/// The question: it looks and charges nothing, unless it is told to.
fn request(checked: &Checked, charge: bool) -> Request<'_> {
    Request { dry_run: !charge, ..checked.request() }
}

/// All, decided at one instant.
fn all(
    point: &Point,
    items: Vec<Result<Checked, String>>,
    charge: bool,
    span: Option<&mut Span>,
) -> Vec<Json> {
    let good = items.iter().filter_map(|item| item.as_ref().ok());
    let asked: Vec<Item<'_>> = good.map(|checked| Item::Ask(request(checked, charge))).collect();
    let answers: Vec<Json> = point.plane.authorize_batch(&asked, false, |answers| {
        if let (Some(span), Some(answer)) = (span, answers.first()) {
            answer.tell_bundle(span);
        }
        answers.iter().map(answer::evaluation).collect()
    });
    let mut answers = answers.into_iter();
    let in_turn = items.iter().map(|item| match item {
        Ok(_) => answers.next().unwrap_or_else(|| answer::error("nothing was decided")),
        Err(what) => answer::error(what),
    });
    in_turn.collect()
}

/// One after the other, the last being the first of this decision: what follows is not charged.
fn until(
    point: &Point,
    items: impl Iterator<Item = Result<Checked, String>>,
    charge: bool,
    (decision, mut span): (bool, Option<&mut Span>),
) -> Vec<Json> {
    let mut evaluations = Vec::new();
    for item in items {
        let evaluation = match item {
            Ok(checked) => point.plane.authorize(&request(&checked, charge), |answer| {
                span.take().into_iter().for_each(|span| answer.tell_bundle(span));
                answer::evaluation(&answer)
            }),
            Err(what) => answer::error(&what),
        };
        let is_last = evaluation["decision"] == decision;
        evaluations.push(evaluation);
        if is_last {
            break;
        }
    }
    evaluations
}

fn options(object: &mut Struct) -> Result<(Semantic, bool), Refused> {
    let mut options = map(object, "options").map_err(Refused::malformed)?.unwrap_or_default();
    let semantic = match take(&mut options, "evaluations_semantic") {
        None => Semantic::ExecuteAll,
        Some(Kind::Text(name)) if name == "execute_all" => Semantic::ExecuteAll,
        Some(Kind::Text(name)) if name == "deny_on_first_deny" => Semantic::Until(false),
        Some(Kind::Text(name)) if name == "permit_on_first_permit" => Semantic::Until(true),
        Some(_) => {
            return Err(Refused::malformed(
                "`options.evaluations_semantic` is none; send `execute_all`, `deny_on_first_deny` or \
                 `permit_on_first_permit`",
            ));
        }
    };
    match take(&mut options, "charge") {
        None => Ok((semantic, false)),
        Some(Kind::Bool(charge)) => Ok((semantic, charge)),
        Some(_) => Err(Refused::malformed("`options.charge` is neither `true` nor `false`")),
    }
}

fn unreadable(what: String) -> Refused {
    Refused::malformed(format!("the body cannot be read: {what}"))
}
