//! One item of a stream: decided, or refused without a decision, and written behind those before it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use metrics::counter;
use prost::Message as _;
use tollgate_engine::unit::Span;

use super::Streams;
use super::ids::Ids;
use crate::data_plane::{Answer, DataPlane, Item};
use crate::grpc::convert::{self, Checked, Limits};
use crate::grpc::guard::caught;
use crate::grpc::overload::{COME_BACK, Gate};
use crate::grpc::traced::{Told as _, Traces, under};
use crate::pb::{self, amplification, amplification::Shape};
use crate::telemetry::metrics::REQUESTS_SHED;
use crate::telemetry::traces::{self, Caller, Kept};

/// How an item is called in traces, and in the log when it panics.
const NAME: &str = "AuthorizeStream";

/// Answers items.
pub(super) struct Items {
    plane: Arc<DataPlane>,
    limits: Limits,
    gate: Arc<Gate>,
    traces: Traces,
    /// The context of who opened the stream.
    opener: Option<Kept>,
}

impl Items {
    pub(super) fn new(streams: &Streams, opener: Option<Kept>) -> Self {
        let Streams { plane, limits, gate, traces, .. } = streams;
        let (plane, gate, traces) = (Arc::clone(plane), Arc::clone(gate), traces.clone());
        Self { plane, limits: *limits, gate, traces, opener }
    }

    /// Decides on an item; a panic costs only this one.
    pub(super) fn decide(&self, bytes: &Bytes, ids: &mut Ids, piece: &mut Vec<u8>) {
        let (before, mut span) = (piece.len(), None);
        let decided = caught(NAME, || {
            let sent = decode(bytes)?;
            span = self.begin(&sent);
            let checked = self.check(sent, ids)?;
            under(span.as_ref().map(traces::Span::trace), || {
                self.plane.authorize(&checked.request(), |answer| {
                    span.iter_mut().for_each(|span| answer.tell(span));
                    write(&answer, piece);
                });
            });
            Ok::<_, String>(())
        });
        let refused = match decided {
            Ok(decided) => decided,
            Err(panicked) => {
                span.iter_mut().for_each(|span| span.fail(panicked.message()));
                Err(panicked.message().to_owned())
            }
        };
        if let Err(reason) = refused {
            piece.truncate(before);
            let item = Item::Malformed { request_id: self.id_of(bytes), reason: &reason };
            self.answer(item, piece, span.as_mut());
        }
        self.traces.end(self.plane.clock(), span);
    }

    /// The span of an item: in the trace that it names itself, else in that of who opened the stream.
    fn begin(&self, sent: &pb::AuthorizeStreamRequest) -> Option<traces::Span> {
        let own = || Caller::read(&sent.traceparent, &sent.tracestate);
        let caller = || own().or_else(|| self.opener.as_ref().map(Kept::caller));
        let mut span = self.traces.begin(NAME, self.plane.clock(), caller)?;
        if let Some(request) = &sent.request {
            request.tell(&mut span);
        }
        Some(span)
    }

    /// Sheds an item: as little is done for it as can be.
    pub(super) fn shed(&self, bytes: &Bytes, piece: &mut Vec<u8>) {
        self.throttle(self.id_of(bytes), self.gate.come_back(), piece);
    }

    /// The rest of an item is not kept, since requests that are not complete hold too much.
    pub(super) fn no_room(&self, piece: &mut Vec<u8>) {
        counter!(REQUESTS_SHED, "reason" => "memory").increment(1);
        self.throttle("", COME_BACK, piece);
    }

    pub(super) fn too_long(&self, bytes: usize, piece: &mut Vec<u8>) {
        let most = self.limits.request_bytes;
        self.refuse("", &format!("the message has {bytes} bytes; at most {most} are taken"), piece);
    }

    pub(super) fn compressed(&self, piece: &mut Vec<u8>) {
        self.refuse("", "the message is compressed, and the call names no encoding; send it as it is", piece);
    }

