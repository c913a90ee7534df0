//! A server in this process, for tests of its edges.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tollgate::clock::Clock;
use tollgate::data_plane::{DataPlane, Offer, Options, Outcome};
use tollgate::grpc::{self, Server};
use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tollgate::pb::{self, Struct};
use tonic::transport::{Channel, Endpoint};

/// A bundle with something of everything that a decision can be.
pub const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.0.0
rules:
  - id: allow-send
    agent: inbox
    action: send
    conditions: {"<=amount": 100}
    effect: allow
    reason: Small amounts may be sent
  - id: deny-delete
    action: delete
    effect: deny
    disposition: drop
    reason: Nothing is ever deleted here
  - id: deny-risky
    action: risky
    conditions: {">=score": 90}
    effect: deny
    reason: The score is too high for that
    priority: 90
  - id: ask-transfer
    action: transfer
    effect: require_approval
    approval: {approvers: 2, role: treasurer, expires_in_seconds: 60, bind: [amount]}
    reason: Transfers need two treasurers
  - id: drafts-only
    agent: inbox
    effect: modify
    modify: {mode: draft, limits: {max_tool_calls: 5, max_cost: 0.5}, timeout_seconds: 1.5}
    reason: This agent only writes drafts
"#;

pub struct Served {
    pub plane: Arc<DataPlane>,
    pub addr: SocketAddr,
    pub shutdown: CancellationToken,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

pub fn plane() -> Arc<DataPlane> {
    DataPlane::new(Options::default(), Clock::system()).unwrap()
}

pub fn offer(text: &str) -> Offer {
    Offer { name: "test.yaml".into(), files: vec![("test.yaml".into(), text.into())] }
}

/// Puts a bundle in force that must be good.
pub fn install(plane: &DataPlane, text: &str) {
    match plane.offer(&offer(text)) {
        Outcome::Applied | Outcome::Unchanged => {}
        Outcome::Rejected(refusal) => panic!("{refusal}"),
    }
}

impl Served {
    pub fn start(plane: Arc<DataPlane>) -> Self {
        Self::start_with(plane, None, Duration::from_secs(5))
    }

    pub fn start_with(plane: Arc<DataPlane>, uds: Option<PathBuf>, grace: Duration) -> Self {
        // How long a machine with other work lets requests wait is none of these tests' matter.
        let overload = grpc::Overload { wait: Duration::ZERO, ..grpc::Overload::default() };
        Self::start_as(plane, grpc::Options { uds, threads: 2, overload, ..grpc::Options::default() }, grace)
    }

    /// One that listens on a port of the system's choice besides.
    pub fn start_as(plane: Arc<DataPlane>, mut options: grpc::Options, grace: Duration) -> Self {
        options.tcp = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = Server::bind(options, Arc::clone(&plane)).unwrap();
        let addr = server.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let run = move || server.run(stop, grace);
        Self { plane, addr, shutdown, thread: Some(std::thread::spawn(run)) }
    }

    /// One with this bundle, a single serving thread and these bounds.
    pub fn bounded(bundle: &str, overload: grpc::Overload) -> Self {
        let plane = plane();
        install(&plane, bundle);
        let options = grpc::Options { threads: 1, overload, ..grpc::Options::default() };
        Self::start_as(plane, options, Duration::from_secs(5))
    }

    /// One with [`BUNDLE`].
    pub fn with_bundle() -> Self {
        let plane = plane();
        install(&plane, BUNDLE);
        Self::start(plane)
    }

    pub async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.addr)).unwrap().connect().await.unwrap()
    }

    pub async fn client(&self) -> PolicyDecisionServiceClient<Channel> {
        PolicyDecisionServiceClient::new(self.channel().await)
    }

    /// Tells it to end, and waits until it has.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        self.thread.take().map_or(Ok(()), |thread| thread.join().unwrap())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Without waiting: the clients of a test run on the very thread that drops it.
        self.shutdown.cancel();
    }
}

/// A request by `inbox` for this action, with this context.
pub fn request(action: &str, context: serde_json::Value) -> pb::AuthorizeRequest {
    let serde_json::Value::Object(context) = context else { panic!("an object") };
    pb::AuthorizeRequest {
        subject: Some(pb::Subject { agent: "inbox".into(), ..Default::default() }),
        action: Some(pb::Action { name: action.into(), ..Default::default() }),
        context: Some(Struct::from(context)),
        request_id: format!("to-{action}"),
        ..Default::default()
    }
}
