//! A serving thread: one current-thread runtime, its share of the connections, nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::Builder as Reflection;

use super::admin::{self, Token};
use super::aside::Aside;
use super::convert::Limits;
use super::envoy;
use super::front::{Front, RARE_BYTES};
use super::incoming::{Arrival, Incoming};
use super::traced::Traces;
use super::wait_approval::Waiting;
use super::{Generated, service::Service};
use crate::data_plane::DataPlane;
use crate::pb::{self, amplification, amplification::Allowance};
use crate::telemetry::traces::Tracer;
use crate::tls::Door;

/// Requests in flight on one connection.
const MAX_STREAMS: u32 = 1_024;
/// What a client may send ahead on one stream, and on all streams of a connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A header list of metadata.
const MAX_HEADER_BYTES: u32 = 16 << 10;
/// After so long without a frame a peer is asked whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(60);
/// And after so long without an answer it does not.
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A request that is not all here after so long is given up.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How often a thread tells of the refusals that it counted.
const TELLING: Duration = Duration::from_secs(1);

/// Explanations that one serving thread has others work on at a time.
const EXPLAINING: usize = 2;
/// And those that wait besides; further ones are shed.
const EXPLANATIONS: usize = EXPLAINING + 4;

/// What a serving thread is given.
pub(super) struct Worker<H> {
    pub plane: Arc<DataPlane>,
    pub limits: Limits,
    pub admin: Option<Token>,
    pub tracer: Option<Arc<Tracer>>,
    pub tls: Option<Door>,
    pub health: HealthServer<H>,
    pub connections: mpsc::Receiver<Arrival>,
    pub drain: CancellationToken,
    pub grace: Duration,
}

impl<H: Health> Worker<H> {
    /// Serves until the drain is over.
    pub(super) fn run(self) -> anyhow::Result<()> {
        amplification::allow(allowance(&self.limits));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(EXPLAINING)
            .build()?;
        let served = runtime.block_on(self.serve());
        // What is still in flight after the grace is cut off here.
        runtime.shutdown_background();
        served
    }

    async fn serve(self) -> anyhow::Result<()> {
        // A token of its own: each connection and stream asks it, and threads should not meet there.
        let (drain, grace) = (self.drain.child_token(), self.grace);
        // A service of its own: tonic clones the handle for each call, and a counter that all
        // cores share costs more than a decision.
        let (plane, limits, aside) = (self.plane, self.limits, Aside::new(EXPLANATIONS));
        let telling = tell_of_refusals(Arc::clone(&plane));
        let waiting = Waiting::default();
        let traces = Traces(self.tracer);
        let service = Service { plane, limits, aside, waiting, traces, drain: drain.clone() };
        let front = front(service, self.health, self.admin)?;
        let incoming = Incoming::new(self.connections, self.tls, drain.clone());
        let overdue = async {
            drain.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let served = transport().serve_with_incoming_shutdown(front, incoming, drain.cancelled());
        tokio::select! {
            served = served => Ok(served?),
            () = overdue => {
                tracing::warn!("the grace period is over; requests in flight are cut off");
                Ok(())
            }
            never = telling => match never {},
        }
    }
}

/// A thread counts most refusals for itself. That they are told of when no other follows is done
/// here, on the thread that counted them, so that nothing of it is shared.
async fn tell_of_refusals(plane: Arc<DataPlane>) -> Infallible {
    loop {
        tokio::time::sleep(TELLING).await;
        plane.tell_of_refusals();
    }
}

/// What decoding may take by these limits, so that it never refuses what they allow.
const fn allowance(limits: &Limits) -> Allowance {
    let texts = 2 * limits.list_items + limits.grants;
    Allowance::new(limits.batch_items, limits.context_values, texts)
}

fn front<H: Health>(
    service: Service,
    health: HealthServer<H>,
    admin: Option<Token>,
) -> anyhow::Result<Front> {
    let (limits, plane) = (service.limits, Arc::clone(&service.plane));
    let reflection = || {
        let open = Reflection::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        match admin {
            Some(_) => open.register_encoded_file_descriptor_set(pb::ADMIN_DESCRIPTORS),
            None => open,
        }
    };
    let front = Front::new(&Generated::new(service), envoy::Servers::new(&plane, &limits), &limits)
        .with(health.max_decoding_message_size(RARE_BYTES))
        .with(reflection().build_v1()?.max_decoding_message_size(RARE_BYTES))
        .with(reflection().build_v1alpha()?.max_decoding_message_size(RARE_BYTES));
    Ok(match admin {
        Some(token) => front.with(admin::guarded_by(token, plane)),
        None => front,
    })
}

fn transport() -> tonic::transport::Server {
    tonic::transport::Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        // Calls that are cancelled in a burst must not end the connection for all others.
        .http2_max_pending_accept_reset_streams(Some(MAX_STREAMS as usize))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
}
