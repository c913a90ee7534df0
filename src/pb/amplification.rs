//! Refuses messages that would take far more memory decoded than they have bytes.
//!
//! An empty element of a list is two bytes on the wire and up to several hundred in memory: 16 MiB
//! of them would take gigabytes before any bound could be checked. This walk counts them first. It
//! guards memory only; the bounds of design 1.8, which are much closer, are checked after.

use std::cell::Cell;

use crate::pb;
use crate::pb::envoy::config::core::v3::HeaderValue;
use crate::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;

/// What a message holds, as far as lists matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Field 1 is a request, perhaps many: `AuthorizeBatchRequest`, `ExplainRequest`,
    /// `AuthorizeStreamRequest`.
    Requests,
    /// Field 1 is a report, perhaps many: `ReportBatchRequest`.
    Reports,
    /// `AuthorizeRequest`, and those that ask with the same facts under the same numbers.
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
    /// What Envoy asks: `CheckRequest`, and what lies in it.
    Check,
    /// `AttributeContext`.
    Attributes,
    /// `AttributeContext.Peer`.
    Peer,
    /// `AttributeContext.Request`.
    Asked,
    /// `AttributeContext.HttpRequest`.
    Http,
    /// `HeaderMap`.
    Headers,
    /// `Metadata`.
    Metadata,
    /// One of its entries.
    Space,
    /// `RateLimitRequest`.
    RateLimit,
    /// `RateLimitDescriptor`.
    Descriptor,
}

/// Messages up to this size cannot do harm.
const HARMLESS_BYTES: usize = 16 << 10;
/// Nor can so much memory.
const HARMLESS_MEMORY: usize = 16 << 20;
/// Prost's own limit, which this walk must not pass before it.
const MAX_DEPTH: usize = 100;
/// Texts of a request that stand in no list, with room for the fields of later versions.
const NAMES: usize = 64;

/// What one element takes in memory, apart from its bytes on the wire.
const REQUEST: usize = size_of::<pb::AuthorizeRequest>();
const REPORT: usize = size_of::<pb::ReportRequest>();
const ENTRY: usize = size_of::<pb::Entry>();
const VALUE: usize = size_of::<pb::Value>();
const TEXT: usize = size_of::<String>();
const PAIR: usize = 2 * TEXT;
const HEADER: usize = size_of::<HeaderValue>();
const DESCRIPTOR: usize = size_of::<RateLimitDescriptor>();

/// How much memory the lists of a message may take: what the bounds on requests let them have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    request: usize,
    batch: usize,
}

impl Allowance {
    /// What the largest batch takes that is within these bounds: `texts` are the elements of all
    /// lists of texts of one request, `values` those of its context.
    #[must_use]
    pub const fn new(items: usize, values: usize, texts: usize) -> Self {
        let one = REQUEST + values * ENTRY + (texts + NAMES) * TEXT;
        Self { request: at_least(one), batch: at_least(items.saturating_mul(one)) }
    }

    const fn of(self, shape: Shape) -> usize {
        if matches!(shape, Shape::Requests | Shape::Reports) { self.batch } else { self.request }
    }
}

const fn at_least(memory: usize) -> usize {
    if memory < HARMLESS_MEMORY { HARMLESS_MEMORY } else { memory }
}

thread_local! {
    /// A decoder is made without arguments, so it finds its bounds with the thread that serves.
    static ALLOWED: Cell<Allowance> = const { Cell::new(Allowance::new(1_000, 256, 520)) };
}

/// From here on messages on this thread are held to this allowance instead of the default one.
pub fn allow(allowance: Allowance) {
    ALLOWED.set(allowance);
}

/// Checks a message before it is decoded.
///
/// # Errors
/// Says that it holds too much, or that it is no message of protobuf 3.
pub fn check(bytes: &[u8], shape: Shape) -> Result<(), String> {
    if bytes.len() <= HARMLESS_BYTES {
        return Ok(());
    }
    let most = ALLOWED.get().of(shape);
    Count { left: most }.message(bytes, shape, 0).map_err(|stop| match stop {
        Stop::Full => {
            format!("the message would take more than {most} bytes of memory; send fewer elements and values")
        }
        Stop::Malformed => MALFORMED.into(),
    })
}

const MALFORMED: &str =
    "the message cannot be decoded: it is no message of protobuf 3; is it of another version, or cut off?";

/// Why a walk ended early. What it has not seen is never decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Full,
    Malformed,
}

#[derive(Debug)]
struct Count {
    left: usize,
}

