//! `AuthorizeStream`: many actions on one stream, each answered as soon as it is read.
//!
//! The stream is read by the answer's own body, and only when the transport asks it for more: nothing
//! is read while answers cannot be written, so what a stream holds is bounded by the windows of
//! HTTP/2 and one piece of answers. All that is there is answered in one piece, so that the wire
//! carries few large frames; then the other connections of the thread have their turn.

mod ids;
mod item;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as HttpBody, Frame};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tonic::Status;
use tonic::body::Body;

use super::answer::Call;
use super::convert::Limits;
use super::frames::{Found, Frames};
use super::intake::{Holding, Intake};
use super::line::{Flight, Line};
use super::outgoing::Outgoing;
use super::overload::{Gate, Patience, refuse};
use super::traced::Traces;
use super::unary::is_not_compressed;
use crate::data_plane::DataPlane;
use crate::telemetry::traces::Caller;
use ids::Ids;
use item::Items;

/// A piece of answers is sent when it has so many bytes.
const PIECE: usize = 32 << 10;
/// Or so many items were answered: then others have their turn.
const ITEMS: usize = 256;
/// Or so much was read.
const READS: usize = 64;
/// Or so much time was spent, which is looked at after every few items.
const TURN: u64 = 1_000_000;
const LOOK_EVERY: usize = 4;
/// When the connection drains: a stream on which nothing came for so long has been answered.
const QUIET: Duration = Duration::from_millis(200);
/// And one on which something always comes is ended after this.
const LEAVE: Duration = Duration::from_secs(1);

/// What all streams of one serving thread share.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub plane: Arc<DataPlane>,
    pub limits: Limits,
    pub gate: Arc<Gate>,
    /// One for each stream that may be open.
    pub room: Arc<Semaphore>,
    /// What traces the items.
    pub traces: Traces,
}

/// Begins to answer a stream.
pub(super) fn answer(streams: &Streams, intake: &Arc<Intake>, call: Call) -> Response<Body> {
    let Call { request, line, writing, .. } = call;
    if let Err(status) = is_not_compressed(request.headers()) {
        return status.into_http();
    }
    let (Ok(place), Some(out)) = (Arc::clone(&streams.room).try_acquire_owned(), writing) else {
        let why = "too many streams are open; use fewer, each takes thousands of requests at a time";
        return refuse("streams", why).into_http();
    };
    let opener = streams.traces.0.as_ref().and_then(|_| Caller::of(request.headers())).map(Caller::keep);
    let items = Items::new(streams, opener);
    let body = Decisions::new(streams, request.into_body(), items, (line, out), Arc::clone(intake), place);
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// The answers of one stream.
struct Decisions<B> {
    requests: B,
    frames: Frames,
    held: Holding,
    items: Items,
    ids: Ids,
    gate: Arc<Gate>,
    out: Arc<Outgoing>,
    piece: Vec<u8>,
    /// Set when it gave way to others: since when.
    gave_way: Option<u64>,
    /// How it ends, when all is answered.
    end: Option<Status>,
    is_over: bool,
    drained: Pin<Box<WaitForCancellationFutureOwned>>,
    leaving: Option<Leaving>,
    _flight: Flight,
    _place: OwnedSemaphorePermit,
}

/// How a turn went.
enum Turn {
    /// There may be more to read.
    More,
    /// All was read that is there.
    Waits,
    /// Nothing more will come, or be taken.
    Over(Status),
}

impl<B: HttpBody<Data = Bytes> + Unpin> Decisions<B> {
    fn new(
        streams: &Streams,
        requests: B,
        items: Items,
        (line, out): (Arc<Line>, Arc<Outgoing>),
        intake: Arc<Intake>,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let mut flight = line.start();
        flight.answered();
        Self {
            requests,
            frames: Frames::new(streams.limits.request_bytes),
            held: Holding::new(intake),
            items,
            ids: Ids::default(),
            gate: Arc::clone(&streams.gate),
            out,
            piece: Vec::new(),
            gave_way: None,
            end: None,
            is_over: false,
            drained: Box::pin(line.drain().clone().cancelled_owned()),
            leaving: None,
            _flight: flight,
            _place: place,
        }
    }

    /// Answers what is there, as far as a turn goes.
    fn turn(&mut self, cx: &mut Context<'_>, sheds: bool) -> Turn {
        let (began, mut items) = (self.gate.now(), 0);
        for _ in 0..READS {
            while let Some(found) = self.frames.next() {
                items += 1;
                match found {
                    Found::Item(bytes) if sheds => self.items.shed(&bytes, &mut self.piece),
                    Found::Item(bytes) => self.items.decide(&bytes, &mut self.ids, &mut self.piece),
                    Found::TooLong(bytes) => self.items.too_long(bytes, &mut self.piece),
                    Found::Compressed => self.items.compressed(&mut self.piece),
                    Found::NoItem => return Turn::Over(no_item()),
                }
                let look = items % LOOK_EVERY == 0;
                if self.piece.len() >= PIECE
                    || items >= ITEMS
                    || look && self.gate.now().saturating_sub(began) > TURN
                {
                    return Turn::More;
                }
            }
            if !self.held.is(self.frames.held()) && self.frames.drop_begun() {
                self.held.is(0);
                self.items.no_room(&mut self.piece);
            }
            match Pin::new(&mut self.requests).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(arrived) = frame.into_data() {
                        self.frames.push(arrived);
                    }
                }
                Poll::Ready(Some(Err(_))) => return Turn::Over(Status::cancelled("the stream was given up")),
                Poll::Ready(None) if self.frames.is_amid() => return Turn::Over(cut_off()),
                Poll::Ready(None) => return Turn::Over(Status::ok("")),
                Poll::Pending => return Turn::Waits,
            }
        }
        Turn::More
    }

    /// Whether the connection drains and everything that had come by then is answered.
    fn has_left(&mut self, cx: &mut Context<'_>, turn: &Turn) -> bool {
        if self.leaving.is_none() && self.drained.as_mut().poll(cx).is_ready() {
            self.leaving = Some(Leaving::begin());
        }
        match (&mut self.leaving, turn) {
            (Some(leaving), Turn::Waits) => leaving.is_quiet(cx, !self.piece.is_empty()),
            (Some(leaving), Turn::More) => leaving.is_late(),
            (None, _) | (_, Turn::Over(_)) => false,
        }
    }
}

