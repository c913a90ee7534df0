//! The answer of one call, from the moment it is made: it waits for its turn, is shed or served, and
//! has a time to be done in.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use metrics::counter;
use tokio::time::{Sleep, sleep};
use tonic::body::Body;
use tonic::{Code, Status};

use super::front::{Front, Route};
use super::intake::Metered;
use super::line::{Flight, Line, Unseen};
use super::outgoing::{Outgoing, Tracked};
use super::unary::{Unary, no_message, too_long};
use crate::telemetry::metrics::REQUESTS_SHED;

/// What is made of a call.
#[expect(clippy::large_enum_variant, reason = "most calls are of the large kind")]
pub(super) enum Asked {
    /// It is answered here.
    Here(Unary<Metered<Incoming>>),
    /// By a service of tonic's.
    ByService(Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>),
}

impl Asked {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Body>, Infallible>> {
        match self {
            Self::Here(unary) => Pin::new(unary).poll(cx).map(Ok),
            Self::ByService(asked) => asked.as_mut().poll(cx),
        }
    }
}

/// A call as it came.
pub(super) struct Call {
    pub request: Request<Incoming>,
    pub route: Route,
    pub line: Arc<Line>,
    /// What its answers are counted by on their way, where they are large or many.
    pub writing: Option<Arc<Outgoing>>,
}

/// A call and what becomes of it.
pub(super) struct Answer {
    front: Arc<Front>,
    state: State,
}

enum State {
    /// It waits for its turn since then.
    Called(Call, u64, Unseen),
    /// It has its turn, if its client has not given it up.
    Begun(Call, u64, Flight),
    /// A service works on it.
    Asked(Pending),
    /// It has its answer.
    Over,
}

struct Pending {
    asked: Asked,
    route: Route,
    longest: Duration,
    late: Option<Pin<Box<Sleep>>>,
    writing: Option<Arc<Outgoing>>,
    flight: Flight,
}

impl Answer {
    /// Notes a call; nothing is done before its task has its turn.
    pub(super) fn new(front: &Arc<Front>, line: &Arc<Line>, request: Request<Incoming>) -> Self {
        let route = front.route(request.uri().path());
        let writing = route.is_long().then(|| front.outgoing());
        if let Some(writing) = &writing {
            line.watch(Arc::clone(writing));
        }
        let call = Call { request, route, line: Arc::clone(line), writing };
        Self { front: Arc::clone(front), state: State::Called(call, line.read_at(), line.unseen()) }
    }

    #[expect(clippy::result_large_err, reason = "it is the answer of the call, and moved once")]
    fn begin(&self, call: Call, since: u64, mut flight: Flight) -> Result<Pending, Response<Body>> {
        if call.route.patience().is_some_and(|patience| self.front.gate().sheds(since, patience)) {
            flight.answered();
            return Err(call.line.refusal());
        }
        if call.route.needs_message() && call.request.body().is_end_stream() {
            // Nobody who means it: counted as given up, which it is where only heads are sent.
            return Err(no_message().into_http());
        }
        let (route, writing) = (call.route, call.writing.clone());
        let longest = self.front.longest().min(self.left_of(timeout_of(call.request.headers()), since));
        match self.front.ask(call) {
            Ok(asked) => Ok(Pending { asked, route, longest, late: None, writing, flight }),
            Err(answer) => {
                flight.answered();
                Err(answer)
            }
        }
    }

    /// What is left of the time that a client gave, when its call waited since then.
    fn left_of(&self, given: Option<Duration>, since: u64) -> Duration {
        given.map_or(Duration::MAX, |given| {
            let waited = self.front.gate().now().saturating_sub(since);
            given.saturating_sub(Duration::from_nanos(waited))
        })
    }
}

impl Future for Answer {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut pending = match std::mem::replace(&mut self.state, State::Over) {
            State::Called(call, since, seen) => {
                drop(seen);
                let flight = call.line.start();
                self.state = State::Begun(call, since, flight);
                // Only now the transport looks whether the client has given it up. It is asked again at
                // once: see `super::transport`.
                return Poll::Pending;
            }
            State::Begun(call, since, flight) => match self.begin(call, since, flight) {
                Ok(pending) => pending,
                Err(refusal) => return Poll::Ready(Ok(refusal)),
            },
            State::Asked(pending) => pending,
            State::Over => return Poll::Pending,
        };
        let polled = pending.poll(cx);
        if polled.is_pending() {
            self.state = State::Asked(pending);
        }
        polled
    }
}

impl Pending {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Body>, Infallible>> {
        let polled = self.asked.poll(cx).map_ok(|response| {
            let response = in_our_words(response, self.route);
            match self.writing.take() {
                Some(out) => response.map(|body| Body::new(Tracked { body, out })),
                None => response,
            }
        });
        if polled.is_ready() {
            self.flight.answered();
            return polled;
        }
        let late = self.late.get_or_insert_with(|| Box::pin(sleep(self.longest)));
        late.as_mut().poll(cx).map(|()| {
            self.flight.answered();
            counter!(REQUESTS_SHED, "reason" => "late").increment(1);
            let longest = self.longest;
            let why =
                format!("there was no answer within {longest:?}, for which the request was waited for too");
            Ok(Status::deadline_exceeded(why).into_http())
        })
    }
}

/// The time that the client gives the call (`grpc-timeout`: up to 8 digits and a unit).
fn timeout_of(headers: &HeaderMap) -> Option<Duration> {
    headers.get("grpc-timeout").and_then(|value| value.to_str().ok()).and_then(read_timeout)
}

fn read_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3_600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// Tonic answers OUT_OF_RANGE to a message that is too long. Where our services answer that, they
/// say more in its details.
fn in_our_words(response: Response<Body>, route: Route) -> Response<Body> {
    let headers = response.headers();
    let code = headers.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes()));
    if code != Some(Code::OutOfRange) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return response;
    }
    let (most, field) = route.message();
    too_long(most, field).into_http()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_read_as_it_is_written() {
        for (text, want) in [
            ("2H", Some(7_200_000)),
            ("3M", Some(180_000)),
            ("99999999S", Some(99_999_999_000)),
            ("250m", Some(250)),
            ("5000u", Some(5)),
            ("7000000n", Some(7)),
            ("", None),
            ("S", None),
            ("5", None),
            ("123456789m", None),
            ("-5S", None),
            ("5é", None),
        ] {
            assert_eq!(read_timeout(text), want.map(Duration::from_millis), "{text}");
        }
    }
}
