//! In front of the generated services: finds the one that is meant, refuses what would otherwise
//! be decoded for nothing, and gives the bound on messages the code and words of other bounds.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tower::Service;
use tower::util::BoxCloneSyncService;

use super::convert::Limits;
use super::envoy::{self, Checks, RateLimits};
use super::intake::Intake;
use super::patience::{Flight, InFlight};
use super::{Generated, later};

/// The most bytes of a message to the services that are asked now and then.
pub(super) const RARE_BYTES: usize = 64 << 10;
/// Requests that are not complete may hold as much as so many messages of the largest kind.
const MESSAGES_HELD: usize = 4;

type Rare = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;
type Asked = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

/// All services of one serving thread. It is cloned for each request.
#[derive(Clone)]
pub(super) struct Front {
    /// Takes messages of the size of one request.
    single: Generated,
    /// Takes messages of the size of a batch.
    batch: Generated,
    /// Takes small messages and answers with streams.
    streams: Generated,
    /// What Envoy asks, as often as others ask for decisions.
    envoy: Arc<envoy::Servers>,
    rare: Arc<[(&'static str, Rare)]>,
    intake: Arc<Intake>,
    request_bytes: usize,
    batch_bytes: usize,
}

impl Front {
    /// Decisions, by a service with these limits.
    pub(super) fn new(decisions: &Generated, envoy: envoy::Servers, limits: &Limits) -> Self {
        let Limits { request_bytes, batch_bytes, .. } = *limits;
        Self {
            single: decisions.clone().max_decoding_message_size(request_bytes),
            batch: decisions.clone().max_decoding_message_size(batch_bytes),
            streams: decisions.clone().max_decoding_message_size(RARE_BYTES),
            envoy: Arc::new(envoy),
            rare: Arc::new([]),
            intake: Arc::new(Intake::new(MESSAGES_HELD * batch_bytes.max(request_bytes))),
            request_bytes,
            batch_bytes,
        }
    }

    /// The same with one more service, for calls that come now and then.
    pub(super) fn with<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
    {
        let one = (S::NAME, BoxCloneSyncService::new(service));
        self.rare = self.rare.iter().cloned().chain([one]).collect();
        self
    }

    fn ask(&mut self, request: Request<Body>) -> Answer {
        let flight = request.extensions().get().map(InFlight::start);
        let path = request.uri().path();
        let (service, rpc) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        if service == Generated::NAME {
            let (generated, most, field) = match rpc {
                "Authorize" | "Explain" | "Report" | "RetryDecision" | "Budget" => {
                    (&mut self.single, self.request_bytes, "request")
                }
                "AuthorizeBatch" => (&mut self.batch, self.batch_bytes, "requests"),
                "ReportBatch" => (&mut self.batch, self.batch_bytes, "reports"),
                "WaitApproval" | "WatchEvents" => (&mut self.streams, RARE_BYTES, "request"),
                _ => return Answer::refused(later::refusal(rpc)),
            };
            let metered = request.map(|body| Arc::clone(&self.intake).meter(body));
            return Answer::Asked { asked: generated.call(metered), most, field, _flight: flight };
        }
        if service == Checks::NAME || service == RateLimits::NAME {
            let is_check = service == Checks::NAME;
            let metered = request.map(|body| Arc::clone(&self.intake).meter(body));
            let asked = if is_check {
                self.envoy.checks.clone().call(metered)
            } else {
                self.envoy.rate_limits.clone().call(metered)
            };
            return Answer::Asked { asked, most: self.request_bytes, field: "request", _flight: flight };
        }
        match self.rare.iter().find(|(name, _)| *name == service) {
            Some((_, rare)) => Answer::Asked {
                asked: Box::pin(rare.clone().call(request)),
                most: RARE_BYTES,
                field: "request",
                _flight: flight,
            },
            None => Answer::refused(Status::unimplemented(format!(
                "there is no service `{}` here; ask reflection for those there are",
                service.escape_debug().take(64).collect::<String>()
            ))),
        }
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // As generated services: always.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.ask(request)
    }
}

/// The answer of [`Front`].
pub(super) enum Answer {
    /// Without asking; taken when it is given.
    Refused(Option<Box<Status>>),
    /// From a service that takes so many bytes, which are named so; in flight until it is dropped.
    Asked { asked: Asked, most: usize, field: &'static str, _flight: Option<Flight> },
}

impl Answer {
    fn refused(status: Status) -> Self {
        Self::Refused(Some(Box::new(status)))
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Refused(status) => match status.take() {
                Some(status) => Poll::Ready(Ok(status.into_http())),
                None => Poll::Pending,
            },
            Self::Asked { asked, most, field, .. } => {
                let (most, field) = (*most, *field);
                asked.as_mut().poll(cx).map_ok(|response| in_our_words(response, most, field))
            }
        }
    }
}

/// Tonic answers OUT_OF_RANGE to a message that is too long. Where our services answer that, they
/// say more in its details.
fn in_our_words(response: Response<Body>, most: usize, field: &'static str) -> Response<Body> {
    let headers = response.headers();
    let code = headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
    if code != Some(Code::OutOfRange) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return response;
    }
    let what = format!("the message has more than {most} bytes; send less, or several messages");
    let details = ErrorDetails::with_bad_request_violation(field, &what);
    Status::with_error_details(Code::InvalidArgument, what, details).into_http()
}
