//! `Check`: whether a request or a connection may pass.

use tollgate_engine::decide::Answer as Effect;
use tollgate_engine::model::ReasonCode;
use tonic::{Code, Status};

use super::context::MOST_HEADERS;
use super::named::{self, Refused};
use super::{context, denied, passed, told};
use crate::data_plane::{Answer, DataPlane, Item, span};
use crate::grpc::convert::{Checked, Limits, Violations};
use crate::pb::envoy::service::auth::v3::check_response::HttpResponse;
use crate::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use crate::pb::envoy::r#type::v3::StatusCode;
use crate::pb::rpc;
use crate::telemetry::traces::Span;

/// # Errors
/// INVALID_ARGUMENT for what the operator has written wrong at the route; UNAVAILABLE while there
/// is no bundle. Both leave it to Envoy's failure mode.
pub(super) fn answer(
    plane: &DataPlane,
    limits: &Limits,
    sent: CheckRequest,
    mut span: Option<&mut Span>,
) -> Result<CheckResponse, Status> {
    let Some(attributes) = sent.attributes else {
        return Err(Violations::one("attributes", "is required; is this Envoy's `ext_authz`?").into());
    };
    let (headers, extensions) = (context::count_of_headers(&attributes), attributes.context_extensions.len());
    let like_ours =
        if headers <= MOST_HEADERS { context::headers_like_ours(&attributes) } else { Vec::new() };
    let asked = if headers > MOST_HEADERS {
        Err(Refused::Client(format!("the request has {headers} headers; at most {MOST_HEADERS} are taken")))
    } else if extensions > limits.context_values {
        let what = format!("has {extensions} entries; at most {} are taken", limits.context_values);
        Err(Refused::Operator(Violations::one("context_extensions", what)))
    } else {
        asked(attributes, limits)
    };
    match asked {
        Ok(checked) => {
            let request = checked.request();
            if let Some(span) = &mut span {
                span::tell_request(&request, span);
            }
            plane.authorize(&request, |answer| {
                span.into_iter().for_each(|span| answer.tell(span));
                response(&answer, like_ours)
            })
        }
        Err(Refused::Operator(wrong)) => Err(wrong.into()),
        Err(Refused::Client(reason)) => {
            let item = Item::Malformed { request_id: "", reason: &reason };
            plane.authorize_batch(&[item], false, |answers| match answers.first() {
                Some(answer) => {
                    span.into_iter().for_each(|span| answer.tell(span));
                    response(answer, like_ours)
                }
                None => Err(Status::internal("nothing was decided")),
            })
        }
    }
}

/// The question in our words.
fn asked(attributes: AttributeContext, limits: &Limits) -> Result<Checked, Refused> {
    let named::Named { mut request, headers, extensions } = named::read(&attributes, limits)?;
    request.context = Some(context::of(attributes, headers.as_deref(), extensions));
    Ok(Checked::new(request, limits)?)
}

/// The answer in Envoy's words. The code alone decides there, and an empty answer lets pass: each
/// effect names its code here, before anything else.
fn response(answer: &Answer<'_>, like_ours: Vec<String>) -> Result<CheckResponse, Status> {
    if answer.decision.reason_code == ReasonCode::NoBundle {
        return Err(Status::unavailable(answer.decision.reason));
    }
    let (code, http) = match &answer.decision.answer {
        Effect::Allow(obligations) => {
            (Code::Ok, HttpResponse::OkResponse(passed::response(answer, obligations, like_ours)))
        }
        Effect::Deny(_) | Effect::RequireApproval(_) => {
            let denied = denied::response(answer, StatusCode::Forbidden);
            (Code::PermissionDenied, HttpResponse::DeniedResponse(denied))
        }
        Effect::Throttle(_) => {
            let denied = denied::response(answer, StatusCode::TooManyRequests);
            (Code::ResourceExhausted, HttpResponse::DeniedResponse(denied))
        }
    };
    Ok(CheckResponse {
        status: Some(rpc::Status { code: code.into(), message: answer.decision.reason.to_owned() }),
        http_response: Some(http),
        dynamic_metadata: Some(told::metadata(answer)),
    })
}

impl From<Violations> for Refused {
    /// What passes a bound when all is put together: who sent how much of it cannot be told, so
    /// that it is denied.
    fn from(wrong: Violations) -> Self {
        Self::Client(format!(
            "the request cannot be decided: {wrong}; the operator may name fewer `headers` at the route, \
             or raise the bound"
        ))
    }
}
