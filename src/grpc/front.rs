//! In front of the generated services: finds the one that is meant, says how large its messages are,
//! and refuses what would otherwise be decoded for nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service as _;
use tower::util::BoxCloneSyncService;

use super::Generated;
use super::answer::{Asked, Call};
use super::authorize_stream::{self, Streams};
use super::convert::Limits;
use super::envoy::{self, Checks, RateLimits};
use super::intake::Intake;
use super::outgoing::{Held, Outgoing};
use super::overload::{Gate, Patience, refuse};
use super::service::Service;
use super::unary::{Rpc, Unary};

/// The most bytes of a message to the services that are asked now and then.
pub(super) const RARE_BYTES: usize = 64 << 10;
/// Requests that are not complete may hold as much as so many messages of the largest kind.
const MESSAGES_HELD: usize = 4;
/// And answers that are not read so many bytes.
const ANSWERS_HELD: usize = 128 << 20;

type Rare = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// All services of one serving thread.
pub(super) struct Front {
    /// Answers what is asked for each action.
    service: Arc<Service>,
    /// Takes messages of the size of one request.
    single: Generated,
    /// Takes messages of the size of a batch.
    batch: Generated,
    /// Takes small messages and answers with streams.
    streams: Generated,
    /// What Envoy asks, as often as others ask for decisions.
    envoy: envoy::Servers,
    many: Streams,
    rare: Vec<(&'static str, Rare)>,
    intake: Arc<Intake>,
    held: Arc<Held>,
    limits: Limits,
    gate: Arc<Gate>,
    longest: Duration,
}

/// Where a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To one that is asked for each action.
    Single { most: usize, rpc: Rpc },
    /// To one whose request or answer is large.
    Large { most: usize, field: &'static str, ends: bool },
    /// To one that answers for a long time.
    Stream,
    /// To `AuthorizeStream`.
    Many,
    /// To what Envoy asks before it passes a request on, or (`check` is false) limits it.
    Envoy { most: usize, check: bool },
    /// To one of our own rpcs that there is not.
    NoRpc,
    /// To another service, by its place among them.
    Rare(usize),
    /// To a service that there is not.
    NoService,
}

impl Route {
    /// Whether its answers are large or many.
    pub(super) const fn is_long(self) -> bool {
        matches!(self, Self::Large { .. } | Self::Stream | Self::Many | Self::Rare(_))
    }

    /// Whether a call must have a message: one of ours that is not a stream of them.
    pub(super) const fn needs_message(self) -> bool {
        matches!(self, Self::Single { .. } | Self::Large { .. } | Self::Stream | Self::Envoy { .. })
    }

    /// How patient its callers are; `None`: they are always served. What tells others how the server
    /// does, or follows it, must not fail when it has much to do.
    pub(super) const fn patience(self) -> Option<Patience> {
        match self {
            Self::Single { rpc: Rpc::Report, .. } | Self::Large { ends: true, .. } => Some(Patience::Long),
            Self::Single { .. } | Self::Large { .. } | Self::Many | Self::Envoy { .. } => {
                Some(Patience::Short)
            }
            Self::Stream | Self::Rare(_) | Self::NoRpc | Self::NoService => None,
        }
    }

    /// The most bytes of its message, and the name of what has too many.
    pub(super) const fn message(self) -> (usize, &'static str) {
        match self {
            Self::Single { most, .. } | Self::Envoy { most, .. } => (most, "request"),
            Self::Large { most, field, .. } => (most, field),
            Self::Stream | Self::Many | Self::NoRpc | Self::Rare(_) | Self::NoService => {
                (RARE_BYTES, "request")
            }
        }
    }
}

impl Front {
    /// Decisions, by this service. A call may take so long.
    pub(super) fn new(service: Service, streams: Streams, gate: Arc<Gate>, longest: Duration) -> Self {
        let (limits, service) = (streams.limits, Arc::new(service));
        let decisions = Generated::from_arc(Arc::clone(&service));
        Self {
            service,
            single: decisions.clone().max_decoding_message_size(limits.request_bytes),
            batch: decisions.clone().max_decoding_message_size(limits.batch_bytes),
            streams: decisions.max_decoding_message_size(RARE_BYTES),
            envoy: envoy::Servers::new(&streams.plane, &limits, &streams.traces),
            rare: Vec::new(),
            intake: Arc::new(Intake::new(MESSAGES_HELD * limits.batch_bytes.max(limits.request_bytes))),
            held: Arc::new(Held::new(ANSWERS_HELD)),
            many: streams,
            limits,
            gate,
            longest,
        }
    }

