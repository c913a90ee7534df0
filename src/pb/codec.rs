//! Prost's codec, with two differences: what cannot be decoded is the caller's mistake
//! (INVALID_ARGUMENT, not INTERNAL), and what would take far more memory decoded than it has
//! bytes is refused before.

use std::any::TypeId;
use std::marker::PhantomData;

use bytes::{Buf as _, Bytes};
use prost::Message;
use tonic::codec::{BufferSettings, Codec as TonicCodec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::amplification::{self, Shape};
use crate::pb;
use crate::pb::envoy::service::auth::v3::CheckRequest;
use crate::pb::envoy::service::ratelimit::v3::RateLimitRequest;

/// A buffer that most answers fit in; tonic's own 8 KiB would be allocated for every call.
fn buffer() -> BufferSettings {
    BufferSettings::new(1024, 32 * 1024)
}

/// Encodes `T`, decodes `U`.
#[derive(Debug)]
pub struct Codec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for Codec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// The encoding half of a [`Codec`].
#[derive(Debug)]
pub struct Encode<T>(PhantomData<T>);

/// The decoding half of a [`Codec`].
#[derive(Debug)]
pub struct Decode<U>(PhantomData<U>);

impl<T, U> TonicCodec for Codec<T, U>
where
    T: Message + Send + 'static,
    U: Message + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = Encode<T>;
    type Decoder = Decode<U>;

    fn encoder(&mut self) -> Self::Encoder {
        Encode(PhantomData)
    }

    fn decoder(&mut self) -> Self::Decoder {
        Decode(PhantomData)
    }
}

impl<T: Message> Encoder for Encode<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, item: T, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        let encoded = item.encode(out);
        encoded.map_err(|error| Status::internal(format!("the answer does not fit: {error}")))
    }

    fn buffer_settings(&self) -> BufferSettings {
        buffer()
    }
}

impl<U: Message + Default + 'static> Decoder for Decode<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, sent: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        decode(sent.copy_to_bytes(sent.remaining())).map(Some)
    }

    fn buffer_settings(&self) -> BufferSettings {
        buffer()
    }
}

/// Decodes a message.
///
/// # Errors
/// INVALID_ARGUMENT when it cannot be decoded, or would take far more memory than it has bytes.
pub fn decode<U: Message + Default + 'static>(bytes: Bytes) -> Result<U, Status> {
    if let Some(shape) = shape_of::<U>() {
        amplification::check(&bytes, shape).map_err(refused::<U>)?;
    }
    U::decode(bytes).map_err(|error| {
        refused::<U>(format!("the message cannot be decoded: {error}; is it of another version, or cut off?"))
    })
}

/// The caller's mistake, told as those in single fields are.
fn refused<U: 'static>(what: String) -> Status {
    let batch = TypeId::of::<U>() == TypeId::of::<pb::AuthorizeBatchRequest>();
    let field = if batch { "requests" } else { "request" };
    let details = ErrorDetails::with_bad_request_violation(field, &what);
    Status::with_error_details(Code::InvalidArgument, what, details)
}

/// The requests that hold lists without a bound of their own.
fn shape_of<U: 'static>() -> Option<Shape> {
    let is_one_of = |shape: &[TypeId]| shape.contains(&TypeId::of::<U>());
    let requests = [TypeId::of::<pb::AuthorizeBatchRequest>(), TypeId::of::<pb::ExplainRequest>()];
    let request = [
        TypeId::of::<pb::AuthorizeRequest>(),
        TypeId::of::<pb::RetryDecisionRequest>(),
        TypeId::of::<pb::BudgetRequest>(),
    ];
    if is_one_of(&request) {
        Some(Shape::Request)
    } else if is_one_of(&requests) {
        Some(Shape::Requests)
    } else if is_one_of(&[TypeId::of::<CheckRequest>()]) {
        Some(Shape::Check)
    } else if is_one_of(&[TypeId::of::<RateLimitRequest>()]) {
        Some(Shape::RateLimit)
    } else {
        is_one_of(&[TypeId::of::<pb::ReportBatchRequest>()]).then_some(Shape::Reports)
    }
}
