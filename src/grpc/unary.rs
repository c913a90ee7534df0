//! The RPCs that are asked for each action: a message comes, an answer goes, and nothing is done
//! besides. Tonic's generated code would copy the message once more, build an answer to encode it
//! afterwards, and keep the state of a stream for each side; that is a third of what a call costs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body::{Body as HttpBody, Frame};
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Extensions, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::frames::{Found, Frames};
use super::service::Service;
use crate::pb::codec;

/// The flag and the length in front of a message.
const HEAD: usize = 5;
/// Room for an answer; few are longer.
const ROOM: usize = 512;

/// Which RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rpc {
    Authorize,
    Report,
    RetryDecision,
    Budget,
}

/// A call whose message is still coming.
pub(super) struct Unary<B> {
    service: Arc<Service>,
    rpc: Rpc,
    headers: HeaderMap,
    body: B,
    message: Incoming,
}

/// The one message of a call, as it comes.
struct Incoming {
    frames: Frames,
    most: usize,
    whole: Option<Bytes>,
}

impl Incoming {
    fn new(most: usize) -> Self {
        Self { frames: Frames::new(most), most, whole: None }
    }

    fn push(&mut self, arrived: Bytes) -> Result<(), Status> {
        self.frames.push(arrived);
        while let Some(found) = self.frames.next() {
            self.take(found)?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<Bytes, Status> {
        match self.whole.take() {
            _ if self.frames.is_amid() => {
                Err(Status::invalid_argument("the message is cut off; send all of it"))
            }
            Some(message) => Ok(message),
            None => Err(no_message()),
        }
    }

    fn take(&mut self, found: Found) -> Result<(), Status> {
        match found {
            Found::Item(message) if self.whole.is_none() => {
                self.whole = Some(message);
                Ok(())
            }
            Found::Item(_) => Err(Status::invalid_argument("the call has several messages; send one a call")),
            Found::TooLong(_) => Err(too_long(self.most, "request")),
            // As gRPC has it for a message that says so while its call does not.
            Found::Compressed => Err(Status::internal(
                "the message is compressed, and the call names no encoding; send it as it is",
            )),
            Found::NoItem => Err(Status::invalid_argument(
                "what came is no message of gRPC: its first byte is neither 0 nor 1",
            )),
        }
    }
}

impl<B: HttpBody<Data = Bytes, Error = Status> + Unpin> Unary<B> {
    /// A call with a message of at most so many bytes.
    pub(super) fn new(service: Arc<Service>, rpc: Rpc, request: Request<B>, most: usize) -> Self {
        let (head, body) = request.into_parts();
        Self { service, rpc, headers: head.headers, body, message: Incoming::new(most) }
    }

    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Result<Bytes, Status>> {
        is_not_compressed(&self.headers)?;
        while let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)?) {
            if let Ok(arrived) = frame.into_data() {
                self.message.push(arrived)?;
            }
        }
        Poll::Ready(self.message.end())
    }

    fn answer(&mut self, message: Bytes) -> Result<Vec<u8>, Status> {
        let metadata = MetadataMap::from_headers(std::mem::take(&mut self.headers));
        let service = &self.service;
        let mut answer = Vec::with_capacity(ROOM);
        answer.resize(HEAD, 0);
        match self.rpc {
            Rpc::Authorize => service.authorize_into(asked(metadata, message)?, &mut answer)?,
            Rpc::Report => write(&service.take_report(asked(metadata, message)?)?, &mut answer)?,
            Rpc::RetryDecision => write(&service.decide_retry(asked(metadata, message)?)?, &mut answer)?,
            Rpc::Budget => write(&service.tell_budget(asked(metadata, message)?)?, &mut answer)?,
        }
        let length = u32::try_from(answer.len() - HEAD).unwrap_or(u32::MAX);
        if let Some(head) = answer.get_mut(1..HEAD) {
            head.copy_from_slice(&length.to_be_bytes());
        }
        Ok(answer)
    }
}

