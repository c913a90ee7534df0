//! Many questions in one call.

use serde_json::json;
use tollgate::pb::{self, Disposition, Effect, ReasonCode};
use tonic::Code;

use crate::served::{Served, request};

async fn ask(
    served: &Served,
    requests: Vec<pb::AuthorizeRequest>,
    all_or_nothing: bool,
) -> Vec<pb::AuthorizeResponse> {
    let sent = pb::AuthorizeBatchRequest { requests, all_or_nothing };
    served.client().await.authorize_batch(sent).await.unwrap().into_inner().responses
}

fn told(responses: &[pb::AuthorizeResponse]) -> Vec<(Effect, ReasonCode)> {
    responses.iter().map(|one| (one.effect(), one.reason_code())).collect()
}

#[tokio::test]
async fn each_item_stands_alone_at_one_instant() {
    let served = Served::with_bundle();
    let mut bad = request("send", json!({}));
    bad.phase = 9;
    bad.request_id = "bad".into();
    let items = vec![request("send", json!({"amount": 1})), bad, request("delete", json!({}))];
    let got = ask(&served, items, false).await;
    let want = [
        (Effect::Allow, ReasonCode::Rule),
        (Effect::Deny, ReasonCode::InvalidRequest),
        (Effect::Deny, ReasonCode::Rule),
    ];
    assert_eq!(told(&got), want);
    assert_eq!(got[1].reason, "`phase` is 9, which is no phase; send 0 to 2");
    assert_eq!(got[1].request_id, "bad");
    assert!(got.iter().all(|one| one.decided_at == got[0].decided_at));
    assert_ne!(got[0].decision_id, got[2].decision_id);
    assert_eq!(served.plane.status().decisions, 3);
}

#[tokio::test]
async fn all_or_nothing_gives_the_worst_answer_to_the_others() {
    let served = Served::with_bundle();
    let send = || request("send", json!({"amount": 1}));
    let transfer = || request("transfer", json!({"amount": 1}));
    let denied = ask(&served, vec![send(), transfer(), request("delete", json!({}))], true).await;
    let want = [
        (Effect::Deny, ReasonCode::BatchRefused),
        (Effect::RequireApproval, ReasonCode::ApprovalRequired),
        (Effect::Deny, ReasonCode::Rule),
    ];
    assert_eq!(told(&denied), want);
    assert_eq!(denied[0].disposition(), Disposition::Raise);
    assert_eq!((denied[0].rule_id.as_str(), &denied[0].obligations), ("", &None));
    assert_eq!(denied[2].disposition(), Disposition::Drop);

    let asked = ask(&served, vec![send(), transfer(), request("transfer", json!({"amount": 2}))], true).await;
    let want = [
        (Effect::RequireApproval, ReasonCode::BatchRefused),
        (Effect::RequireApproval, ReasonCode::ApprovalRequired),
        (Effect::RequireApproval, ReasonCode::ApprovalRequired),
    ];
    assert_eq!(told(&asked), want);
    assert_eq!(asked[0].approval, asked[1].approval);
    assert_eq!(asked[1].approval, denied[1].approval, "it is open already");
    assert_ne!(asked[1].approval.as_ref().unwrap().id, asked[2].approval.as_ref().unwrap().id);

    let allowed = ask(&served, vec![send(), send()], true).await;
    assert_eq!(told(&allowed), [(Effect::Allow, ReasonCode::Rule); 2]);
}

#[tokio::test]
async fn a_batch_has_its_bounds() {
    let served = Served::with_bundle();
    let items = vec![request("send", json!({"amount": 1})); 1_000];
    assert_eq!(ask(&served, items.clone(), false).await.len(), 1_000);
    assert_eq!(ask(&served, Vec::new(), true).await.len(), 0);
    let mut requests = items;
    requests.push(request("send", json!({})));
    let sent = pb::AuthorizeBatchRequest { requests, all_or_nothing: false };
    let status = served.client().await.authorize_batch(sent).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let want = "`requests` has 1001 elements; at most 1000 are taken; send several batches";
    assert_eq!(status.message(), want);
}
