//! The service: each RPC in a file of its own, put together here.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::aside::Aside;
use super::convert::Limits;
use super::guard::guarded;
use super::stream::Answers;
use super::traced::Traces;
use super::wait_approval::{self, Waiting};
use super::{authorize, authorize_batch, budget, explain, report, retry_decision, watch_events};
use crate::data_plane::DataPlane;
use crate::pb::{self, policy_decision_service_server::PolicyDecisionService};

/// Answers the RPCs of one serving thread.
#[derive(Debug)]
pub(super) struct Service {
    pub plane: Arc<DataPlane>,
    pub limits: Limits,
    pub aside: Aside,
    /// Who waits for people.
    pub waiting: Waiting,
    /// What traces calls.
    pub traces: Traces,
    /// Ends the streams.
    pub drain: CancellationToken,
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl PolicyDecisionService for Service {
    async fn authorize(&self, rpc: Request<pb::AuthorizeRequest>) -> Answer<pb::AuthorizeResponse> {
        let answer = |sent| authorize::answer(&self.plane, &self.limits, sent);
        self.traces.answer("Authorize", self.plane.clock(), rpc, answer)
    }

    async fn authorize_batch(
        &self,
        rpc: Request<pb::AuthorizeBatchRequest>,
    ) -> Answer<pb::AuthorizeBatchResponse> {
        let answer = |sent| authorize_batch::answer(&self.plane, &self.limits, sent);
        self.traces.answer("AuthorizeBatch", self.plane.clock(), rpc, answer)
    }

    async fn explain(&self, rpc: Request<pb::ExplainRequest>) -> Answer<pb::ExplainResponse> {
        // It looks at every rule, which decisions should not wait for.
        let (plane, limits, traces) = (Arc::clone(&self.plane), self.limits, self.traces.clone());
        let explain = move || {
            let answer = |sent| explain::answer(&plane, &limits, sent);
            traces.answer("Explain", plane.clock(), rpc, answer)
        };
        self.aside.work(explain).await?
    }

    type AuthorizeStreamStream = Answers<pb::AuthorizeStreamResponse>;

    /// [`super::front`] answers streams of requests before they come here: message by message, as
    /// they are read below, one that is malformed would end all of them.
    async fn authorize_stream(
        &self,
        _: Request<Streaming<pb::AuthorizeStreamRequest>>,
    ) -> Answer<Self::AuthorizeStreamStream> {
        Err(Status::internal("a stream of requests came past what answers it; please report this"))
    }

    async fn report(&self, rpc: Request<pb::ReportRequest>) -> Answer<pb::ReportResponse> {
        let answer = |sent| report::answer(&self.plane, &self.limits, &sent);
        self.traces.answer("Report", self.plane.clock(), rpc, answer)
    }

    async fn report_batch(&self, rpc: Request<pb::ReportBatchRequest>) -> Answer<pb::ReportBatchResponse> {
        let answer = |sent| report::answer_batch(&self.plane, &self.limits, &sent);
        self.traces.answer("ReportBatch", self.plane.clock(), rpc, answer)
    }

    async fn retry_decision(
        &self,
        rpc: Request<pb::RetryDecisionRequest>,
    ) -> Answer<pb::RetryDecisionResponse> {
        let answer = |sent| retry_decision::answer(&self.plane, &self.limits, sent);
        self.traces.answer("RetryDecision", self.plane.clock(), rpc, answer)
    }

    async fn budget(&self, rpc: Request<pb::BudgetRequest>) -> Answer<pb::BudgetResponse> {
        let answer = |sent| budget::answer(&self.plane, &self.limits, sent);
        self.traces.answer("Budget", self.plane.clock(), rpc, answer)
    }

    type WaitApprovalStream = Answers<pb::WaitApprovalResponse>;

    async fn wait_approval(&self, rpc: Request<pb::WaitApprovalRequest>) -> Answer<Self::WaitApprovalStream> {
        guarded("WaitApproval", || {
            wait_approval::answer(&self.plane, &self.waiting, &self.drain, rpc.into_inner())
        })
    }

    type WatchEventsStream = Answers<pb::WatchEventsResponse>;

    async fn watch_events(&self, rpc: Request<pb::WatchEventsRequest>) -> Answer<Self::WatchEventsStream> {
        let events = watch_events::answer(&self.plane, &self.limits, &self.drain, rpc.into_inner());
        events.await.map(Response::new)
    }
}
