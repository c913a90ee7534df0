//! What Envoy's filter `ratelimit` asks, in the bytes that it sends: an answer to each descriptor, and none of them
//! belies the answer to all.

use std::sync::{Arc, LazyLock};

use prost::Message;
use serde_json::Value;
use tollgate::data_plane::DataPlane;
use tollgate::grpc::Limits;
use tollgate::grpc::envoy::{RateLimits, Servers};
use tollgate::pb::envoy::service::ratelimit::v3::rate_limit_response::Code as Verdict;
use tollgate::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use tonic::Code;

use crate::{call, plane};

static PLANE: LazyLock<Arc<DataPlane>> = LazyLock::new(plane::guarded);
static SERVER: LazyLock<RateLimits> =
    LazyLock::new(|| Servers::untraced(&PLANE, &Limits::default()).rate_limits);

pub(crate) fn run(input: &[u8]) {
    PLANE.clock().advance(1_000_000);
    let method = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";
    match call::grpc(SERVER.clone(), method, input) {
        Ok(bytes) => {
            let answer = RateLimitResponse::decode(bytes).expect("an answer is a message");
            let sent = RateLimitRequest::decode(input).expect("what is answered was asked");
            answered(&answer, sent.descriptors.len());
        }
        Err(status) => call::refused(&status, &[Code::InvalidArgument]),
    }
}

fn answered(answer: &RateLimitResponse, asked: usize) {
    assert_eq!(answer.statuses.len(), asked, "an answer each");
    let over = answer.statuses.iter().any(|one| one.code() == Verdict::OverLimit);
    let want = if over { Verdict::OverLimit } else { Verdict::Ok };
    assert_eq!(answer.overall_code(), want, "{answer:?}");
    assert_eq!(answer.raw_body.is_empty(), !over, "{answer:?}");
    if over {
        let body: Value = serde_json::from_slice(&answer.raw_body).expect("the body is JSON");
        assert!(body["decision_id"].is_string() && body["reason"].is_string(), "{body}");
    }
    let mut values = answer.response_headers_to_add.iter().flat_map(|header| header.value.bytes());
    assert!(values.all(|byte| matches!(byte, b' '..=b'~')), "{answer:?}");
}
