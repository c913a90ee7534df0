//! The admin service: what operators and approvers ask. One file an rpc.
//!
//! Off unless the operator opens it, on a socket of its own or for who holds the token.

mod decide_approval;
mod list_approvals;
mod list_guardrails;
mod operate_guardrail;
mod server;
mod stops;
mod token;

use std::sync::Arc;

use tonic::{Request, Response, Status};

pub use server::Server;
use token::Guarded;
pub use token::Token;

use super::front::RARE_BYTES;
use super::guard::guarded;
use crate::data_plane::DataPlane;
use crate::pb::admin_service_server::{AdminService, AdminServiceServer};
use crate::pb::{self};

/// Answers operators and approvers.
#[derive(Debug)]
pub struct Admin {
    plane: Arc<DataPlane>,
}

type Answer<T> = Result<Response<T>, Status>;

/// The service for who may reach it at all.
pub fn open(plane: Arc<DataPlane>) -> AdminServiceServer<Admin> {
    AdminServiceServer::new(Admin { plane }).max_decoding_message_size(RARE_BYTES)
}

/// The service for who holds the token.
pub(super) fn guarded_by(token: Token, plane: Arc<DataPlane>) -> Guarded<AdminServiceServer<Admin>> {
    Guarded::new(token, open(plane))
}

#[tonic::async_trait]
impl AdminService for Admin {
    async fn list_approvals(
        &self,
        rpc: Request<pb::ListApprovalsRequest>,
    ) -> Answer<pb::ListApprovalsResponse> {
        let plane = Arc::clone(&self.plane);
        beside("ListApprovals", move || list_approvals::answer(&plane, &rpc.into_inner())).await
    }

    async fn decide_approval(
        &self,
        rpc: Request<pb::DecideApprovalRequest>,
    ) -> Answer<pb::DecideApprovalResponse> {
        let plane = Arc::clone(&self.plane);
        beside("DecideApproval", move || decide_approval::answer(&plane, &rpc.into_inner())).await
    }

    async fn list_guardrails(
        &self,
        rpc: Request<pb::ListGuardrailsRequest>,
    ) -> Answer<pb::ListGuardrailsResponse> {
        let plane = Arc::clone(&self.plane);
        beside("ListGuardrails", move || list_guardrails::answer(&plane, rpc.get_ref())).await
    }

    async fn operate_guardrail(
        &self,
        rpc: Request<pb::OperateGuardrailRequest>,
    ) -> Answer<pb::OperateGuardrailResponse> {
        let plane = Arc::clone(&self.plane);
        beside("OperateGuardrail", move || operate_guardrail::answer(&plane, rpc.get_ref())).await
    }

    async fn set_stop(&self, rpc: Request<pb::SetStopRequest>) -> Answer<pb::SetStopResponse> {
        let plane = Arc::clone(&self.plane);
        beside("SetStop", move || stops::set(&plane, rpc.get_ref())).await
    }

    async fn list_stops(&self, _: Request<pb::ListStopsRequest>) -> Answer<pb::ListStopsResponse> {
        let plane = Arc::clone(&self.plane);
        beside("ListStops", move || Ok(stops::list(&plane))).await
    }

    async fn clear_stop(&self, rpc: Request<pb::ClearStopRequest>) -> Answer<pb::ClearStopResponse> {
        let plane = Arc::clone(&self.plane);
        beside("ClearStop", move || stops::clear(&plane, rpc.get_ref())).await
    }
}

/// Does the work beside the threads that decide.
async fn beside<T: Send + 'static>(
    rpc: &'static str,
    work: impl FnOnce() -> Result<T, Status> + Send + 'static,
) -> Answer<T> {
    let done = tokio::task::spawn_blocking(move || guarded(rpc, work)).await;
    done.map_err(|_| Status::unavailable("the server ends"))?
}