impl Count {
    fn message(&mut self, mut bytes: &[u8], shape: Shape, depth: usize) -> Result<(), Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Malformed);
        }
        while !bytes.is_empty() {
            let (number, inner) = field(&mut bytes).ok_or(Stop::Malformed)?;
            if let Some(inner) = inner {
                self.field(inner, shape, number, depth)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, inner: &[u8], shape: Shape, number: u64, depth: usize) -> Result<(), Stop> {
        let (inside, memory) = match (shape, number) {
            (Shape::Requests, 1) => (Some(Shape::Request), REQUEST),
            (Shape::Reports, 1) => (None, REPORT),
            (Shape::Request, 1 | 2) => (Some(Shape::Flat), 0),
            (Shape::Request, 3) | (Shape::Value, 5) => (Some(Shape::Struct), 0),
            (Shape::Struct, 1) => (Some(Shape::Entry), ENTRY),
            (Shape::Entry, 2) => (Some(Shape::Value), 0),
            (Shape::List, 1) => (Some(Shape::Value), VALUE),
            (Shape::Value, 6) => (Some(Shape::List), 0),
            (Shape::Request | Shape::Flat, _) => (None, TEXT),
            (Shape::Check, 1) => (Some(Shape::Attributes), 0),
            (Shape::Attributes, 1 | 2) => (Some(Shape::Peer), 0),
            (Shape::Attributes, 4) => (Some(Shape::Asked), 0),
            (Shape::Attributes, 11 | 13) => (Some(Shape::Metadata), 0),
            (Shape::Asked, 2) => (Some(Shape::Http), 0),
            (Shape::Http, 13) => (Some(Shape::Headers), 0),
            (Shape::Headers, 1) => (None, HEADER),
            (Shape::Metadata, 1) => (Some(Shape::Space), ENTRY),
            (Shape::Space, 2) => (Some(Shape::Struct), 0),
            (Shape::RateLimit, 2) => (Some(Shape::Descriptor), DESCRIPTOR),
            (Shape::Attributes, 10) | (Shape::Peer | Shape::Http, 3) | (Shape::Descriptor, 1) => (None, PAIR),
            _ => (None, 0),
        };
        self.left = self.left.checked_sub(memory).ok_or(Stop::Full)?;
        inside.map_or(Ok(()), |inside| self.message(inner, inside, depth + 1))
    }
}

/// The next field: its number, and what it holds if that has a length. Groups (3 and 4) are
/// refused: protobuf 3 has none, and what follows one would not be seen.
pub fn field<'b>(bytes: &mut &'b [u8]) -> Option<(u64, Option<&'b [u8]>)> {
    let key = varint(bytes)?;
    let inner = match key & 7 {
        0 => {
            varint(bytes)?;
            None
        }
        1 => skip(bytes, 8)?,
        5 => skip(bytes, 4)?,
        2 => {
            let length = usize::try_from(varint(bytes)?).ok()?;
            let (inner, rest) = bytes.split_at_checked(length)?;
            *bytes = rest;
            Some(inner)
        }
        _ => return None,
    };
    Some((key >> 3, inner))
}

fn skip<'b>(bytes: &mut &'b [u8], count: usize) -> Option<Option<&'b [u8]>> {
    *bytes = bytes.get(count..)?;
    Some(None)
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
    use crate::pb::{Entry, Kind, ListValue, Struct, Value};
    use prost::Message as _;

    fn empty(field: u8, times: usize) -> Vec<u8> {
        [field << 3 | 2, 0].repeat(times)
    }

    fn context(fields: Vec<Entry>) -> pb::AuthorizeRequest {
        pb::AuthorizeRequest { context: Some(Struct { fields }), ..Default::default() }
    }

    #[test]
    fn empty_elements_are_counted_before_they_are_decoded() {
        let list = |n| Value { kind: Some(Kind::List(ListValue { values: vec![Value::default(); n] })) };
        let request = |n| context(vec![Entry { key: "a".into(), value: Some(list(n)) }]);
        let batch = |n| pb::AuthorizeBatchRequest { requests: vec![request(n)], ..Default::default() };
        for (bytes, shape, fits) in [
            (empty(1, 10_000), Shape::Requests, true),
            (empty(1, 8_000_000), Shape::Requests, false),
            (empty(1, 10_000), Shape::Reports, true),
            (empty(1, 8_000_000), Shape::Reports, false),
            (empty(12, 512_000), Shape::Request, true),
            (empty(12, 8_000_000), Shape::Request, false),
            (request(400_000).encode_to_vec(), Shape::Request, true),
            (request(8_000_000).encode_to_vec(), Shape::Request, false),
            (batch(8_000_000).encode_to_vec(), Shape::Requests, false),
        ] {
            assert_eq!(check(&bytes, shape).is_ok(), fits, "{shape:?} {} bytes", bytes.len());
        }
    }

    #[test]
    fn whatever_the_bounds_allow_passes() {
        let entry =
            |n: usize| Entry { key: format!("key{n}"), value: Some(serde_json::json!("text").into()) };
        let mut one = context((0..256).map(entry).collect());
        let many = vec!["r".to_owned(); 256];
        one.subject = Some(pb::Subject { roles: many.clone(), ..Default::default() });
        one.action = Some(pb::Action { tags: many, ..Default::default() });
        one.grants = vec!["g".into(); 8];
        let batch = pb::AuthorizeBatchRequest { requests: vec![one; 1_000], ..Default::default() };
        assert_eq!(check(&batch.encode_to_vec(), Shape::Requests), Ok(()));
    }

    #[test]
    fn a_raised_bound_raises_the_allowance() {
        let bytes = empty(1, 100_000);
        assert!(check(&bytes, Shape::Requests).is_err());
        allow(Allowance::new(10_000, 256, 520));
        assert_eq!(check(&bytes, Shape::Requests), Ok(()));
    }

    #[test]
    fn a_walk_that_ends_early_refuses() {
        let group = |inner: &[u8]| [&[0x7b, 0x7c], inner].concat();
        let behind = group(&empty(1, 10_000));
        let nested = |inner: &[u8]| {
            let mut all = vec![0x0a];
            prost::encoding::encode_varint(inner.len() as u64, &mut all);
            [&all, inner].concat()
        };
        for bytes in [
            vec![0xff; 20_000],
            vec![0x0a; 20_000],
            vec![0x0b; 20_000],
            behind.clone(),
            nested(&behind),
            nested(&nested(&behind)),
        ] {
            let refused = check(&bytes, Shape::Requests);
            assert!(refused.is_err_and(|why| why.contains("protobuf 3")), "{:x?}", &bytes[..8]);
        }
    }
}
