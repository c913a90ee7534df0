//! Guardrails over the wire: limits, reports, retries, budgets, what is malformed.

use std::sync::Arc;

use prost_types::Duration;
use serde_json::json;
use tollgate::clock::Clock;
use tollgate::data_plane::{DataPlane, Options};
use tollgate::pb::{self, Effect, ReasonCode, ReportResult, RetryVerdict};
use tollgate_engine::time::WallTime;
use tonic::Code;

use crate::served::{Served, install, request};

const BUNDLE: &str = "
format: tollgate/v1
version: 1.0.0
defaults: {effect: allow}
guardrails:
  - {name: few, type: rate_limit, rules: {limit: 3, window_seconds: 60}, targeting: {actions: [send]}}
  - {name: money, type: budget, rules: {max_cost: 1, default_estimate: {cost: 0.4}}, targeting: {actions: [buy]}}
  - {name: pay, type: circuit_breaker, rules: {failure_threshold: 1, cooldown_seconds: 5}, targeting: {actions: [pay]}}
  - {name: again, type: retry, rules: {max_retries: 2, interval_seconds: 1}, targeting: {actions: [pay, send]}}
  - {name: soon, type: timeout, rules: {timeout_seconds: 30}, targeting: {actions: [buy]}}
  - {name: units, type: rate_limit, rules: {limit: 9, window_seconds: 60, cost: context.size}, targeting: {actions: [load]}}
  - {name: seen, type: rate_limit, enforcement: shadow, rules: {limit: 1, window_seconds: 60}, targeting: {actions: [look]}}
";

/// A server whose clock stands still.
fn served() -> (Served, Clock) {
    let clock = Clock::manual(WallTime::from_nanos(1_700_000_000_000_000_000));
    let plane: Arc<DataPlane> = DataPlane::new(Options::default(), clock.clone()).unwrap();
    install(&plane, BUNDLE);
    (Served::start(plane), clock)
}

async fn ask(served: &Served, action: &str) -> pb::AuthorizeResponse {
    served.client().await.authorize(request(action, json!({}))).await.unwrap().into_inner()
}

fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

fn report(id: &str, status: pb::Status) -> pb::ReportRequest {
    pb::ReportRequest { decision_id: id.into(), status: status.into(), ..Default::default() }
}

#[tokio::test]
async fn a_limit_says_what_is_left_and_when_to_come_again() {
    let (served, clock) = served();
    for left in [2.0, 1.0, 0.0] {
        let answer = ask(&served, "send").await;
        assert_eq!(answer.effect(), Effect::Allow);
        let limit = &answer.limits[0];
        assert_eq!((limit.guardrail.as_str(), limit.limit, limit.left), ("few", 3.0, left));
        assert_eq!((limit.measure(), limit.window), (pb::Measure::Units, seconds(60)));
        clock.advance(1_000_000_000);
    }
    let refused = ask(&served, "send").await;
    assert_eq!((refused.effect(), refused.reason_code()), (Effect::Throttle, ReasonCode::RateLimited));
    assert_eq!((refused.guardrail.as_str(), refused.rule_id.as_str()), ("few", ""));
    assert_eq!((refused.retry_after, refused.next_action()), (seconds(57), pb::NextAction::Retry));
    let refusal = &refused.refusals[0];
    assert_eq!((refusal.effect(), refusal.retry_after), (Effect::Throttle, seconds(57)));
    clock.advance(57_000_000_000);
    assert_eq!(ask(&served, "send").await.effect(), Effect::Allow);
    // Who is only watched is not refused, and not told.
    for _ in 0..2 {
        let watched = ask(&served, "look").await;
        assert_eq!((watched.effect(), watched.limits.len(), watched.refusals.len()), (Effect::Allow, 0, 0));
    }
}

