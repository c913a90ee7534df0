//! Requests as they travel, encoded before the clock starts.

use prost::Message;

use super::hpack::Asking;
use crate::pb;

/// What is asked, and how its answers are read.
#[derive(Debug)]
pub struct Questions {
    /// The path of the method.
    path: String,
    /// Messages with gRPC's prefix, which take turns.
    messages: Vec<Box<[u8]>>,
    pub(super) kind: Kind,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One decision.
    Single,
    /// A list of decisions.
    Batch,
    /// Decisions on one stream, each with the name of its request.
    Stream,
    /// Something of which only the status is looked at.
    Opaque,
}

/// The name of a request: so many hexadecimal digits, which stand last in its message.
pub(super) const NAME: usize = 8;
/// Bytes before a message: whether it is compressed, and its length.
pub(super) const PREFIX: usize = 5;
const SERVICE: &str = "/tollgate.v1.PolicyDecisionService";
/// Field 10, a text.
const REQUEST_ID: u8 = 10 << 3 | 2;

impl Questions {
    /// To `Authorize`, one request a call.
    #[must_use]
    pub fn unary(requests: &[pb::AuthorizeRequest]) -> Self {
        let messages = requests.iter().map(|request| prefixed(&named(request))).collect();
        Self { path: format!("{SERVICE}/Authorize"), messages, kind: Kind::Single }
    }

    /// To `AuthorizeBatch`, so many requests a call. Each batch begins one request further, so that
    /// no two are alike while there are requests enough.
    #[must_use]
    pub fn batch(requests: &[pb::AuthorizeRequest], size: usize) -> Self {
        let batch = |first: usize| {
            let items = requests.iter().cycle().skip(first).take(size).zip(0_u32..);
            let named = |(request, at): (&pb::AuthorizeRequest, u32)| pb::AuthorizeRequest {
                request_id: format!("{at:08x}"),
                ..request.clone()
            };
            let requests = items.map(named).collect();
            prefixed(&pb::AuthorizeBatchRequest { requests, all_or_nothing: false }.encode_to_vec())
        };
        // What a batch repeats need not be kept twice.
        let batches =
            requests.len().min(MOST_BYTES / requests_bytes(requests).saturating_mul(size).max(1)).max(1);
        let step = requests.len() / batches;
        let messages = (0..batches).map(|number| batch(number * step)).collect();
        Self { path: format!("{SERVICE}/AuthorizeBatch"), messages, kind: Kind::Batch }
    }

    /// To `AuthorizeStream`, all requests of a connection on one stream.
    #[must_use]
    pub fn stream(requests: &[pb::AuthorizeRequest]) -> Self {
        let wrapped = |request| {
            let request = named(request);
            let mut message = vec![1 << 3 | 2];
            prost::encode_length_delimiter(request.len(), &mut message).unwrap_or_default();
            message.extend_from_slice(&request);
            prefixed(&message)
        };
        let messages = requests.iter().map(wrapped).collect();
        Self { path: format!("{SERVICE}/AuthorizeStream"), messages, kind: Kind::Stream }
    }

    /// To any method with one answer, of which only the status counts.
    #[must_use]
    pub fn opaque(path: &str, messages: impl Iterator<Item = Vec<u8>>) -> Self {
        Self {
            path: path.to_owned(),
            messages: messages.map(|one| prefixed(&one)).collect(),
            kind: Kind::Opaque,
        }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of a message, in the mean.
    #[must_use]
    pub fn mean_bytes(&self) -> usize {
        let all: usize = self.messages.iter().map(|message| message.len() - PREFIX).sum();
        all / self.messages.len().max(1)
    }

    /// The name of the method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn asking(&self, is_tls: bool) -> Asking {
        Asking::of(&self.path, is_tls)
    }

    pub(super) fn message(&self, turn: usize) -> &[u8] {
        self.messages.get(turn % self.messages.len().max(1)).map_or(&[], |message| message)
    }

    /// Writes a message, with its own name where it has one.
    pub(super) fn write(&self, out: &mut Vec<u8>, turn: usize, name: u32) {
        out.extend_from_slice(self.message(turn));
        if !matches!(self.kind, Kind::Single | Kind::Stream) {
            return;
        }
        let from = out.len() - NAME;
        for (digit, shift) in out[from..].iter_mut().zip((0..8).rev()) {
            let value = (name >> (4 * shift) & 15) as u8;
            *digit = if value < 10 { b'0' + value } else { b'a' + value - 10 };
        }
    }
}

/// All batches together hold about so much.
const MOST_BYTES: usize = 64 << 20;

fn requests_bytes(requests: &[pb::AuthorizeRequest]) -> usize {
    let all: usize = requests.iter().map(Message::encoded_len).sum();
    all / requests.len().max(1)
}

/// A request whose name stands last, to be written over.
fn named(request: &pb::AuthorizeRequest) -> Vec<u8> {
    let mut bytes = pb::AuthorizeRequest { request_id: String::new(), ..request.clone() }.encode_to_vec();
    bytes.extend([REQUEST_ID, NAME as u8]);
    bytes.extend([b'0'; NAME]);
    bytes
}

fn prefixed(message: &[u8]) -> Box<[u8]> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0], &length.to_be_bytes()[..], message].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(action: &str) -> pb::AuthorizeRequest {
        let action = Some(pb::Action { name: action.into(), ..Default::default() });
        pb::AuthorizeRequest { action, request_id: "mine".into(), attempt: 3, ..Default::default() }
    }

    fn written(questions: &Questions, turn: usize, name: u32) -> Vec<u8> {
        let mut out = b"before".to_vec();
        questions.write(&mut out, turn, name);
        out.split_off("before".len() + PREFIX)
    }

    #[test]
    fn each_request_gets_a_name_of_its_own() {
        let questions = Questions::unary(&[request("a"), request("b")]);
        let message = written(&questions, 3, 0x00c0_ffee);
        let read = pb::AuthorizeRequest::decode(&message[..]).unwrap();
        assert_eq!(read, pb::AuthorizeRequest { request_id: "00c0ffee".into(), ..request("b") });
        let message = written(&Questions::stream(&[request("a")]), 0, 1);
        let read = pb::AuthorizeStreamRequest::decode(&message[..]).unwrap().request.unwrap();
        assert_eq!(read, pb::AuthorizeRequest { request_id: "00000001".into(), ..request("a") });
    }

    #[test]
    fn batches_have_the_size_that_is_asked_for_and_differ() {
        let questions = Questions::batch(&[request("a"), request("b")], 3);
        let names = |turn| {
            let read = pb::AuthorizeBatchRequest::decode(&written(&questions, turn, 9)[..]).unwrap();
            let name = |one: pb::AuthorizeRequest| one.action.unwrap().name + &one.request_id;
            read.requests.into_iter().map(name).collect::<Vec<String>>()
        };
        assert_eq!(questions.len(), 2);
        assert_eq!(names(0), ["a00000000", "b00000001", "a00000002"]);
        assert_eq!(names(1), ["b00000000", "a00000001", "b00000002"]);
    }
}
