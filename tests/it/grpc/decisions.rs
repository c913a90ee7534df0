//! Every kind of answer, and what comes with it.

use prost_types::Duration;
use serde_json::json;
use tollgate::pb::{self, Arm, Disposition, Effect, NextAction, ReasonCode, RuleOutcome};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::served::{self, Served, request};

async fn ask(served: &Served, sent: pb::AuthorizeRequest) -> pb::AuthorizeResponse {
    served.client().await.authorize(sent).await.unwrap().into_inner()
}

#[tokio::test]
async fn without_a_bundle_everything_is_denied_and_says_so() {
    let served = Served::start(served::plane());
    let got = ask(&served, request("send", json!({"environment": "staging"}))).await;
    assert_eq!(got.effect(), Effect::Deny);
    assert_eq!(got.disposition(), Disposition::Raise);
    assert_eq!(got.reason_code(), ReasonCode::NoBundle);
    assert_eq!(got.next_action(), NextAction::None);
    assert_eq!(got.request_id, "to-send");
    let bundle = got.bundle.unwrap();
    assert_eq!(bundle.arm(), Arm::Builtin);
    assert_eq!((bundle.version.as_str(), bundle.environment.as_str()), ("", "staging"));
    assert_eq!(served.plane.status().decisions, 1);
}

#[tokio::test]
async fn an_allow_carries_its_obligations() {
    let served = Served::with_bundle();
    let got = ask(&served, request("send", json!({"amount": 5}))).await;
    assert_eq!(got.effect(), Effect::Allow, "{got:?}");
    assert_eq!(got.disposition(), Disposition::Unspecified);
    assert_eq!((got.reason_code(), got.rule_id.as_str()), (ReasonCode::Rule, "allow-send"));
    assert_eq!(got.reason, "Small amounts may be sent");
    assert_eq!(got.next_action(), NextAction::Proceed);
    let obligations = got.obligations.unwrap();
    assert_eq!(obligations.mode, "draft");
    let timeout = Duration { seconds: 1, nanos: 500_000_000 };
    assert_eq!(obligations.timeout, Some(timeout));
    let caps = obligations.limits.unwrap();
    assert_eq!((caps.max_tool_calls, caps.max_cost), (Some(5), Some(0.5)));
    assert_eq!((caps.max_llm_calls, caps.max_duration), (None, None));
    assert_eq!(got.approval, None);
    let bundle = got.bundle.unwrap();
    assert_eq!((bundle.version.as_str(), bundle.arm()), ("1.0.0", Arm::Stable));
    assert!(bundle.digest.starts_with("sha256:") && bundle.digest.len() == 71);
    assert_eq!((bundle.stale, bundle.environment.as_str()), (false, "default"));
    let id = uuid::Uuid::parse_str(&got.decision_id).unwrap();
    assert_eq!(id.get_version_num(), 7);
    let (seconds, _) = id.get_timestamp().unwrap().to_unix();
    assert_eq!(got.decided_at.unwrap().seconds, i64::try_from(seconds).unwrap());
}

#[tokio::test]
async fn a_deny_carries_its_disposition() {
    let served = Served::with_bundle();
    let dropped = ask(&served, request("delete", json!({}))).await;
    assert_eq!((dropped.effect(), dropped.disposition()), (Effect::Deny, Disposition::Drop));
    let default = ask(&served, request("else", json!({}))).await;
    assert_eq!((default.effect(), default.disposition()), (Effect::Deny, Disposition::Raise));
    assert_eq!(default.reason_code(), ReasonCode::DefaultDeny);
    assert_eq!((default.rule_id.as_str(), default.obligations), ("", None));
    let erred = ask(&served, request("risky", json!({"score": "high"}))).await;
    assert_eq!((erred.effect(), erred.rule_id.as_str()), (Effect::Deny, "deny-risky"));
    assert_eq!(erred.reason_code(), ReasonCode::ConditionError);
}

