//! What an answer says, read where it lies: a generator that decoded all of it would measure itself.

use super::question::{Kind, PREFIX};

/// The parts of a decision that are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision<'a> {
    pub request_id: &'a [u8],
    pub effect: u64,
    pub reason: u64,
}

/// The value of a field.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Decision<'a> {
    /// The decision of an `AuthorizeResponse`; `None` where it is malformed.
    pub fn of(mut message: &'a [u8]) -> Option<Self> {
        let mut decision = Self::default();
        while !message.is_empty() {
            match field(&mut message)? {
                (2, Value::Bytes(id)) => decision.request_id = id,
                (3, Value::Number(effect)) => decision.effect = effect,
                (5, Value::Number(reason)) => decision.reason = reason,
                _ => {}
            }
        }
        Some(decision)
    }
}

/// Shows each decision of a message; `None` where it is malformed.
pub fn decisions<'a>(kind: Kind, mut message: &'a [u8], mut see: impl FnMut(Decision<'a>)) -> Option<()> {
    match kind {
        Kind::Opaque => {}
        Kind::Single => see(Decision::of(message)?),
        // Both wrap decisions into their field 1.
        Kind::Batch | Kind::Stream => {
            while !message.is_empty() {
                if let (1, Value::Bytes(inner)) = field(&mut message)? {
                    see(Decision::of(inner)?);
                }
            }
        }
    }
    Some(())
}

/// Takes the first message with gRPC's prefix; `None` while it is not all here.
pub fn message<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let prefix: &[u8; PREFIX] = bytes.first_chunk()?;
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    let message = bytes.get(PREFIX..PREFIX + length)?;
    *bytes = bytes.get(PREFIX + length..)?;
    Some(message)
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<(u64, Value<'a>)> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(rest)?),
        1 => Value::Bytes(take(rest, 8)?),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Value::Bytes(take(rest, length)?)
        }
        5 => Value::Bytes(take(rest, 4)?),
        _ => return None,
    };
    Some((tag >> 3, value))
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb;
    use prost::Message as _;

    fn response(id: &str) -> pb::AuthorizeResponse {
        pb::AuthorizeResponse {
            decision_id: "d".into(),
            request_id: id.into(),
            effect: pb::Effect::Deny.into(),
            reason_code: pb::ReasonCode::ConditionError.into(),
            limits: vec![pb::Limit { limit: 5.0, ..Default::default() }],
            decided_at: Some(prost_types::Timestamp::default()),
            ..Default::default()
        }
    }

    fn read(kind: Kind, message: &[u8]) -> Option<Vec<(String, u64, u64)>> {
        let mut seen = Vec::new();
        decisions(kind, message, |one| {
            seen.push((String::from_utf8_lossy(one.request_id).into_owned(), one.effect, one.reason));
        })?;
        Some(seen)
    }

    #[test]
    fn it_reads_what_the_generated_types_write() {
        let want = |id: &str| (id.to_owned(), 2, 5);
        assert_eq!(read(Kind::Single, &response("a").encode_to_vec()).unwrap(), [want("a")]);
        let batch = pb::AuthorizeBatchResponse { responses: vec![response("a"), response("b")] };
        assert_eq!(read(Kind::Batch, &batch.encode_to_vec()).unwrap(), [want("a"), want("b")]);
        let item = pb::AuthorizeStreamResponse { response: Some(response("c")) };
        assert_eq!(read(Kind::Stream, &item.encode_to_vec()).unwrap(), [want("c")]);
        assert_eq!(read(Kind::Opaque, b"\xff\xff").unwrap(), []);
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let whole = response("a").encode_to_vec();
        let short = (1..whole.len()).filter(|end| read(Kind::Single, &whole[..*end]).is_none()).count();
        assert!(short > 5, "{short}");
        assert_eq!(read(Kind::Single, &[0xff; 12]), None);
        assert_eq!(read(Kind::Single, &[0x1c]), None, "a group");
    }

    #[test]
    fn messages_are_taken_when_they_are_whole() {
        let mut bytes = &[0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 3, 9][..];
        assert_eq!(message(&mut bytes), Some(&[7, 8][..]));
        assert_eq!((message(&mut bytes), bytes.len()), (None, 6));
    }
}