    /// The same with one more service, for calls that come now and then.
    pub(super) fn with<S>(mut self, service: S) -> Self
    where
        S: tower::Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        self.rare.push((S::NAME, BoxCloneSyncService::new(service)));
        self
    }

    /// Who decides what is shed.
    pub(super) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// How long a call may take.
    pub(super) const fn longest(&self) -> Duration {
        self.longest
    }

    /// Counts what one call has on its way.
    pub(super) fn outgoing(&self) -> Arc<Outgoing> {
        Outgoing::new(&self.held)
    }

    /// Where a call with this path goes.
    pub(super) fn route(&self, path: &str) -> Route {
        let (service, rpc) = split(path);
        if service == Checks::NAME || service == RateLimits::NAME {
            return Route::Envoy { most: self.limits.request_bytes, check: service == Checks::NAME };
        }
        if service != Generated::NAME {
            let found = self.rare.iter().position(|(name, _)| *name == service);
            return found.map_or(Route::NoService, Route::Rare);
        }
        let Limits { request_bytes, batch_bytes, .. } = self.limits;
        let large = |most, field, ends| Route::Large { most, field, ends };
        let single = |rpc| Route::Single { most: request_bytes, rpc };
        match rpc {
            "Authorize" => single(Rpc::Authorize),
            "Report" => single(Rpc::Report),
            "RetryDecision" => single(Rpc::RetryDecision),
            "Budget" => single(Rpc::Budget),
            "Explain" => large(request_bytes, "request", false),
            "AuthorizeBatch" => large(batch_bytes, "requests", false),
            "ReportBatch" => large(batch_bytes, "reports", true),
            "AuthorizeStream" => Route::Many,
            "WaitApproval" | "WatchEvents" => Route::Stream,
            _ => Route::NoRpc,
        }
    }

    /// Hands a call to its service.
    ///
    /// # Errors
    /// Not only errors: whatever is answered at once.
    #[expect(clippy::result_large_err, reason = "it is the answer of the call, and moved once")]
    pub(super) fn ask(&self, call: Call) -> Result<Asked, Response<Body>> {
        if matches!(call.route, Route::Large { .. } | Route::Many) && self.held.is_full() {
            let why = "answers that nobody reads hold too much memory; read those that were asked for";
            return Err(refuse("memory", why).into_http());
        }
        let meter =
            |request: Request<Incoming>, line| request.map(|body| Arc::clone(&self.intake).meter(body, line));
        let generated = match call.route {
            Route::Envoy { check: true, .. } => {
                return Ok(Asked::ByService(self.envoy.checks.clone().call(meter(call.request, call.line))));
            }
            Route::Envoy { check: false, .. } => {
                let limits = &self.envoy.rate_limits;
                return Ok(Asked::ByService(limits.clone().call(meter(call.request, call.line))));
            }
            Route::Single { most, rpc } => {
                let request = meter(call.request, call.line);
                return Ok(Asked::Here(Unary::new(Arc::clone(&self.service), rpc, request, most)));
            }
            Route::Large { most, .. } if most == self.limits.request_bytes => &self.single,
            Route::Large { .. } => &self.batch,
            Route::Stream => &self.streams,
            Route::Many => return Err(authorize_stream::answer(&self.many, &self.intake, call)),
            Route::Rare(place) => return self.ask_rare(place, call),
            Route::NoRpc => {
                let why = "there is no such rpc; ask reflection for those there are";
                return Err(Status::unimplemented(why).into_http());
            }
            Route::NoService => return Err(no_service(call.request.uri().path())),
        };
        Ok(Asked::ByService(generated.clone().call(meter(call.request, call.line))))
    }

    #[expect(clippy::result_large_err, reason = "it is the answer of the call, and moved once")]
    fn ask_rare(&self, place: usize, call: Call) -> Result<Asked, Response<Body>> {
        match self.rare.get(place) {
            Some((_, rare)) => Ok(Asked::ByService(Box::pin(rare.clone().call(call.request.map(Body::new))))),
            None => Err(no_service(call.request.uri().path())),
        }
    }
}

/// The service and the rpc of a path.
fn split(path: &str) -> (&str, &str) {
    path.trim_start_matches('/').split_once('/').unwrap_or((path, ""))
}

fn no_service(path: &str) -> Response<Body> {
    let service = split(path).0.escape_debug().take(64).collect::<String>();
    let why = format!("there is no service `{service}` here; ask reflection for those there are");
    Status::unimplemented(why).into_http()
}