    fn check(&self, sent: pb::AuthorizeStreamRequest, ids: &mut Ids) -> Result<Checked, String> {
        let request = sent.request.ok_or("`request` is required; send what is to be decided")?;
        let checked = Checked::new(request, &self.limits).map_err(|wrong| wrong.to_string())?;
        let request_id = checked.request().request_id;
        if request_id.is_empty() {
            return Err(
                "`request_id` is required on a stream; name each request, so that its answer can be told"
                    .into(),
            );
        }
        if !ids.add(request_id) {
            return Err(
                "`request_id` is that of another request in flight on this stream; give each its own".into(),
            );
        }
        Ok(checked)
    }

    /// The id that an item is answered with that is not decided.
    fn id_of<'b>(&self, bytes: &'b [u8]) -> &'b str {
        request_id_of(bytes).filter(|id| id.len() <= self.limits.name_bytes).unwrap_or_default()
    }

    fn refuse(&self, request_id: &str, reason: &str, piece: &mut Vec<u8>) {
        self.answer(Item::Malformed { request_id, reason }, piece, None);
    }

    fn throttle(&self, request_id: &str, come_back: Duration, piece: &mut Vec<u8>) {
        let wait = u64::try_from(come_back.as_nanos()).unwrap_or(u64::MAX);
        self.answer(Item::Shed { request_id, retry_after: Span::from_nanos(wait) }, piece, None);
    }

    fn answer(&self, item: Item<'_>, piece: &mut Vec<u8>, span: Option<&mut traces::Span>) {
        self.plane.authorize_batch(&[item], false, |answers| {
            answers.iter().for_each(|answer| write(answer, piece));
            if let (Some(span), Some(answer)) = (span, answers.first()) {
                answer.tell(span);
            }
        });
    }
}

fn decode(bytes: &Bytes) -> Result<pb::AuthorizeStreamRequest, String> {
    amplification::check(bytes, Shape::Requests)?;
    pb::AuthorizeStreamRequest::decode(bytes.clone()).map_err(|error| {
        format!("the message cannot be decoded: {error}; is it of another version, or cut off?")
    })
}

/// Writes an answer as an item of the stream: the prefix of gRPC, then field 1, which is the answer.
fn write(answer: &Answer<'_>, piece: &mut Vec<u8>) {
    let start = piece.len();
    piece.extend_from_slice(&HEAD);
    convert::append(answer, piece);
    let length = piece.len() - start - HEAD.len();
    let message = length + HEAD.len() - PREFIX;
    let head = &mut piece[start..start + HEAD.len()];
    head[1..PREFIX].copy_from_slice(&u32::try_from(message).unwrap_or(u32::MAX).to_be_bytes());
    // It is known last, so it always has four bytes: of seven bits each, the lowest first.
    for (byte, bits) in head[PREFIX + 1..].iter_mut().zip(0..) {
        *byte |= (length >> (7 * bits)) as u8 & 0x7f;
    }
}

/// The flag and the length of a message, the key of field 1, its length (up to 256 MiB).
const HEAD: [u8; 10] = [0, 0, 0, 0, 0, 0x0a, 0x80, 0x80, 0x80, 0];
const PREFIX: usize = 5;

/// Finds the id of a request without decoding anything else of it.
fn request_id_of(item: &[u8]) -> Option<&str> {
    let request = last_field(item, 1)?;
    std::str::from_utf8(last_field(request, 10)?).ok()
}

/// The bytes of a field with a length; the last one counts, as for every decoder.
fn last_field(mut bytes: &[u8], wanted: u64) -> Option<&[u8]> {
    let mut found = None;
    while !bytes.is_empty() {
        let (number, inner) = amplification::field(&mut bytes)?;
        if number == wanted && inner.is_some() {
            found = inner;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_without_decoding() {
        let request = pb::AuthorizeRequest {
            subject: Some(pb::Subject { agent: "a".into(), ..Default::default() }),
            request_id: "wanted".into(),
            attempt: 7,
            grants: vec!["b".into()],
            ..Default::default()
        };
        let item =
            pb::AuthorizeStreamRequest { request: Some(request), ..Default::default() }.encode_to_vec();
        assert_eq!(request_id_of(&item), Some("wanted"));
        for cut in 0..item.len() {
            request_id_of(&item[..cut]);
        }
        assert_eq!(request_id_of(&[0x0b, 0xff]), None);
    }
}
