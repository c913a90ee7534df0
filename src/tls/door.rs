//! The door of a port: the handshake of each connection, bounded in time and in number.
//!
//! Who connects and says nothing holds a place for some seconds, for one when places get scarce, and
//! nobody else: each handshake waits for itself.

use super::certificate::Certificate;
use super::failure::{Failure, Kind};
use super::live::Live;
use super::refused;
use crate::telemetry::metrics::TLS_HANDSHAKES;
use metrics::counter;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Handshakes at one time; who comes next is not accepted until one ends.
const PLACES: usize = 512;
/// With fewer places left they are scarce.
const SCARCE: usize = PLACES / 2;
/// How long a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// And how long while places are scarce.
const HASTE: Duration = Duration::from_secs(1);
const NANOS_PER_SECOND: i128 = 1_000_000_000;
/// No process lasts longer.
const MOST_LEFT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// Reads of what nobody wants any more.
const MOST_UNREAD: usize = 64;

/// What is served behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Port {
    /// gRPC.
    Grpc,
    /// HTTP, of either version.
    Http,
}

impl Port {
    /// As metrics and log lines call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }

    /// What is offered by ALPN.
    pub(super) fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Grpc => vec![b"h2".to_vec()],
            Self::Http => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        }
    }
}

/// Lets connections in.
#[derive(Clone, Debug)]
pub struct Door {
    live: Arc<Live>,
    port: Port,
    places: Arc<Semaphore>,
}

/// The right to one handshake.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

impl Door {
    /// The door of this port.
    #[must_use]
    pub fn new(live: Arc<Live>, port: Port) -> Self {
        Self { live, port, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Waits for a place. Take it before a connection is accepted, so that who finds none waits in
    /// the queue of the system.
    pub async fn place(&self) -> Place {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => Place(place),
            // The places are never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Shakes hands. Who is not let in is told why as far as the protocol has words for it, and so
    /// are the log and the metrics.
    pub async fn enter(&self, stream: TcpStream, place: Place) -> Option<TlsStream<TcpStream>> {
        let peer = stream.peer_addr().map_or_else(|_| "unknown".into(), |peer| peer.to_string());
        let entered = match self.shake(stream).await {
            Ok(stream) => self.look_at(stream).await,
            Err(failure) => Err(failure),
        };
        drop(place);
        let result = entered.as_ref().map_or_else(|failure| failure.kind.label(), |_| "accepted");
        counter!(TLS_HANDSHAKES, "port" => self.port.label(), "result" => result).increment(1);
        let told = |failure| self.live.complaints.tell(&self.live.clock, self.port.label(), &peer, &failure);
        entered.map_err(told).ok()
    }

    /// For how long the certificate holds that the other side has shown; `None`: it showed none.
    #[must_use]
    pub fn until_it_ends(&self, stream: &TlsStream<TcpStream>) -> Option<Duration> {
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first())?;
        // It was verified, so that one which cannot be read is none that should stay.
        let until = Certificate::parse(shown).map_or(0, |certificate| certificate.not_after);
        // It holds to the end of its last second.
        let left = (i128::from(until) + 1) * NANOS_PER_SECOND - i128::from(self.live.clock.wall().nanos());
        Some(u64::try_from(left.max(0)).map_or(MOST_LEFT, Duration::from_nanos).min(MOST_LEFT))
    }

    async fn shake(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, Failure> {
        let accept = TlsAcceptor::from(self.live.config(self.port)).accept(stream).into_fallible();
        tokio::pin!(accept);
        let shaken = match timeout(HASTE, &mut accept).await {
            Ok(shaken) => shaken,
            Err(_) if self.places.available_permits() < SCARCE => {
                let why = format!("it took longer than {} s while many connected", HASTE.as_secs());
                return Err(Failure::new(Kind::Shed, why));
            }
            Err(_) => timeout(PATIENCE - HASTE, accept).await.map_err(|_| {
                let why = format!("it took longer than {} s", PATIENCE.as_secs());
                Failure::new(Kind::Timeout, why)
            })?,
        };
        match shaken {
            Ok(stream) => Ok(stream),
            Err((error, stream)) => {
                let _ = timeout(HASTE, linger(stream)).await;
                Err(Failure::of(&error))
            }
        }
    }

    /// Whether the caller's certificate has a name that is let in.
    async fn look_at(&self, stream: TlsStream<TcpStream>) -> Result<TlsStream<TcpStream>, Failure> {
        if !self.live.asks_for_names() {
            return Ok(stream);
        }
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let Some(certificate) = shown.and_then(|der| Certificate::parse(der).ok()) else {
            return Err(Failure::new(Kind::BadCertificate, "its certificate cannot be read"));
        };
        if self.live.lets_in(&certificate.names) {
            return Ok(stream);
        }
        let who = certificate.who();
        let to_caller = format!(
            "the client certificate is for {who}, which this server does not let in (`tls_client_names`)"
        );
        // It is a caller of a trusted authority: it is answered, in words that reach people.
        let _ = timeout(HASTE, refused::answer(stream, self.port, to_caller)).await;
        Err(Failure::new(
            Kind::NameNotAllowed,
            format!(
                "its certificate is for {who}; add a pattern to `tls_client_names` if it shall be let in"
            ),
        ))
    }
}

/// Waits for the other side to hang up: what it sent meanwhile, read by nobody, would make the system
/// cut the connection before the alert is read.
async fn linger(mut stream: TcpStream) {
    let mut unread = [0; 1024];
    if stream.shutdown().await.is_ok() {
        for _ in 0..MOST_UNREAD {
            if !matches!(stream.read(&mut unread).await, Ok(1..)) {
                return;
            }
        }
    }
}
