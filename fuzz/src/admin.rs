//! What operators and approvers ask, in the bytes that they send. The first byte of an input says which message the
//! rest is.

use std::sync::{Arc, LazyLock};

use prost::Message;
use tollgate::data_plane::DataPlane;
use tollgate::grpc::admin::{self, Admin};
use tollgate::grpc::convert::{Checked, Limits, response};
use tollgate::pb;
use tollgate::pb::admin_service_server::AdminServiceServer;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{call, plane};

/// An approval is open, limits hold keys.
static PLANE: LazyLock<Arc<DataPlane>> = LazyLock::new(|| {
    let plane = plane::guarded();
    for (action, agent, tool) in
        [("transfer", "inbox.send", "bank"), ("read", "inbox.triage", "mail"), ("read", "", "")]
    {
        let sent = pb::AuthorizeRequest {
            subject: Some(pb::Subject { agent: agent.into(), tenant: "acme".into(), ..Default::default() }),
            action: Some(pb::Action { name: action.into(), tool: tool.into(), ..Default::default() }),
            ..Default::default()
        };
        let checked = Checked::new(sent, &Limits::default()).expect("a request");
        plane.authorize(&checked.request(), |answer| response(&answer).encoded_len());
    }
    plane
});
static SERVER: LazyLock<AdminServiceServer<Admin>> = LazyLock::new(|| admin::open(Arc::clone(&PLANE)));

/// Stops that may pile up.
const STOPS: usize = 8;
/// Why something is refused. An error of ours is none of them.
const CODES: [Code; 5] = [
    Code::InvalidArgument,
    Code::NotFound,
    Code::FailedPrecondition,
    Code::PermissionDenied,
    Code::ResourceExhausted,
];

pub(crate) fn run(input: &[u8]) {
    let Some((which, bytes)) = input.split_first() else { return };
    PLANE.clock().advance(1_000_000);
    match which % 6 {
        0 => list_approvals(bytes),
        1 => decide_approval(bytes),
        2 => list_guardrails(bytes),
        3 => operate_guardrail(bytes),
        4 => set_stop(bytes),
        _ => clear_stop(bytes),
    }
    if PLANE.list_stops().len() > STOPS {
        clear_stop(&pb::ClearStopRequest { all: true, ..Default::default() }.encode_to_vec());
    }
}

/// What was asked and what is answered.
fn ask<Q: Message + Default, A: Message + Default>(method: &str, bytes: &[u8]) -> Option<(Q, A)> {
    let answer = call::grpc(SERVER.clone(), &format!("/tollgate.v1.AdminService/{method}"), bytes);
    match answer {
        Ok(answer) => Some((
            Q::decode(bytes).expect("what is answered was asked"),
            A::decode(answer).expect("an answer is a message"),
        )),
        Err(status) => {
            refused(&status);
            None
        }
    }
}

fn refused(status: &Status) {
    call::refused(status, &CODES);
}

fn list_approvals(bytes: &[u8]) {
    let answer = ask("ListApprovals", bytes);
    let Some::<(pb::ListApprovalsRequest, pb::ListApprovalsResponse)>((sent, got)) = answer else { return };
    assert!(sent.page_size == 0 || got.approvals.len() <= sent.page_size as usize, "{got:?}");
    let wanted = Uuid::try_parse(&sent.approval_id).ok();
    let id = |one: &pb::ApprovalRecord| one.approval.as_ref().and_then(|own| Uuid::try_parse(&own.id).ok());
    assert!(wanted.is_none() || got.approvals.iter().all(|one| id(one) == wanted), "{got:?} for {sent:?}");
    assert!(got.next_page_token.is_empty() || !got.approvals.is_empty(), "{got:?}");
}

/// Nobody here can sign: whatever comes decides nothing.
fn decide_approval(bytes: &[u8]) {
    let answer = ask::<pb::DecideApprovalRequest, pb::DecideApprovalResponse>("DecideApproval", bytes);
    assert!(answer.is_none(), "decided without a key: {answer:?}");
}

fn list_guardrails(bytes: &[u8]) {
    let answer = ask("ListGuardrails", bytes);
    let Some::<(pb::ListGuardrailsRequest, pb::ListGuardrailsResponse)>((sent, got)) = answer else { return };
    assert!(got.bundle.is_some());
    assert!(sent.page_size == 0 || got.guardrails.len() <= sent.page_size as usize, "{got:?}");
    let fit = |one: &pb::GuardrailRecord| {
        (sent.guardrail.is_empty() || one.guardrail == sent.guardrail)
            && one.hottest.len() <= sent.keys.unwrap_or(10) as usize
    };
    assert!(got.guardrails.iter().all(fit), "{got:?} for {sent:?}");
}

fn operate_guardrail(bytes: &[u8]) {
    let answer = ask("OperateGuardrail", bytes);
    let Some::<(pb::OperateGuardrailRequest, pb::OperateGuardrailResponse)>((sent, got)) = answer else {
        return;
    };
    assert_eq!(got.guardrail.map(|one| one.guardrail), Some(sent.guardrail));
}

fn set_stop(bytes: &[u8]) {
    let answer = ask("SetStop", bytes);
    let Some::<(pb::SetStopRequest, pb::SetStopResponse)>((sent, got)) = answer else { return };
    let stop = got.stop.expect("the stop that was set");
    assert!(stop.effect == sent.effect && stop.by == sent.by && !stop.reason.is_empty(), "{stop:?}");
    let listed = ask("ListStops", &[]);
    let Some::<(pb::ListStopsRequest, pb::ListStopsResponse)>((_, all)) = listed else {
        panic!("stops are not listed")
    };
    assert!(all.stops.contains(&stop), "{stop:?} is not in {all:?}");
}

fn clear_stop(bytes: &[u8]) {
    let answer = ask("ClearStop", bytes);
    let Some::<(pb::ClearStopRequest, pb::ClearStopResponse)>((sent, got)) = answer else { return };
    let left = PLANE.list_stops();
    assert!(!sent.all || left.is_empty(), "left: {left:?}");
    assert!(got.cleared.iter().all(|one| left.iter().all(|other| other.id.to_string() != one.id)));
}
