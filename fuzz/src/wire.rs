//! Messages of gRPC: bytes to a message, within the memory that its allowance says; the message to a question; the
//! answer to bytes. The first byte of an input says which message the rest is.

use std::sync::{Arc, LazyLock};

use prost::Message;
use tollgate::data_plane::{DataPlane, Item};
use tollgate::grpc::convert::report::{Report, attempt, report};
use tollgate::grpc::convert::violation::Violations;
use tollgate::grpc::convert::{Checked, Limits, guardrail, response, trace};
use tollgate::pb;
use tollgate::pb::amplification::{self, Shape};

use crate::memory::peak_of;
use crate::plane;

/// What a message may take decoded: the allowance of one request, of a batch, and as often as its bytes.
const ONE: usize = 16 << 20;
const BATCH: usize = 256 << 20;
const TIMES: usize = 64;

/// One for all inputs: what they leave behind is bounded, and an answer depends on little of it.
static PLANE: LazyLock<Arc<DataPlane>> = LazyLock::new(plane::guarded);

pub(crate) fn run(input: &[u8]) {
    let Some((which, bytes)) = input.split_first() else { return };
    let limits = Limits::default();
    PLANE.clock().advance(1_000_000);
    match which % 7 {
        0 => decoded(bytes, Some(Shape::Request), |sent| authorize(sent, &limits)),
        1 => decoded(bytes, Some(Shape::Requests), |sent| authorize_batch(sent, &limits)),
        2 => decoded(bytes, Some(Shape::Requests), |sent| explain(sent, &limits)),
        3 => decoded(bytes, None, |sent| told(report(&sent, &limits).map(|(id, said)| reported(id, &said)))),
        4 => decoded(bytes, Some(Shape::Reports), |sent: pb::ReportBatchRequest| {
            sent.reports
                .iter()
                .for_each(|one| told(report(one, &limits).map(|(id, said)| reported(id, &said))));
        }),
        5 => decoded(bytes, Some(Shape::Request), |sent| retry(sent, &limits)),
        _ => decoded(bytes, Some(Shape::Request), |sent| budget(sent, &limits)),
    }
    if which % 16 == 0 {
        PLANE.sweep();
    }
}

/// Decodes as the server's codec does, and hands a message on.
fn decoded<M: Message + Default>(bytes: &[u8], shape: Option<Shape>, then: impl FnOnce(M)) {
    let decode = || {
        shape.map_or(Ok(()), |shape| amplification::check(bytes, shape)).ok()?;
        M::decode(bytes).ok()
    };
    let (message, held) = peak_of(decode);
    let allowance = if matches!(shape, Some(Shape::Requests | Shape::Reports)) { BATCH } else { ONE };
    let most = allowance + bytes.len() * TIMES;
    assert!(held <= most, "{} bytes took {held} decoded, and {most} are allowed", bytes.len());
    if let Some(message) = message {
        then(message);
    }
}

/// What is wrong is said within what a header takes.
fn told<T>(checked: Result<T, Violations>) {
    if let Err(wrong) = checked {
        assert!(!wrong.is_empty() && !wrong.to_string().is_empty());
        let status = tonic::Status::from(wrong);
        assert!(
            status.code() == tonic::Code::InvalidArgument
                && status.details().len() + status.message().len() < 8 << 10
        );
    }
}

fn authorize(sent: pb::AuthorizeRequest, limits: &Limits) {
    told(Checked::new(sent, limits).map(|checked| {
        PLANE.authorize(&checked.request(), |answer| response(&answer).encode_to_vec().len());
        PLANE.authorize(&checked.request(), |answer| response(&answer).encode_to_vec().len())
    }));
}

fn authorize_batch(sent: pb::AuthorizeBatchRequest, limits: &Limits) {
    if sent.requests.len() > limits.batch_items {
        return;
    }
    let checked: Vec<_> = sent.requests.into_iter().map(|one| Checked::new(one, limits)).collect();
    let items: Vec<Item<'_>> = checked
        .iter()
        .map(|one| match one {
            Ok(checked) => Item::Ask(checked.request()),
            Err(_) => Item::Malformed { request_id: "", reason: "it is malformed" },
        })
        .collect();
    let (asked, good) = (items.len(), checked.iter().filter(|one| one.is_ok()).count());
    let allowed = PLANE.authorize_batch(&items, sent.all_or_nothing, |answers| {
        assert_eq!(answers.len(), asked, "an answer each");
        let allowed = |answer: &&_| response(answer).effect == i32::from(pb::Effect::Allow);
        answers.iter().filter(allowed).count()
    });
    assert!(allowed <= good, "something malformed was allowed");
    assert!(!sent.all_or_nothing || allowed == 0 || allowed == asked, "all or nothing: {allowed} of {asked}");
}

fn explain(sent: pb::ExplainRequest, limits: &Limits) {
    let Some(request) = sent.request else { return };
    told(Checked::new(request, limits).map(|checked| {
        PLANE.explain(&checked.request(), |answer, rules, guardrails| {
            let rules = rules.into_iter().map(|one| trace::rule_trace(one).encoded_len());
            let guardrails = guardrails.iter().map(|one| guardrail::trace(one).encoded_len());
            response(&answer).encoded_len() + rules.sum::<usize>() + guardrails.sum::<usize>()
        })
    }));
}

fn reported(id: uuid::Uuid, said: &Report) {
    match said {
        Report::Ended(outcome) => PLANE.report(id, outcome),
        Report::InProgress => PLANE.renew(id),
    };
}

fn retry(mut sent: pb::RetryDecisionRequest, limits: &Limits) {
    told(attempt(&sent, limits).and_then(|attempt| {
        let facts = pb::AuthorizeRequest {
            subject: sent.subject.take(),
            action: sent.action.take(),
            context: sent.context.take(),
            estimate: sent.estimate,
            time_left: sent.time_left,
            attempt: sent.attempt,
            ..pb::AuthorizeRequest::default()
        };
        let checked = Checked::new(facts, limits)?;
        let planned = PLANE.retry(&checked.request(), &attempt, |answer| answer.plan.reason().len());
        Ok(planned.is_ok())
    }));
}

fn budget(mut sent: pb::BudgetRequest, limits: &Limits) {
    let facts = pb::AuthorizeRequest {
        subject: sent.subject.take(),
        action: sent.action.take(),
        context: sent.context.take(),
        ..pb::AuthorizeRequest::default()
    };
    told(
        Checked::without_action(facts, limits)
            .map(|checked| PLANE.budget(&checked.request(), |answer| answer.limits.len()).is_ok()),
    );
}
