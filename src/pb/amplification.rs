//! Refuses messages that would take far more memory decoded than they have bytes.
//!
//! An empty element of a list is two bytes on the wire and up to several hundred in memory: 16 MiB
//! of them would take gigabytes before any bound could be checked. This walk counts them first. It
//! guards memory only; the bounds of design 1.8, which are much closer, are checked after.

/// What a message holds, as far as lists matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Field 1 is a request, perhaps many: `AuthorizeBatchRequest`, `ExplainRequest`.
    Requests,
    /// `AuthorizeRequest`.
    Request,
    /// A message with texts in lists: `Subject`, `Action`.
    Flat,
    /// `google.protobuf.Struct`.
    Struct,
    /// One of its entries.
    Entry,
    /// `google.protobuf.Value`.
    Value,
    /// `google.protobuf.ListValue`.
    List,
}

/// Messages up to this size cannot do harm.
const HARMLESS_BYTES: usize = 16 << 10;
/// Ten times the bound of design 1.8, as far as it may be configured.
const MAX_REQUESTS: usize = 10_000;
/// Values and texts: twice what a batch of the default bounds can hold.
const MAX_VALUES: usize = 512_000;
/// Prost's own limit, which this walk must not pass before it.
const MAX_DEPTH: usize = 100;

/// Checks a message before it is decoded.
///
/// # Errors
/// Says what it has too many of. A message that is no protobuf passes: decoding it says why.
pub fn check(bytes: &[u8], shape: Shape) -> Result<(), String> {
    if bytes.len() <= HARMLESS_BYTES {
        return Ok(());
    }
    let mut count = Count::default();
    // What is malformed is found again, and named, by the decoder.
    let _ = count.message(bytes, shape, 0);
    if count.requests > MAX_REQUESTS {
        return Err(format!("`requests` has more than {MAX_REQUESTS} elements; send fewer"));
    }
    if count.values > MAX_VALUES {
        return Err(format!("the message holds more than {MAX_VALUES} values; send fewer"));
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Count {
    requests: usize,
    values: usize,
}

impl Count {
    /// `None`: malformed, or past a limit.
    fn message(&mut self, mut bytes: &[u8], shape: Shape, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            match key & 7 {
                0 => drop(varint(&mut bytes)?),
                1 => bytes = bytes.get(8..)?,
                5 => bytes = bytes.get(4..)?,
                2 => {
                    let length = usize::try_from(varint(&mut bytes)?).ok()?;
                    let (inner, rest) = bytes.split_at_checked(length)?;
                    bytes = rest;
                    self.field(inner, shape, key >> 3, depth)?;
                }
                _ => return None,
            }
        }
        Some(())
    }

    fn field(&mut self, inner: &[u8], shape: Shape, number: u64, depth: usize) -> Option<()> {
        let inside = match (shape, number) {
            (Shape::Requests, 1) => Some(Shape::Request),
            (Shape::Request, 1 | 2) => Some(Shape::Flat),
            (Shape::Request, 3) | (Shape::Value, 5) => Some(Shape::Struct),
            (Shape::Struct, 1) => Some(Shape::Entry),
            (Shape::Entry, 2) | (Shape::List, 1) => Some(Shape::Value),
            (Shape::Value, 6) => Some(Shape::List),
            _ => None,
        };
        match inside {
            Some(Shape::Request) => self.requests += 1,
            Some(Shape::Entry | Shape::Value) | None => self.values += 1,
            Some(_) => {}
        }
        if self.requests > MAX_REQUESTS || self.values > MAX_VALUES {
            return None;
        }
        inside.map_or(Some(()), |inside| self.message(inner, inside, depth + 1))
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::{self, Entry, Kind, ListValue, Struct, Value};
    use prost::Message as _;

    fn empty(field: u8, times: usize) -> Vec<u8> {
        [field << 3 | 2, 0].repeat(times)
    }

    #[test]
    fn empty_elements_are_counted_before_they_are_decoded() {
        let list = |n| Value { kind: Some(Kind::List(ListValue { values: vec![Value::default(); n] })) };
        let request = |n| pb::AuthorizeRequest {
            context: Some(Struct { fields: vec![Entry { key: "a".into(), value: Some(list(n)) }] }),
            ..Default::default()
        };
        let batch = |n| pb::AuthorizeBatchRequest { requests: vec![request(n)], ..Default::default() };
        for (bytes, shape, fits) in [
            (empty(1, 10_000), Shape::Requests, true),
            (empty(1, 10_001), Shape::Requests, false),
            (empty(12, 512_000), Shape::Request, true),
            (empty(12, 512_001), Shape::Request, false),
            (request(500_000).encode_to_vec(), Shape::Request, true),
            (request(512_000).encode_to_vec(), Shape::Request, false),
            (batch(512_000).encode_to_vec(), Shape::Requests, false),
        ] {
            assert_eq!(check(&bytes, shape).is_ok(), fits, "{shape:?} {} bytes", bytes.len());
        }
    }

    #[test]
    fn what_is_no_protobuf_ends_the_walk() {
        for bytes in [vec![0xff; 20_000], vec![0x0a; 20_000], vec![0x0b; 20_000]] {
            assert!(check(&bytes, Shape::Requests).is_ok());
        }
    }
}