impl<B: HttpBody<Data = Bytes> + Unpin> HttpBody for Decisions<B> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.is_over {
            return Poll::Ready(None);
        }
        if let Some(status) = this.end.take() {
            this.is_over = true;
            return Poll::Ready(Some(trailers(&status).map(Frame::trailers)));
        }
        if this.out.is_full(cx) {
            return Poll::Pending;
        }
        let sheds = match this.gave_way {
            Some(NOT_YET) => {
                this.gave_way = Some(this.gate.now());
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(since) => this.gate.sheds(since, Patience::Short),
            None => false,
        };
        let mut turn = this.turn(cx, sheds);
        if this.has_left(cx, &turn) {
            turn =
                Turn::Over(Status::unavailable("the connection ends; ask on another one what has no answer"));
        }
        this.gave_way = matches!(turn, Turn::More).then_some(NOT_YET);
        if let Turn::Over(status) = turn {
            this.end = Some(status);
        }
        if this.piece.is_empty() {
            // Only what is passed over; or the end.
            if this.end.is_some() || this.gave_way.is_some() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        this.ids.forget();
        let room = this.piece.len();
        let piece = std::mem::replace(&mut this.piece, Vec::with_capacity(room.max(1 << 10)));
        Poll::Ready(Some(Ok(Frame::data(this.out.send(piece)))))
    }
}

/// Stands for the time at which it gives way, until it does.
const NOT_YET: u64 = u64::MAX;

/// A stream of a connection that ends.
struct Leaving {
    quiet: Pin<Box<Sleep>>,
    latest: Instant,
}

impl Leaving {
    fn begin() -> Self {
        Self { quiet: Box::pin(sleep(QUIET)), latest: Instant::now() + LEAVE }
    }

    fn is_quiet(&mut self, cx: &mut Context<'_>, something_came: bool) -> bool {
        if something_came {
            self.quiet.as_mut().reset(Instant::now() + QUIET);
        }
        self.quiet.as_mut().poll(cx).is_ready() || self.is_late()
    }

    fn is_late(&self) -> bool {
        Instant::now() >= self.latest
    }
}

fn no_item() -> Status {
    Status::invalid_argument(
        "what came is no message of gRPC: its first byte is neither 0 nor 1; the stream ends",
    )
}

fn cut_off() -> Status {
    Status::invalid_argument("the stream ended within a message; those before it are answered")
}

fn trailers(status: &Status) -> Result<HeaderMap, Status> {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers)?;
    Ok(trailers)
}
