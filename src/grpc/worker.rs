//! A serving thread: one current-thread runtime, its share of the connections, nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_reflection::server::Builder as Reflection;

use super::admin::{self, Token};
use super::age::{self, Age};
use super::aside::Aside;
use super::authorize_stream::Streams;
use super::convert::Limits;
use super::front::{Front, RARE_BYTES};
use super::incoming::{Arrival, Incoming};
use super::line::Line;
use super::overload::Gate;
use super::patience::{Patient, Waits};
use super::traced::Traces;
use super::transport::{Bounds, Transport};
use super::turns::Turns;
use super::wait_approval::Waiting;
use super::{Overload, service::Service};
use crate::data_plane::DataPlane;
use crate::pb::{self, amplification, amplification::Allowance};
use crate::telemetry::traces::Tracer;
use crate::tls::Door;

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
    pub overload: Overload,
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
        let gate = Arc::new(Gate::new(self.overload.wait, self.plane.clock().clone()));
        let rested = Arc::clone(&gate);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(EXPLAINING)
            // Sockets are looked at after so many tasks, and who gave way goes on then: a task may take a
            // millisecond here, of which tokio's 61 would be too many.
            .event_interval(4)
            .on_thread_unpark(move || rested.rested())
            .build()?;
        let served = runtime.block_on(self.serve(gate));
        // What is still in flight after the grace is cut off here.
        runtime.shutdown_background();
        served
    }

    async fn serve(self, gate: Arc<Gate>) -> anyhow::Result<()> {
        // A token of its own: each connection and stream asks it, and threads should not meet there.
        let (drain, grace, overload) = (self.drain.child_token(), self.grace, self.overload);
        // A service of its own: tonic clones the handle for each call, and a counter that all
        // cores share costs more than a decision.
        let (plane, limits, aside) = (self.plane, self.limits, Aside::new(EXPLANATIONS));
        let telling = tell_of_refusals(Arc::clone(&plane));
        let (waiting, traces) = (Waiting::default(), Traces(self.tracer));
        let streams = Streams {
            plane: Arc::clone(&plane),
            limits,
            gate: Arc::clone(&gate),
            room: Arc::new(Semaphore::new(overload.streams)),
            traces: traces.clone(),
        };
        let service =
            Service { plane: Arc::clone(&plane), limits, aside, waiting, traces, drain: drain.clone() };
        let front = Front::new(service, streams, Arc::clone(&gate), overload.request);
        let front = Arc::new(with_others(front, self.health, self.admin, &plane)?);
        let bounds = Bounds {
            calls: overload.calls,
            header_bytes: overload.header_bytes,
            stalled: overload.stalled,
            request: overload.request,
        };
        let turns = Arc::<Turns>::default();
        let (taken, clock) = (Arc::clone(&turns), plane.clock().clone());
        let taking = tokio::spawn(async move { taken.take(&clock).await });
        let calls = Arc::default();
        let transport = Transport { front, bounds, drain: drain.clone(), calls, turns: Arc::clone(&turns) };
        let age = Age { most: overload.age, grace, door: self.tls.clone() };
        let incoming = Incoming::new(self.connections, self.tls);
        let overdue = async {
            drain.cancelled().await;
            tokio::time::sleep(grace).await;
        };
        let waits = Waits { handshake: overload.handshake, stalled: overload.stalled };
        let served = tokio::select! {
            () = serve_all(incoming, &gate, &transport, waits, &age) => Ok(()),
            () = overdue => {
                tracing::warn!("the grace period is over; requests in flight are cut off");
                Ok(())
            }
            never = telling => match never {},
            Err(error) = taking => Err(anyhow::anyhow!("calls have no turn any more: {error}")),
        };
        turns.clear();
        served
    }
}

/// Serves connections until the drain, and those that it has to their end.
async fn serve_all(mut incoming: Incoming, gate: &Arc<Gate>, transport: &Transport, waits: Waits, age: &Age) {
    let open = TaskTracker::new();
    loop {
        let next = tokio::select! {
            () = transport.drain.cancelled() => break,
            next = incoming.next() => next,
        };
        match next {
            Some(Ok((connection, place))) => {
                let left = age.left(&connection);
                let drain = transport.drain.child_token();
                let line = Line::new(Arc::clone(gate), drain.clone());
                let server = transport.drain.clone();
                let patient = Patient::new(connection, Arc::clone(&line), waits, server, place);
                let serving = Transport { drain: drain.clone(), ..transport.clone() }.serve(patient, line);
                open.spawn(age::serve(serving, left, drain, age.grace));
            }
            Some(Err(error)) => tracing::warn!(%error, "a connection could not be taken over"),
            None => break,
        }
    }
    // Nobody sends any more; those that wait are closed.
    drop(incoming);
    open.close();
    open.wait().await;
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

/// Adds what is asked now and then.
fn with_others<H: Health>(
    front: Front,
    health: HealthServer<H>,
    admin: Option<Token>,
    plane: &Arc<DataPlane>,
) -> anyhow::Result<Front> {
    let reflection = || {
        let open = Reflection::configure()
            .register_encoded_file_descriptor_set(pb::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        match admin {
            Some(_) => open.register_encoded_file_descriptor_set(pb::ADMIN_DESCRIPTORS),
            None => open,
        }
    };
    let front = front
        .with(health.max_decoding_message_size(RARE_BYTES))
        .with(reflection().build_v1()?.max_decoding_message_size(RARE_BYTES))
        .with(reflection().build_v1alpha()?.max_decoding_message_size(RARE_BYTES));
    Ok(match admin {
        Some(token) => front.with(admin::guarded_by(token, Arc::clone(plane))),
        None => front,
    })
}