impl<B: HttpBody<Data = Bytes, Error = Status> + Unpin> Future for Unary<B> {
    type Output = Response<tonic::body::Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let message = ready!(self.poll_message(cx));
        let answer = message.and_then(|message| self.answer(message));
        Poll::Ready(match answer {
            Ok(answer) => {
                let mut response = Response::new(tonic::body::Body::new(Whole::of(answer)));
                response.headers_mut().insert(CONTENT_TYPE, GRPC);
                response
            }
            Err(status) => status.into_http(),
        })
    }
}

const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Refuses a call whose messages are compressed.
pub(super) fn is_not_compressed(headers: &HeaderMap) -> Result<(), Status> {
    let encoding = headers.get("grpc-encoding");
    if encoding.is_none_or(|encoding| encoding == "identity") {
        return Ok(());
    }
    let mut status = Status::unimplemented("compressed messages are not taken; send them as they are");
    let identity = MetadataValue::from_static("identity");
    status.metadata_mut().insert("grpc-accept-encoding", identity);
    Err(status)
}

/// The refusal of a message with more bytes than this.
pub(super) fn too_long(most: usize, field: &str) -> Status {
    let what = format!("the message has more than {most} bytes; send less, or several messages");
    let details = ErrorDetails::with_bad_request_violation(field, &what);
    Status::with_error_details(tonic::Code::InvalidArgument, what, details)
}

/// The refusal of a call without a message.
pub(super) fn no_message() -> Status {
    Status::invalid_argument("the call has no message; send one")
}

fn asked<Q: Message + Default + 'static>(
    metadata: MetadataMap,
    message: Bytes,
) -> Result<tonic::Request<Q>, Status> {
    Ok(tonic::Request::from_parts(metadata, Extensions::new(), codec::decode(message)?))
}

fn write<A: Message>(answer: &tonic::Response<A>, out: &mut Vec<u8>) -> Result<(), Status> {
    let encoded = answer.get_ref().encode(out);
    encoded.map_err(|error| Status::internal(format!("the answer does not fit: {error}")))
}

/// An answer, and that all went well.
struct Whole {
    message: Option<Bytes>,
    is_over: bool,
}

impl Whole {
    fn of(message: Vec<u8>) -> Self {
        Self { message: Some(message.into()), is_over: false }
    }
}

impl HttpBody for Whole {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        if std::mem::replace(&mut self.is_over, true) {
            return Poll::Ready(None);
        }
        let mut trailers = HeaderMap::with_capacity(1);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("0"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic::Code;

    const MOST: usize = 8;

    /// What becomes of a call whose body comes in these pieces.
    fn sent(pieces: &[&'static [u8]]) -> Result<Bytes, Code> {
        let mut incoming = Incoming::new(MOST);
        let pushed = pieces.iter().try_for_each(|piece| incoming.push(Bytes::from_static(piece)));
        pushed.and_then(|()| incoming.end()).map_err(|status| status.code())
    }

    #[test]
    fn a_message_is_taken_however_it_is_cut() {
        let message = b"\0\0\0\0\x03abc";
        assert_eq!(sent(&[message]), Ok(Bytes::from_static(b"abc")));
        for cut in 0..message.len() {
            let (head, tail) = message.split_at(cut);
            assert_eq!(sent(&[head, b"", tail]), Ok(Bytes::from_static(b"abc")), "{cut}");
        }
        assert_eq!(sent(&[b"\0\0\0\0\0"]), Ok(Bytes::new()));
    }

    #[test]
    fn what_is_not_one_message_is_refused() {
        for (pieces, want) in [
            (&[][..], Code::InvalidArgument),
            (&[&b""[..]], Code::InvalidArgument),
            (&[&b"\0\0\0"[..]], Code::InvalidArgument),
            (&[&b"\0\0\0\0\x03ab"[..]], Code::InvalidArgument),
            (&[&b"\0\0\0\0\x01a"[..], b"\0\0\0\0\x01b"], Code::InvalidArgument),
            (&[&b"\0\0\0\0\x01a\0"[..]], Code::InvalidArgument),
            (&[&b"\0\0\0\0\x09"[..]], Code::InvalidArgument),
            (&[&b"\x01\0\0\0\x01a"[..]], Code::Internal),
            (&[&b"GET / HTTP/1.1"[..]], Code::InvalidArgument),
        ] {
            assert_eq!(sent(pieces), Err(want), "{pieces:?}");
        }
    }
}
