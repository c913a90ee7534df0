//! Connections over HTTP: whoever holds one open and says nothing, or sends without end, is cut
//! off, and cannot keep others from their answers.

use super::guests::{Guest, Guests};
use crate::tls::{Door, Place};
use anyhow::Context as _;
use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
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
/// Connections at one time; for the next one who says nothing has to go, and if everybody asks
/// something it waits.
const CONNECTIONS: u32 = 1024;
/// Requests in flight on one connection of HTTP/2.
const MAX_STREAMS: u32 = 128;

/// A bound port that serves a router.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    patience: Patience,
    places: u32,
    door: Option<Door>,
}

/// What is spoken on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http1,
    Http2,
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
        Ok(Self { listener, address, patience, places: CONNECTIONS, door: None })
    }

    /// The same behind this door: by TLS, and then in HTTP/2 too.
    #[must_use]
    pub fn behind(self, door: Option<Door>) -> Self {
        Self { door, ..self }
    }

    /// Where it listens.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop, and until every connection has ended then.
    pub async fn run(self, router: Router, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(self.places as usize));
        let guests = Arc::new(Guests::default());
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = stop.cancelled() => break,
            };
            match accepted {
                Ok((stream, turn)) => {
                    if room.available_permits() == 0 {
                        guests.give_way();
                    }
                    let place = tokio::select! {
                        place = Arc::clone(&room).acquire_owned() => place,
                        () = stop.cancelled() => break,
                    };
                    let Ok(place) = place else { return };
                    let guest = guests.enter();
                    let serve = serve(stream, turn, router.clone(), self.patience, (guest, stop.clone()));
                    tokio::spawn(async move {
                        serve.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Out of file descriptors, mostly: without a pause this would spin.
                    tracing::warn!(%error, address = %self.address, "a connection cannot be taken");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.listener);
        let _ = room.acquire_many(self.places).await;
    }

    /// The next connection, with the right to a handshake if it has to shake hands.
    async fn accept(&self) -> std::io::Result<(TcpStream, Option<(Door, Place)>)> {
        let turn = match &self.door {
            Some(door) => Some((door.clone(), door.place().await)),
            None => None,
        };
        let (stream, _) = self.listener.accept().await?;
        Ok((stream, turn))
    }
}

async fn serve(
    stream: TcpStream,
    turn: Option<(Door, Place)>,
    router: Router,
    patience: Patience,
    (guest, stop): (Guest, CancellationToken),
) {
    let Some((door, place)) = turn else {
        return speak(stream, Spoken::Http1, router, patience, (guest, stop)).await;
    };
    // Who has not come in yet has asked nothing: nobody waits for it at the end.
    let entered = tokio::select! {
        entered = door.enter(stream, place) => entered,
        () = guest.told_to_leave() => None,
        () = stop.cancelled() => None,
    };
    if let Some(stream) = entered {
        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let spoken = if two { Spoken::Http2 } else { Spoken::Http1 };
        let lifetime =
            door.until_it_ends(&stream).map_or(patience.lifetime, |left| left.min(patience.lifetime));
        speak(stream, spoken, router, Patience { lifetime, ..patience }, (guest, stop)).await;
    }
}

/// HTTP/1 has a time for the head of a request, and HTTP/2 none: who sends not even its preface would
/// stay as long as connections last.
async fn speak<S>(
    stream: S,
    spoken: Spoken,
    router: Router,
    patience: Patience,
    (guest, stop): (Guest, CancellationToken),
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let guest = Arc::new(guest);
    let (asks, answers) = (Arc::clone(&guest), TowerToHyperService::new(router));
    let service = service_fn(move |request: Request<Incoming>| {
        let asking = asks.asks();
        let answer = answers.call(request);
        async move {
            let answer = answer.await;
            drop(asking);
            answer
        }
    });
    let protocol = protocol(spoken, patience);
    let connection = protocol.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        () = guest.told_to_leave() => return,
        () = tokio::time::sleep(patience.lifetime) => {}
        () = guest.asks_nothing_for(patience.head), if spoken == Spoken::Http2 => {}
        () = stop.cancelled() => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_REQUEST, connection).await;
}

fn protocol(spoken: Spoken, patience: Patience) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_headers(HEAD_LINES)
        .max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX));
    match spoken {
        Spoken::Http1 => builder.http1_only(),
        Spoken::Http2 => builder.http2_only(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::io::{Read as _, Write as _};
    use tokio::sync::Notify;

    const PLACES: u32 = 8;
    /// Who waits for that long has waited for the silent.
    const NEVER: Duration = Duration::from_secs(600);

    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_crowd_of_the_silent_keeps_nobody_from_an_answer() {
        let (begun, held, stop) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), CancellationToken::new());
        let (begins, waits) = (Arc::clone(&begun), Arc::clone(&held));
        let slow = get(move || async move {
            begins.notify_one();
            waits.notified().await;
            "at last"
        });
        let router = Router::new().route("/livez", get(|| async { "alive" })).route("/slow", slow);
        let patience = Patience { head: NEVER, lifetime: NEVER };
        let localhost = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::bind(localhost, "metrics", patience).await.unwrap();
        let server = Server { places: PLACES, ..server };
        let address = server.local_addr();
        let served = tokio::spawn(server.run(router, stop.clone()));
        let asked = tokio::task::spawn_blocking(move || ask(address, "/slow"));
        begun.notified().await;
        let crowd = move || (0..5 * PLACES).map(|_| std::net::TcpStream::connect(address)).collect();
        let crowd: std::io::Result<Vec<_>> = tokio::task::spawn_blocking(crowd).await.unwrap();
        let silent = crowd.unwrap();
        for _ in 0..3 {
            let alive = tokio::task::spawn_blocking(move || ask(address, "/livez")).await.unwrap();
            assert!(alive.ends_with("alive"), "{alive}");
        }
        held.notify_one();
        assert!(asked.await.unwrap().ends_with("at last"), "who waits for an answer gives way to nobody");
        drop(silent);
        stop.cancel();
        served.await.unwrap();
    }
}
