//! A client of a server that is going to be killed, and the bundle that it asks.

use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{self, AuthorizeResponse, ReportResult, Status};
use tonic::transport::{Channel, Endpoint};

use crate::binary::Serving;

/// `few` may happen so often in a day, `many` as often as anybody likes, a `job` is reserved and
/// reported, and nothing counts what is `free`.
pub fn bundle(few: u32) -> String {
    format!(
        "format: tollgate/v1
version: 1.0.0
rules:
  - {{id: all, effect: allow, reason: Only limits hold anybody back}}
guardrails:
  - name: few
    type: rate_limit
    state: enabled
    targeting: {{actions: [few]}}
    rules: {{limit: {few}, window_seconds: 86400}}
  - name: many
    type: rate_limit
    state: enabled
    targeting: {{actions: [many]}}
    rules: {{limit: 1000000000, window_seconds: 86400}}
  - name: jobs
    type: budget
    state: enabled
    targeting: {{actions: [job]}}
    rules: {{max_tool_calls: 1000000000, key_by: global, lease_seconds: 3600}}
"
    )
}

/// A connection.
#[derive(Clone)]
pub struct Client(PolicyDecisionServiceClient<Channel>);

pub fn request(action: &str) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest {
        subject: Some(pb::Subject { agent: "agent".into(), ..Default::default() }),
        action: Some(pb::Action { name: action.into(), ..Default::default() }),
        ..Default::default()
    }
}

impl Client {
    pub async fn connect(serving: &Serving) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", serving.grpc)).unwrap();
        Self(PolicyDecisionServiceClient::new(endpoint.connect().await.unwrap()))
    }

    pub async fn ask(&mut self, action: &str) -> AuthorizeResponse {
        self.try_ask(action).await.unwrap()
    }

    pub async fn try_ask(&mut self, action: &str) -> Result<AuthorizeResponse, tonic::Status> {
        Ok(self.0.authorize(request(action)).await?.into_inner())
    }

    pub async fn report(&mut self, id: &str) -> ReportResult {
        self.try_report(id).await.unwrap()
    }

    pub async fn try_report(&mut self, id: &str) -> Result<ReportResult, tonic::Status> {
        let mut report = pb::ReportRequest { decision_id: id.into(), ..Default::default() };
        report.set_status(Status::Success);
        Ok(self.0.report(report).await?.into_inner().result())
    }

    /// How much of its limit an action has used, reservations included.
    pub async fn used(&mut self, action: &str) -> f64 {
        let pb::AuthorizeRequest { subject, action, .. } = request(action);
        let asked = pb::BudgetRequest { subject, action, ..Default::default() };
        let limits = self.0.budget(asked).await.unwrap().into_inner().limits;
        let [limit] = &limits[..] else { panic!("{limits:?}") };
        limit.used + limit.reserved
    }
}
