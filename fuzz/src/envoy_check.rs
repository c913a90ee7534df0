//! What Envoy's filter `ext_authz` asks, in the bytes that it sends. An answer of one kind looks like no other, and what
//! a client of Envoy can bring about is never an error, which Envoy may take for leave.

use std::sync::{Arc, LazyLock};

use prost::Message;
use serde_json::Value;
use tollgate::data_plane::DataPlane;
use tollgate::grpc::Limits;
use tollgate::grpc::envoy::{Checks, Servers};
use tollgate::pb::envoy::config::core::v3::HeaderValueOption;
use tollgate::pb::envoy::service::auth::v3::check_response::HttpResponse;
use tollgate::pb::envoy::service::auth::v3::{
    AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use tonic::Code;

use crate::{call, plane};

static PLANE: LazyLock<Arc<DataPlane>> = LazyLock::new(plane::guarded);
static SERVER: LazyLock<Checks> = LazyLock::new(|| Servers::untraced(&PLANE, &Limits::default()).checks);

pub(crate) fn run(input: &[u8]) {
    PLANE.clock().advance(1_000_000);
    let answer = call::grpc(SERVER.clone(), "/envoy.service.auth.v3.Authorization/Check", input);
    let sent = CheckRequest::decode(input).ok().and_then(|sent| sent.attributes);
    match answer {
        Ok(bytes) => {
            let answer = CheckResponse::decode(bytes).expect("an answer is a message");
            answered(&answer, &sent.expect("what is answered was asked"));
        }
        Err(status) => {
            call::refused(&status, &[Code::InvalidArgument]);
            let by_the_route = sent.is_none_or(|sent| !sent.context_extensions.is_empty());
            assert!(by_the_route, "an error that a client has brought about: {status:?}");
        }
    }
}

fn answered(answer: &CheckResponse, sent: &AttributeContext) {
    let code = answer.status.as_ref().map(|status| Code::from_i32(status.code)).expect("a status");
    match (code, answer.http_response.as_ref().expect("an answer for the client or its upstream")) {
        (Code::Ok, HttpResponse::OkResponse(passed)) => passes(passed, sent),
        (Code::PermissionDenied, HttpResponse::DeniedResponse(denied)) => denies(denied, 403),
        (Code::ResourceExhausted, HttpResponse::DeniedResponse(denied)) => denies(denied, 429),
        _ => panic!("a code that its answer belies: {answer:?}"),
    }
}

/// None of the client's headers that look like ours gets through.
fn passes(passed: &OkHttpResponse, sent: &AttributeContext) {
    let set = names(&passed.headers);
    let http = sent.request.as_ref().and_then(|request| request.http.as_ref());
    let plain = http.iter().flat_map(|http| &http.headers).map(|one| &one.key);
    let raw = http.iter().flat_map(|http| &http.header_map).flat_map(|map| &map.headers).map(|one| &one.key);
    for name in plain.chain(raw).map(|name| name.to_ascii_lowercase()) {
        let gone = set.contains(&name) || passed.headers_to_remove.contains(&name);
        assert!(gone || !name.starts_with("x-tollgate-"), "`{name}` of the client's reaches the upstream");
    }
}

fn denies(denied: &DeniedHttpResponse, want: i32) {
    assert_eq!(denied.status.as_ref().map(|status| status.code), Some(want));
    let body: Value = serde_json::from_str(&denied.body).expect("the body is JSON");
    assert!(body["decision_id"].is_string() && body["reason"].is_string(), "{body}");
    assert!(names(&denied.headers).iter().any(|name| name == "x-tollgate-decision-id"));
}

/// The names of headers that no value breaks out of.
fn names(headers: &[HeaderValueOption]) -> Vec<String> {
    let name = |one: &'_ HeaderValueOption| {
        let header = one.header.as_ref().expect("a header");
        assert!(header.value.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{header:?}");
        header.key.clone()
    };
    headers.iter().map(name).collect()
}
