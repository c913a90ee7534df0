//! Connections over HTTP: whoever holds one open and says nothing, or sends without end, is cut
//! off, and cannot keep others from their answers.

use anyhow::Context as _;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long a connection is held.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long a client may take over the head of a request, or between two requests.
    pub head: Duration,
    /// A connection that lasts longer ends with the request it is in.
    pub lifetime: Duration,
}

impl Patience {
    /// With who looks now and then. The port may be open beyond loopback.
    pub const PROBES: Self = Self { head: Duration::from_secs(5), lifetime: Duration::from_secs(60) };
    /// With who asks all the time, and keeps its connections.
    pub const CALLERS: Self = Self { head: Duration::from_secs(60), lifetime: Duration::from_secs(3_600) };
}

/// A connection at its end is cut when that takes longer than this.
const LAST_REQUEST: Duration = Duration::from_secs(10);
/// Bytes and lines of the head of a request.
const HEAD_BYTES: usize = 16 << 10;
const HEAD_LINES: usize = 64;
/// Connections at one time; the next waits until one ends.
const CONNECTIONS: u32 = 1024;

/// A bound port that serves a router.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    patience: Patience,
}

impl Server {
    /// Binds the address that this option names.
    ///
    /// # Errors
    /// The system does not let it: most often the port is in use.
    pub async fn bind(address: SocketAddr, option: &str, patience: Patience) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| {
            format!("{address}: the {option} address cannot be listened on; choose another with `--{option}`")
        })?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, patience })
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, and until every connection has ended then.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(CONNECTIONS as usize));
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let stream = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match stream {
                Ok((stream, _)) => {
                    let serve = serve(stream, router.clone(), self.patience, stop.clone());
                    tokio::spawn(async move {
                        serve.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: without a pause this would spin.
                    tracing::warn!(%error, "a connection over HTTP cannot be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        let _ = room.acquire_many(CONNECTIONS).await;
    }
}

async fn serve(stream: TcpStream, router: Router, patience: Patience, stop: CancellationToken) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(HEAD_LINES)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = tokio::time::sleep(patience.lifetime) => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_REQUEST, connection).await;
}
