//! Health, reflection, the Unix socket, the end.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio_stream::StreamExt as _;
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{Effect, ReasonCode};
use tonic::Code;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::served::{self, BUNDLE, Served, request};

const SERVICE: &str = "tollgate.v1.PolicyDecisionService";

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

#[tokio::test]
async fn health_follows_the_bundle_and_ends_with_the_server() {
    let served = Served::start(served::plane());
    let mut health = HealthClient::new(served.channel().await);
    for service in ["", SERVICE] {
        let got = health.check(about(service)).await.unwrap().into_inner();
        assert_eq!(got.status(), ServingStatus::NotServing, "{service}");
    }
    let unknown = health.check(about("nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let mut watched = health.watch(about(SERVICE)).await.unwrap().into_inner();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    served::install(&served.plane, BUNDLE);
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let begin = Instant::now();
    served.shutdown.cancel();
    assert_eq!(watched.next().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert!(watched.next().await.is_none());
    tokio::task::spawn_blocking(|| served.stop()).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(4), "a watcher held up the end");
}

#[tokio::test]
async fn reflection_lists_the_services_and_their_files() {
    let served = Served::with_bundle();
    let mut client = ServerReflectionClient::new(served.channel().await);
    let ask = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
    let asked = [
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol(SERVICE.into())),
    ];
    let answers = client.server_reflection_info(tokio_stream::iter(asked)).await.unwrap();
    let mut answers = answers.into_inner();
    let Some(MessageResponse::ListServicesResponse(listed)) =
        answers.next().await.unwrap().unwrap().message_response
    else {
        panic!("a list")
    };
    let names: Vec<_> = listed.service.iter().map(|one| one.name.as_str()).collect();
    assert!(names.contains(&SERVICE) && names.contains(&"grpc.health.v1.Health"), "{names:?}");
    let file = answers.next().await.unwrap().unwrap().message_response;
    assert!(matches!(file, Some(MessageResponse::FileDescriptorResponse(_))), "{file:?}");
}

#[tokio::test]
async fn a_unix_socket_serves_its_owner_and_is_gone_after() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tollgate.sock");
    let plane = served::plane();
    served::install(&plane, BUNDLE);
    let served = Served::start_with(plane, Some(path.clone()), Duration::from_secs(5));
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let endpoint = Endpoint::from_shared(format!("unix:{}", path.display())).unwrap();
    let mut client = PolicyDecisionServiceClient::new(endpoint.connect().await.unwrap());
    let got = client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
    assert_eq!(got.into_inner().effect(), Effect::Allow);
    drop(client);
    tokio::task::spawn_blocking(|| served.stop()).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn the_next_decision_is_by_the_bundle_that_was_installed() {
    let served = Served::start(served::plane());
    let mut client = served.client().await;
    let mut other = served.client().await;
    let sent = || request("send", json!({"amount": 1}));
    let code = |answer: tonic::Response<tollgate::pb::AuthorizeResponse>| answer.into_inner().reason_code();
    assert_eq!(code(client.authorize(sent()).await.unwrap()), ReasonCode::NoBundle);
    assert_eq!(code(other.authorize(sent()).await.unwrap()), ReasonCode::NoBundle);
    served::install(&served.plane, BUNDLE);
    assert_eq!(code(client.authorize(sent()).await.unwrap()), ReasonCode::Rule);
    assert_eq!(code(other.authorize(sent()).await.unwrap()), ReasonCode::Rule);
}

#[test]
fn a_peer_that_never_answers_holds_up_the_end_for_the_grace_and_no_longer() {
    let grace = Duration::from_millis(300);
    let served = Served::start_with(served::plane(), None, grace);
    let mut silent = TcpStream::connect(served.addr).unwrap();
    // The preface, SETTINGS, and a HEADERS frame that goes on and never does.
    silent.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    silent.write_all(b"\0\0\x01\x01\0\0\0\0\x01\x82").unwrap();
    // The server has taken the connection up: it sends its own SETTINGS.
    silent.read_exact(&mut [0; 9]).unwrap();
    let begin = Instant::now();
    served.stop().unwrap();
    assert!((grace..grace * 10).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn who_has_nothing_in_flight_does_not_hold_up_the_end() {
    let served = Served::start_with(served::plane(), None, Duration::from_secs(60));
    let mut silent = [(); 2].map(|()| TcpStream::connect(served.addr).unwrap());
    silent[1].write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    silent[1].read_exact(&mut [0; 9]).unwrap();
    let mut health = HealthClient::new(served.channel().await);
    let _watched = health.watch(about("")).await.unwrap();
    let begin = Instant::now();
    tokio::task::spawn_blocking(|| served.stop()).await.unwrap().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn after_the_drain_nobody_is_served() {
    let served = Served::with_bundle();
    let mut client = served.client().await;
    let addr = served.addr;
    client.authorize(request("send", json!({"amount": 1}))).await.unwrap();
    tokio::task::spawn_blocking(|| served.stop()).await.unwrap().unwrap();
    let late = client.authorize(request("send", json!({"amount": 1}))).await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable, "{late}");
    assert!(std::net::TcpStream::connect(addr).is_err());
}
