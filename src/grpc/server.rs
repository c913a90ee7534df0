//! Accepts connections and hands them to the serving threads, until it is told to drain.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tonic_health::ServingStatus;

use super::admin::Token;
use super::convert::Limits;
use super::health;
use super::incoming::Arrival;
use super::listen::{self, Accepted, Socket};
use super::worker::Worker;
use crate::data_plane::DataPlane;
use crate::telemetry::traces::Tracer;
use crate::tls::Door;

/// Connections that wait for one serving thread at most.
const WAITING: usize = 64;
/// After an error of the system (no file descriptors left) accepting rests that long.
const REST: Duration = Duration::from_millis(50);

/// Where and how to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// The TCP address.
    pub tcp: Option<SocketAddr>,
    /// The path of the Unix socket.
    pub uds: Option<PathBuf>,
    /// The permissions of the Unix socket.
    pub uds_mode: u32,
    /// Serving threads; 0: one for each core.
    pub threads: usize,
    /// The bounds on requests.
    pub limits: Limits,
    /// The bounds on everybody together.
    pub overload: Overload,
    /// Serve the admin service too, for who holds this token.
    pub admin: Option<Token>,
    /// What traces calls; `None`: nothing does.
    pub tracer: Option<Arc<Tracer>>,
    /// Speak TLS on the TCP address.
    pub tls: Option<Door>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tcp: None,
            uds: None,
            uds_mode: 0o600,
            threads: 0,
            limits: Limits::default(),
            overload: Overload::default(),
            admin: None,
            tracer: None,
            tls: None,
        }
    }
}

/// What is done when there is more to do than can be done, and to clients that take more than others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overload {
    /// How long a call may wait for its turn while a thread has more to do than it can; zero: for ever.
    pub wait: Duration,
    /// How long a call may take to be read and answered.
    pub request: Duration,
    /// How long a client may take nothing of what is sent to it.
    pub stalled: Duration,
    /// How long a connection may take to begin.
    pub handshake: Duration,
    /// About how old a connection may get; zero: as old as it likes.
    pub age: Duration,
    /// Connections at one time; the next waits until one ends.
    pub connections: usize,
    /// Calls at one time on one connection.
    pub calls: u32,
    /// Streams of requests at one time on one serving thread.
    pub streams: usize,
    /// Bytes of a list of headers.
    pub header_bytes: u32,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            wait: Duration::from_millis(10),
            request: Duration::from_secs(30),
            stalled: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            age: Duration::ZERO,
            connections: 10_000,
            calls: 1_024,
            streams: 1_000,
            header_bytes: 16 << 10,
        }
    }
}

/// A server that listens and does not serve yet.
#[derive(Debug)]
pub struct Server {
    plane: Arc<DataPlane>,
    limits: Limits,
    overload: Overload,
    admin: Option<Token>,
    tracer: Option<Arc<Tracer>>,
    tls: Option<Door>,
    threads: usize,
    tcp: Option<std::net::TcpListener>,
    uds: Option<Socket>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// When nothing is named to listen on, or it cannot be listened on.
    pub fn bind(options: Options, plane: Arc<DataPlane>) -> anyhow::Result<Self> {
        if options.tcp.is_none() && options.uds.is_none() {
            anyhow::bail!("nothing to listen on; name a TCP address or a Unix socket");
        }
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            plane,
            limits: options.limits,
            overload: options.overload,
            admin: options.admin,
            tracer: options.tracer,
            tls: options.tls,
            threads: if options.threads == 0 { cores() } else { options.threads },
            tcp: options.tcp.map(listen::tcp).transpose()?,
            uds: options.uds.map(|path| listen::uds(&path, options.uds_mode)).transpose()?,
        })
    }

    /// The TCP address, with the port that was chosen if none was named.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Serves until `shutdown`, then stops accepting, finishes what is in flight, and returns
    /// when all is done, or `grace` after `shutdown` at the latest. Blocks the calling thread,
    /// which does the accepting.
    ///
    /// # Errors
    /// When a thread cannot be started, or one ends before it is told to.
    pub fn run(self, shutdown: CancellationToken, grace: Duration) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let drain = CancellationToken::new();
        let (reporter, health) = tonic_health::server::health_reporter();
        runtime.block_on(health::set(&reporter, ServingStatus::NotServing));
        if self.admin.is_some() {
            runtime.block_on(health::admin(&reporter));
        }
        let mut workers = Vec::with_capacity(self.threads);
        let mut lines = Vec::with_capacity(self.threads);
        for number in 0..self.threads {
            let (line, connections) = mpsc::channel(WAITING);
            let worker = Worker {
                plane: Arc::clone(&self.plane),
                limits: self.limits,
                overload: self.overload,
                admin: self.admin.clone(),
                tracer: self.tracer.clone(),
                tls: self.tls.clone(),
                health: health.clone(),
                connections,
                drain: drain.clone(),
                grace,
            };
            lines.push(line);
            workers.push(start(number, move || worker.run())?);
        }
        let ready = self.plane.watch_ready();
        let told = runtime.spawn(health::follow(reporter, ready, drain.clone()));
        let accepted = runtime.block_on(self.accept(lines, shutdown));
        drain.cancel();
        // It says NOT_SERVING and ends the streams of those who watch.
        let _ = runtime.block_on(told);
        for worker in workers {
            let served = worker.join();
            served.map_err(|_| anyhow::anyhow!("a serving thread panicked"))??;
        }
        accepted
    }

    /// Hands connections to the threads in turn. The listeners close when it returns.
    async fn accept(
        self,
        lines: Vec<mpsc::Sender<Arrival>>,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let tcp = self.tcp.map(TcpListener::from_std).transpose()?;
        let unix = |socket: &Socket| UnixListener::from_std(socket.listener.try_clone()?);
        let uds = self.uds.as_ref().map(unix).transpose()?;
        let mut turn = lines.iter().cycle();
        let room = Arc::new(Semaphore::new(self.overload.connections));
        loop {
            let place = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                place = Arc::clone(&room).acquire_owned() => place?,
            };
            let accepted = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                accepted = from_tcp(tcp.as_ref(), self.tls.as_ref()) => accepted,
                accepted = from_unix(uds.as_ref()) => accepted,
            };
            match accepted {
                Ok(connection) => {
                    let line = turn.next().context("no serving thread")?;
                    tokio::select! {
                        () = shutdown.cancelled() => return Ok(()),
                        sent = line.send((connection, place)) => {
                            sent.map_err(|_| anyhow::anyhow!("a serving thread has ended"))?;
                        }
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

fn start(
    number: usize,
    work: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> anyhow::Result<JoinHandle<anyhow::Result<()>>> {
    let thread = std::thread::Builder::new().name(format!("data-plane-{number}"));
    thread.spawn(work).context("a serving thread cannot be started")
}

/// Where TLS is spoken it takes the right to a handshake first: who finds none waits in the queue of
/// the system, and holds up neither the threads nor those who come by the socket.
async fn from_tcp(listener: Option<&TcpListener>, tls: Option<&Door>) -> std::io::Result<Accepted> {
    let Some(listener) = listener else { return std::future::pending().await };
    let place = match tls {
        Some(door) => Some(door.place().await),
        None => None,
    };
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(Accepted::Tcp(stream.into_std()?, place))
}

async fn from_unix(listener: Option<&UnixListener>) -> std::io::Result<Accepted> {
    let Some(listener) = listener else { return std::future::pending().await };
    let (stream, _) = listener.accept().await?;
    Ok(Accepted::Unix(stream.into_std()?))
}
