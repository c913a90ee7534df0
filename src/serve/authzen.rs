//! AuthZEN on a thread of its own: neither probes nor the callers by gRPC wait for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::data_plane::DataPlane;
use crate::grpc::Limits;
use crate::http::authzen::{Point, router};
use crate::http::{Patience, Server};
use crate::telemetry::traces::Tracer;
use crate::tls::Door;

/// How often the thread tells of the refusals that it counted.
const TELLING: Duration = Duration::from_secs(1);

/// A port that does not serve yet.
#[derive(Debug)]
pub(super) struct Authzen {
    runtime: Runtime,
    server: Server,
    secure: bool,
    tracer: Option<Arc<Tracer>>,
}

/// One that does.
#[derive(Debug)]
pub(super) struct Running {
    runtime: Runtime,
    serving: JoinHandle<()>,
}

impl Authzen {
    /// Listens, behind this door.
    pub(super) fn bind(
        address: SocketAddr,
        door: Option<Door>,
        tracer: Option<Arc<Tracer>>,
    ) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("http")
            .enable_all()
            .build()
            .context("the thread of AuthZEN cannot be started")?;
        let server = runtime.block_on(Server::bind(address, "http", Patience::CALLERS))?;
        Ok(Self { runtime, secure: door.is_some(), server: server.behind(door), tracer })
    }

    pub(super) fn local_addr(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Serves until told to stop.
    pub(super) fn start(self, plane: Arc<DataPlane>, limits: Limits, stop: CancellationToken) -> Running {
        let Self { runtime, server, secure, tracer } = self;
        let address = server.local_addr().to_string();
        // It counts for itself, as serving threads do.
        let telling = Arc::clone(&plane);
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(TELLING).await;
                telling.tell_of_refusals();
            }
        });
        let router = router(Point { plane, limits, address, secure, tracer });
        let serving = runtime.spawn(server.run(router, stop));
        Running { runtime, serving }
    }
}

impl Running {
    /// Waits until what is in flight is answered, at most so long.
    pub(super) fn end(self, grace: Duration) {
        let Self { runtime, serving } = self;
        let ended = runtime.block_on(async { tokio::time::timeout(grace, serving).await });
        if ended.is_err() {
            tracing::warn!("the grace period is over; requests over HTTP are cut off");
        }
        runtime.shutdown_background();
    }
}