#[tokio::test]
async fn a_budget_is_reserved_and_settled() {
    let (served, _) = served();
    let mut client = served.client().await;
    let first = ask(&served, "buy").await;
    assert_eq!(first.obligations.as_ref().unwrap().timeout, seconds(30));
    assert_eq!(first.report_within, seconds(600));
    ask(&served, "buy").await;
    let full = ask(&served, "buy").await;
    assert_eq!((full.effect(), full.reason_code()), (Effect::Throttle, ReasonCode::BudgetReserved));
    let running = client.report(report(&first.decision_id, pb::Status::InProgress)).await.unwrap();
    assert_eq!(running.get_ref().result(), ReportResult::Renewed);
    assert_eq!(running.get_ref().report_within, seconds(600));
    let spent = pb::ReportRequest { cost: Some(0.1), ..report(&first.decision_id, pb::Status::Success) };
    for result in [ReportResult::Applied, ReportResult::Duplicate] {
        assert_eq!(client.report(spent.clone()).await.unwrap().get_ref().result(), result);
    }
    let facts = request("buy", json!({}));
    let asked = pb::BudgetRequest { subject: facts.subject, action: facts.action, ..Default::default() };
    let limits = client.budget(asked).await.unwrap().into_inner().limits;
    let [money] = limits.as_slice() else { panic!("{limits:?}") };
    assert_eq!((money.used, money.reserved, money.left), (0.1, 0.4, 0.5));
    // Without an action, only what is about all of them.
    let nothing = client.budget(pb::BudgetRequest::default()).await.unwrap().into_inner();
    assert!(nothing.limits.is_empty() && nothing.bundle.is_some());
}

#[tokio::test]
async fn reports_come_in_batches_and_open_breakers() {
    let (served, clock) = served();
    let mut client = served.client().await;
    let allowed = ask(&served, "pay").await;
    let refused = ask(&served, "unheard of").await;
    let mut failed = report(&allowed.decision_id, pb::Status::Failure);
    failed.error_kind = pb::ErrorKind::Timeout.into();
    let unknown = report("01a1fdfa-85bb-719f-a4c7-c719ba5cf1f4", pb::Status::Success);
    let reports = vec![failed.clone(), unknown, report(&refused.decision_id, pb::Status::Success), failed];
    let answer = client.report_batch(pb::ReportBatchRequest { reports }).await.unwrap().into_inner();
    let results: Vec<ReportResult> = answer.responses.iter().map(|one| one.result()).collect();
    let want = [ReportResult::Applied, ReportResult::Unknown, ReportResult::Applied, ReportResult::Duplicate];
    assert_eq!(results, want);
    let open = ask(&served, "pay").await;
    assert_eq!((open.reason_code(), open.retry_after), (ReasonCode::BreakerOpen, seconds(5)));
    let explained = pb::ExplainRequest { request: Some(request("pay", json!({}))) };
    let explained = client.explain(explained).await.unwrap().into_inner();
    let trace = explained.guardrails.iter().find(|trace| trace.guardrail == "pay").unwrap();
    assert_eq!((trace.would_refuse, trace.breaker_state.as_str()), (true, "open"));
    clock.advance(5_000_000_000);
    assert_eq!(ask(&served, "pay").await.effect(), Effect::Allow);
}