#[tokio::test]
async fn an_approval_says_whom_to_ask_for_what() {
    let served = Served::with_bundle();
    let transfer = |amount: i64| request("transfer", json!({"amount": amount, "note": amount}));
    let got = ask(&served, transfer(5)).await;
    assert_eq!(got.effect(), Effect::RequireApproval);
    assert_eq!(got.reason_code(), ReasonCode::ApprovalRequired);
    assert_eq!(got.next_action(), NextAction::RequestApproval);
    let approval = got.approval.unwrap();
    assert_eq!(uuid::Uuid::parse_str(&approval.id).unwrap().get_version_num(), 7);
    assert_eq!((approval.approvers, approval.role.as_str()), (2, "treasurer"));
    let open = approval.expires_at.unwrap().seconds - got.decided_at.unwrap().seconds;
    assert_eq!(open, 60);
    assert_eq!(approval.instance, served.plane.status().instance);
    assert!(approval.request_digest.starts_with("sha256:"));

    let dry = pb::AuthorizeRequest { dry_run: true, ..transfer(5) };
    let dry = ask(&served, dry).await.approval.unwrap();
    assert_eq!((dry.id.as_str(), &dry.request_digest), ("", &approval.request_digest));
    let other = ask(&served, transfer(6)).await.approval.unwrap();
    assert_ne!(other.request_digest, approval.request_digest);
    let grants = vec!["a grant".to_owned()];
    let granted = ask(&served, pb::AuthorizeRequest { grants, ..transfer(5) }).await;
    assert_eq!(granted.effect(), Effect::RequireApproval);
    assert_eq!(granted.reason_code(), ReasonCode::GrantUnverifiable);
}

#[tokio::test]
async fn an_explanation_accounts_for_the_rules_and_counts_nothing() {
    let served = Served::with_bundle();
    let sent = pb::ExplainRequest { request: Some(request("send", json!({"amount": 500}))) };
    let got = served.client().await.explain(sent).await.unwrap().into_inner();
    let decision = got.decision.unwrap();
    assert_eq!(decision.reason_code(), ReasonCode::DefaultDeny);
    let trace = got.rules.iter().find(|rule| rule.rule_id == "allow-send").unwrap();
    assert_eq!(trace.outcome(), RuleOutcome::False);
    assert_eq!(trace.condition, "amount <= 100");
    let actual = trace.actual.as_ref().map(serde_json::Value::from);
    assert_eq!(actual, Some(json!(500)));
    assert_eq!(served.plane.status().decisions, 0);
}

/// A bundle of more rules than an explanation accounts for; the first hundred speak of another agent.
fn many_rules() -> String {
    let rule = |at: u32| {
        let agent = if at < 100 { "another" } else { "inbox" };
        format!(
            "- {{id: rule-{at:04}, agent: {agent}, effect: deny, reason: Because it is so, conditions: {{note: {at}}}}}\n"
        )
    };
    let off = "- {id: is-off, effect: deny, enabled: false, reason: Because it is so}\n";
    let rules: String = (0..1_050).map(rule).collect();
    format!("format: tollgate/v1\nversion: 1.0.0\nrules:\n{off}{rules}")
}

#[tokio::test]
async fn of_many_rules_those_whose_target_fits_come_first() {
    let plane = served::plane();
    served::install(&plane, &many_rules());
    let served = Served::start(plane);
    let long = "x".repeat(60_000);
    let sent = pb::ExplainRequest { request: Some(request("send", json!({"note": long}))) };
    let rules = served.client().await.explain(sent).await.unwrap().into_inner().rules;
    assert_eq!(rules.len(), 1_000);
    let at = |at: usize| (rules[at].rule_id.as_str(), rules[at].condition.as_str(), rules[at].outcome());
    assert_eq!(at(0), ("rule-0100", "note == 100", RuleOutcome::False));
    assert_eq!(at(949), ("rule-1049", "note == 1049", RuleOutcome::False));
    assert_eq!(at(950), ("is-off", "", RuleOutcome::Disabled));
    assert_eq!(at(951), ("rule-0000", "target: agent", RuleOutcome::False));
    assert_eq!(at(999), ("rule-0048", "target: agent", RuleOutcome::False));
    let shown = rules[0].actual.as_ref().map(serde_json::Value::from);
    assert!(shown.is_some_and(|text| text.as_str().is_some_and(|text| text.starts_with("xxx"))));
}

#[tokio::test]
async fn a_bad_request_is_told_field_by_field() {
    let served = Served::with_bundle();
    let mut client = served.client().await;
    let mut sent = request("", json!({}));
    sent.phase = 7;
    let status = client.authorize(sent.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let told = status.get_details_bad_request().unwrap().field_violations;
    let fields: Vec<_> = told.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["phase", "action.name"]);
    let explain = client.explain(pb::ExplainRequest { request: Some(sent) }).await;
    assert_eq!(explain.unwrap_err().code(), Code::InvalidArgument);
    let nothing = client.explain(pb::ExplainRequest::default()).await.unwrap_err();
    assert_eq!(nothing.message(), "`request` is required; send what is to be explained");
}
