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
use crate::telemetry::traces::{Caller, Span};

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

impl Service {
    /// `Authorize`, written behind what is there.
    pub(super) fn authorize_into(
        &self,
        rpc: Request<pb::AuthorizeRequest>,
        out: &mut Vec<u8>,
    ) -> Result<(), Status> {
        let (name, clock) = ("Authorize", self.plane.clock());
        let span = self.traces.begin(name, clock, || Caller::of(rpc.metadata().as_ref()));
        let work = |span: &mut Option<Span>| {
            authorize::answer(&self.plane, &self.limits, rpc.into_inner(), out, span)
        };
        self.traces.finish(name, clock, span, work).map(Response::into_inner)
    }

    pub(super) fn take_report(&self, rpc: Request<pb::ReportRequest>) -> Answer<pb::ReportResponse> {
        let answer = |sent| report::answer(&self.plane, &self.limits, &sent);
        self.traces.answer("Report", self.plane.clock(), rpc, answer)
    }

    pub(super) fn decide_retry(
        &self,
        rpc: Request<pb::RetryDecisionRequest>,
    ) -> Answer<pb::RetryDecisionResponse> {
        let answer = |sent| retry_decision::answer(&self.plane, &self.limits, sent);
        self.traces.answer("RetryDecision", self.plane.clock(), rpc, answer)
    }

    pub(super) fn tell_budget(&self, rpc: Request<pb::BudgetRequest>) -> Answer<pb::BudgetResponse> {
        let answer = |sent| budget::answer(&self.plane, &self.limits, sent);
        self.traces.answer("Budget", self.plane.clock(), rpc, answer)
    }
}

#[tonic::async_trait]
impl PolicyDecisionService for Service {
    /// [`super::front`] answers this and the others that are asked for each action before they come
    /// here: see [`super::unary`].
    async fn authorize(&self, _: Request<pb::AuthorizeRequest>) -> Answer<pb::AuthorizeResponse> {
        Err(past())
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

    /// Answered before, too: message by message, as they would be read here, one that is malformed
    /// would end all of them.
    async fn authorize_stream(
        &self,
        _: Request<Streaming<pb::AuthorizeStreamRequest>>,
    ) -> Answer<Self::AuthorizeStreamStream> {
        Err(past())
    }

    async fn report(&self, _: Request<pb::ReportRequest>) -> Answer<pb::ReportResponse> {
        Err(past())
    }

    async fn report_batch(&self, rpc: Request<pb::ReportBatchRequest>) -> Answer<pb::ReportBatchResponse> {
        let answer = |sent| report::answer_batch(&self.plane, &self.limits, &sent);
        self.traces.answer("ReportBatch", self.plane.clock(), rpc, answer)
    }

    async fn retry_decision(
        &self,
        _: Request<pb::RetryDecisionRequest>,
    ) -> Answer<pb::RetryDecisionResponse> {
        Err(past())
    }

    async fn budget(&self, _: Request<pb::BudgetRequest>) -> Answer<pb::BudgetResponse> {
        Err(past())
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

fn past() -> Status {
    Status::internal("a request came past what answers it; please report this")
}
