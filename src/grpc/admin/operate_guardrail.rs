//! `OperateGuardrail`: what an operator does to a guardrail.

use tollgate_engine::guardrail::operate::Operation;
use tonic::Status;

use crate::data_plane::DataPlane;
use crate::data_plane::operate::{Handling, NotHandled};
use crate::grpc::convert::operate::{NAME_BYTES, check_text, guardrail};
use crate::grpc::convert::violation::Place;
use crate::grpc::convert::{Limits, Violations};
use crate::pb;

/// More dimensions than a key can have.
const MOST_VALUES: usize = 16;

pub(super) fn answer(
    plane: &DataPlane,
    sent: &pb::OperateGuardrailRequest,
) -> Result<pb::OperateGuardrailResponse, Status> {
    let mut wrong = Violations::default();
    if sent.guardrail.is_empty() || sent.guardrail.len() > NAME_BYTES {
        wrong.add(Place::Field("guardrail"), "is not the name of a guardrail; see `ListGuardrails`");
    }
    let values = sent.key.as_ref().map(|key| &*key.values);
    let name_bytes = Limits::default().string_bytes;
    if values.is_some_and(|own| own.len() > MOST_VALUES || own.iter().any(|one| one.len() > name_bytes)) {
        wrong.add(Place::Field("key"), "is larger than any key; send the values of `key_by`");
    }
    check_text(&mut wrong, "by", &sent.by);
    check_text(&mut wrong, "reason", &sent.reason);
    let operation = match sent.operation() {
        pb::GuardrailOperation::ForceOpen => Some(Operation::ForceOpen),
        pb::GuardrailOperation::Close => Some(Operation::Close),
        pb::GuardrailOperation::Disable => Some(Operation::Disable),
        pb::GuardrailOperation::Reset => Some(Operation::Reset),
        pb::GuardrailOperation::Unspecified => None,
    };
    let Some(operation) = operation.filter(|_| wrong.is_empty()) else {
        if wrong.is_empty() {
            wrong.add(Place::Field("operation"), "is needed: `FORCE_OPEN`, `CLOSE`, `DISABLE` or `RESET`");
        }
        return Err(wrong.into());
    };
    let (by, reason) = (&*sent.by, &*sent.reason);
    let handling = Handling { guardrail: &sent.guardrail, key: values, operation, by, reason };
    let handled = plane.handle_guardrail(&handling, |view| guardrail(&view));
    handled.map(|record| pb::OperateGuardrailResponse { guardrail: Some(record) }).map_err(refusal)
}

fn refusal(why: NotHandled) -> Status {
    let said = why.to_string();
    match why {
        NotHandled::Unknown { .. } => Status::not_found(said),
        NotHandled::WrongKey { .. } => Violations::one("key", format_args!("does not fit: {said}")).into(),
        NotHandled::Off(_) | NotHandled::NotABreaker { .. } | NotHandled::Held { .. } => {
            Status::failed_precondition(said)
        }
    }
}