#[tokio::test]
async fn retries_are_granted_with_a_delay_or_fail_with_a_reason() {
    let (served, _) = served();
    let mut client = served.client().await;
    let facts = request("send", json!({}));
    let error = |kind: pb::ErrorKind| pb::ActionError { kind: kind.into(), ..Default::default() };
    let base = pb::RetryDecisionRequest {
        subject: facts.subject,
        action: facts.action,
        error: Some(error(pb::ErrorKind::Transient)),
        ..Default::default()
    };
    let hinted = |hint| pb::ActionError { retry_after: hint, ..error(pb::ErrorKind::RateLimited) };
    let left = |seconds| Some(Duration { seconds, nanos: 0 });
    for (asked, verdict, delay, code) in [
        (base.clone(), RetryVerdict::RetryAfter, seconds(1), ReasonCode::RetryBackoff),
        (
            pb::RetryDecisionRequest { attempt: 1, ..base.clone() },
            RetryVerdict::RetryAfter,
            seconds(2),
            ReasonCode::RetryBackoff,
        ),
        (
            pb::RetryDecisionRequest { attempt: 2, ..base.clone() },
            RetryVerdict::Fail,
            None,
            ReasonCode::RetryAttemptsExhausted,
        ),
        (
            pb::RetryDecisionRequest { error: Some(error(pb::ErrorKind::Permanent)), ..base.clone() },
            RetryVerdict::Fail,
            None,
            ReasonCode::RetryPermanent,
        ),
        (
            pb::RetryDecisionRequest { error: Some(hinted(seconds(7))), ..base.clone() },
            RetryVerdict::RetryAfter,
            seconds(7),
            ReasonCode::RetryServerHint,
        ),
        (
            pb::RetryDecisionRequest { error: Some(hinted(seconds(-1))), ..base.clone() },
            RetryVerdict::Fail,
            None,
            ReasonCode::RetryServerRefused,
        ),
        (
            pb::RetryDecisionRequest { error: Some(hinted(seconds(i64::MAX))), ..base.clone() },
            RetryVerdict::Fail,
            None,
            ReasonCode::RetryServerDelayTooLong,
        ),
        (
            pb::RetryDecisionRequest { time_left: left(0), ..base.clone() },
            RetryVerdict::Fail,
            None,
            ReasonCode::RetryDeadline,
        ),
    ] {
        let answer = client.retry_decision(asked).await.unwrap().into_inner();
        assert_eq!((answer.decision(), answer.delay, answer.reason_code()), (verdict, delay, code));
        assert!(answer.reason.len() > 10 && answer.guardrail == "again");
    }
    let unguarded = request("look", json!({}));
    let none = pb::RetryDecisionRequest { action: unguarded.action, ..base };
    let answer = client.retry_decision(none).await.unwrap().into_inner();
    assert_eq!(answer.reason_code(), ReasonCode::RetryNoPolicy);
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_the_field() {
    let (served, _) = served();
    let mut client = served.client().await;
    let id = "01a1fdfa-85bb-719f-a4c7-c719ba5cf1f4";
    let good = report(id, pb::Status::Success);
    for (bad, want) in [
        (report("7", pb::Status::Success), "`decision_id` is no UUID"),
        (report(id, pb::Status::Unspecified), "`status` is required"),
        (pb::ReportRequest { status: 9, ..good.clone() }, "`status` is 9, which is no status"),
        (pb::ReportRequest { error_kind: 7, ..good.clone() }, "`error_kind` is 7"),
        (pb::ReportRequest { cost: Some(f64::NAN), ..good.clone() }, "`cost` is NaN"),
        (pb::ReportRequest { tokens: Some(-1), ..good.clone() }, "`tokens` is -1"),
        (pb::ReportRequest { duration: seconds(-1), ..good.clone() }, "`duration` is -1 s"),
        (pb::ReportRequest { error_code: "x".repeat(300), ..good.clone() }, "`error_code` is a text of 300"),
    ] {
        let status = client.report(bad.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(want), "{status}");
        let batch = pb::ReportBatchRequest { reports: vec![good.clone(), bad] };
        let status = client.report_batch(batch).await.unwrap_err();
        assert!(status.message().starts_with("`reports[1]."), "{status}");
    }
    let many = pb::ReportBatchRequest { reports: vec![good; 1_001] };
    assert_eq!(client.report_batch(many).await.unwrap_err().code(), Code::InvalidArgument);
    let kindless =
        pb::RetryDecisionRequest { action: request("send", json!({})).action, ..Default::default() };
    let status = client.retry_decision(kindless).await.unwrap_err();
    assert!(status.message().starts_with("`error.kind` is required"), "{status}");
    for size in [json!(-1), json!(1.5), json!("many"), json!(null), json!({"a": 1})] {
        let status = client.authorize(request("load", json!({ "size": size }))).await.unwrap_err();
        assert!(status.message().starts_with("`context.size` is what a rate limit reads"), "{status}");
    }
    let heavy = client.authorize(request("load", json!({"size": 10}))).await.unwrap().into_inner();
    assert_eq!((heavy.effect(), heavy.reason_code()), (Effect::Deny, ReasonCode::LimitUnreachable));
    assert_eq!((heavy.retry_after, heavy.disposition()), (None, pb::Disposition::Raise));
    let free = client.authorize(request("load", json!({"size": 0}))).await.unwrap().into_inner();
    assert_eq!((free.effect(), free.limits[0].left), (Effect::Allow, 9.0));
}
