//! What Envoy asks: `Authorization/Check` (its filter `ext_authz`) and
//! `RateLimitService/ShouldRateLimit` (its filter `ratelimit`).
//!
//! *Invariant:* what a client of Envoy can bring about is answered by a denial; a gRPC error is
//! left for what only the operator or the server can. For Envoy an error is an outage, and many
//! let everything pass then.

mod check;
mod context;
mod denied;
mod header;
mod limits;
mod named;
mod passed;
mod rate_limit;
mod source;
mod told;
mod traced;

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::convert::Limits;
use super::traced::Traces;
use crate::data_plane::DataPlane;
use crate::pb::envoy::service::auth::v3::authorization_server::{Authorization, AuthorizationServer};
use crate::pb::envoy::service::auth::v3::{CheckRequest, CheckResponse};
use crate::pb::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use crate::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use crate::telemetry::traces::Caller;

/// The generated servers around what answers Envoy on one serving thread.
pub type Checks = AuthorizationServer<Service>;
/// The same for its limits.
pub type RateLimits = RateLimitServiceServer<Service>;

/// Answers Envoy.
#[derive(Debug)]
pub struct Service {
    plane: Arc<DataPlane>,
    limits: Limits,
    traces: Traces,
}

/// Both servers, which take messages of the size of one request.
#[derive(Debug)]
pub struct Servers {
    /// For its filter `ext_authz`.
    pub checks: Checks,
    /// For its filter `ratelimit`.
    pub rate_limits: RateLimits,
}

impl Servers {
    /// Both over what decides, within the bounds on requests; nobody traces what they are asked.
    #[must_use]
    pub fn untraced(plane: &Arc<DataPlane>, limits: &Limits) -> Self {
        Self::new(plane, limits, &Traces(None))
    }

    pub(super) fn new(plane: &Arc<DataPlane>, limits: &Limits, traces: &Traces) -> Self {
        let (plane, traces) = (Arc::clone(plane), traces.clone());
        let service = Arc::new(Service { plane, limits: *limits, traces });
        let most = limits.request_bytes;
        Self {
            checks: Checks::from_arc(Arc::clone(&service)).max_decoding_message_size(most),
            rate_limits: RateLimits::from_arc(service).max_decoding_message_size(most),
        }
    }
}

#[tonic::async_trait]
impl Authorization for Service {
    async fn check(&self, rpc: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let (name, clock) = ("Check", self.plane.clock());
        let span = self.traces.begin(name, clock, || traced::caller(&rpc));
        self.traces.finish(name, clock, span, |span| {
            check::answer(&self.plane, &self.limits, rpc.into_inner(), span.as_mut())
        })
    }
}

#[tonic::async_trait]
impl RateLimitService for Service {
    async fn should_rate_limit(
        &self,
        rpc: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let (name, clock) = ("ShouldRateLimit", self.plane.clock());
        let span = self.traces.begin(name, clock, || Caller::of(rpc.metadata().as_ref()));
        self.traces.finish(name, clock, span, |span| {
            rate_limit::answer(&self.plane, &self.limits, rpc.into_inner(), span.as_mut())
        })
    }
}
