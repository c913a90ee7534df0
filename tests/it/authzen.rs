//! AuthZEN over HTTP: the examples of the specification, and everything that is none.

mod evaluations;
mod hostile;

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tollgate::data_plane::DataPlane;
use tollgate::grpc::Limits;
use tollgate::http::authzen::{Point, router};
use tollgate::http::{Patience, Server};

use crate::binary::{Serving, exchange, run};
use crate::served::{self, Served};

/// What the specification's examples are decided by.
const BUNDLE: &str = r#"
format: tollgate/v1
version: 1.0.0
rules:
  - id: readers
    action: can_read
    conditions: {user: "alice@acmecorp.com", resource.type: "account|document|todo"}
    effect: allow
    reason: Alice may read what there is
  - id: not-the-secret-one
    action: [can_read, read]
    conditions: {resource.id: "2"}
    effect: deny
    reason: Nobody reads the second one
  - id: documents
    action: read
    conditions: {user: "alice@example.com", resource.type: document}
    effect: allow
    reason: Alice may read documents
  - id: agents
    action: delete
    when: >-
      subject.agent == "robot" && subject.tenant == "acme" && "writer" in subject.roles && action.tool == "fs.rm"
      && context.subject.department == "Sales" && context.action.force == true && context.subject.type == "agent"
      && context.resource.properties.size < 10.0 && context.hour == 9.0
    effect: allow
    reason: The robot may delete small things
  - id: drafts
    action: draft
    effect: allow
    reason: Drafts may be written often
  - id: short-drafts
    action: draft
    effect: modify
    modify: {mode: draft, timeout_seconds: 2, limits: {max_cost: 0.5}}
    reason: Drafts are short and cheap
  - id: asks
    action: pay
    effect: require_approval
    approval: {approvers: 1, role: treasurer}
    reason: Somebody has to approve a payment
guardrails:
  - {name: two, type: rate_limit, rules: {limit: 2, window_seconds: 60}, targeting: {actions: [draft]}, state: enabled}
"#;

/// AuthZEN in this process.
pub struct Open {
    pub address: SocketAddr,
    pub plane: Arc<DataPlane>,
    stop: CancellationToken,
}

impl Open {
    pub async fn start() -> Self {
        let plane = served::plane();
        served::install(&plane, BUNDLE);
        let server = Server::bind(([127, 0, 0, 1], 0).into(), "http", Patience::CALLERS).await.unwrap();
        let (address, stop) = (server.local_addr(), CancellationToken::new());
        let point = Point {
            plane: Arc::clone(&plane),
            limits: Limits::default(),
            address: address.to_string(),
            secure: false,
            tracer: None,
        };
        tokio::spawn(server.run(router(point), stop.clone()));
        Self { address, plane, stop }
    }

    /// The answer to a body of JSON, which must be 200.
    pub async fn ask(&self, path: &str, body: Value) -> Value {
        let (status, _, answer) = self.post(path, body.to_string()).await;
        assert_eq!(status, 200, "{body}: {answer}");
        serde_json::from_str(&answer).unwrap()
    }

    pub async fn post(&self, path: &str, body: impl Into<Vec<u8>>) -> (u16, String, String) {
        let body: Vec<u8> = body.into();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: pdp.mycompany.com\r\nconnection: close\r\n\
             content-type: application/json\r\nx-request-id: bfe9eb29-ab87\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        raw(self.address, [head.into_bytes(), body].concat()).await
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Sends bytes, and reads to the end.
pub async fn raw(address: SocketAddr, request: Vec<u8>) -> (u16, String, String) {
    let reply = tokio::task::spawn_blocking(move || exchange(address, &request)).await.unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {reply:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), body.to_owned())
}

pub const ONE: &str = "/access/v1/evaluation";
pub const SEVERAL: &str = "/access/v1/evaluations";

/// An evaluation of the specification's.
pub fn evaluation(user: &str, action: &str, kind: &str, id: &str) -> Value {
    json!({
        "subject": {"type": "user", "id": user},
        "action": {"name": action},
        "resource": {"type": kind, "id": id},
    })
}

#[tokio::test]
async fn an_evaluation_is_what_authorize_says_of_the_same_facts() {
    let open = Open::start().await;
    let served = Served::start(Arc::clone(&open.plane));
    let mut client = served.client().await;
    let mut first = evaluation("alice@acmecorp.com", "can_read", "account", "123");
    first["context"] = json!({"time": "1985-10-26T01:22-07:00"});
    let agent = json!({
        "subject": {"type": "agent", "id": "robot", "properties":
            {"department": "Sales", "tenant": "acme", "roles": ["reader", "writer"]}},
        "action": {"name": "delete", "properties": {"force": true, "tool": "fs.rm"}},
        "resource": {"type": "file", "id": "/tmp/x", "properties": {"size": 3}},
        "context": {"hour": 9}, "unknown": {"is": "ignored"},
    });
    let mut weaker = agent.clone();
    weaker["subject"]["properties"]["roles"] = json!(["reader"]);
    let mut overlaid = agent.clone();
    overlaid["context"]["subject"] = json!({"department": "Sales"});
    for (asked, decision, effect) in [
        (first.clone(), true, "ALLOW"),
        (evaluation("bob@acmecorp.com", "can_read", "account", "123"), false, "DENY"),
        (evaluation("alice@example.com", "read", "document", "2"), false, "DENY"),
        (evaluation("alice@example.com", "read", "document", "1"), true, "ALLOW"),
        (evaluation("alice@example.com", "pay", "bill", "1"), false, "REQUIRE_APPROVAL"),
        (evaluation("alice@example.com", "draft", "letter", "1"), true, "ALLOW"),
        (agent, true, "ALLOW"),
        (weaker, false, "DENY"),
        (overlaid, false, "DENY"),
    ] {
        let answer = open.ask(ONE, asked.clone()).await;
        assert_eq!(answer["decision"], decision, "{asked}: {answer}");
        let context = &answer["context"];
        assert_eq!(context["effect"], effect, "{asked}: {answer}");
        let told = client.authorize(same_facts(&asked)).await.unwrap().into_inner();
        assert_eq!(context["effect"], told.effect().as_str_name().trim_start_matches("EFFECT_"), "{asked}");
        let code = told.reason_code().as_str_name().trim_start_matches("REASON_CODE_").to_lowercase();
        assert_eq!(context["reason_code"], code, "{asked}");
        assert_eq!(context["reason"], told.reason, "{asked}");
        assert_eq!(context["rule_id"].as_str().unwrap_or_default(), told.rule_id, "{asked}");
        let obligations = told.obligations.unwrap_or_default();
        assert_eq!(context["obligations"]["mode"].as_str().unwrap_or_default(), obligations.mode, "{asked}");
        let timeout = obligations.timeout.map(|timeout| timeout.seconds as f64);
        assert_eq!(context["obligations"]["timeout_seconds"].as_f64(), timeout, "{asked}");
    }
}

/// The same, as page 8 says that it is read.
fn same_facts(asked: &Value) -> tollgate::pb::AuthorizeRequest {
    use tollgate::pb::{Action, AuthorizeRequest, Struct, Subject};
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (subject, action, resource) = (&asked["subject"], &asked["action"], &asked["resource"]);
    let map = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let roles = subject["properties"]["roles"].as_array().map(|all| all.iter().map(text).collect());
    let is_agent = subject["type"] == "agent";
    let mut of_subject = map(&subject["properties"]);
    of_subject.insert("type".into(), subject["type"].clone());
    let mut context = json!({
        "subject": of_subject,
        "action": map(&action["properties"]),
        "resource":
            {"type": resource["type"], "id": resource["id"], "properties": map(&resource["properties"])},
    });
    for (key, value) in map(&asked["context"]) {
        context[key] = value;
    }
    AuthorizeRequest {
        subject: Some(Subject {
            agent: if is_agent { text(&subject["id"]) } else { String::new() },
            user: if is_agent { String::new() } else { text(&subject["id"]) },
            tenant: text(&subject["properties"]["tenant"]),
            roles: roles.unwrap_or_default(),
            ..Subject::default()
        }),
        action: Some(Action {
            name: text(&action["name"]),
            tool: text(&action["properties"]["tool"]),
            ..Action::default()
        }),
        context: Some(Struct::from(map(&context))),
        dry_run: true,
        ..AuthorizeRequest::default()
    }
}

#[tokio::test]
async fn it_charges_where_it_is_told_to() {
    let open = Open::start().await;
    let ask = |charge: Option<bool>| {
        let mut asked = evaluation("ann", "draft", "letter", "1");
        if let Some(charge) = charge {
            asked["options"] = json!({"charge": charge});
        }
        open.ask(ONE, asked)
    };
    for (charge, decision) in [
        (None, true),
        (Some(false), true),
        (None, true),
        (Some(true), true),
        (Some(true), true),
        (Some(true), false),
        (None, false),
    ] {
        let answer = ask(charge).await;
        assert_eq!(answer["decision"], decision, "{charge:?}: {answer}");
        let waits = answer["context"]["retry_after"].as_f64().is_some_and(|wait| wait > 0.0 && wait <= 60.0);
        assert_eq!(waits, !decision, "{answer}");
    }
    let mut pay = evaluation("ann", "pay", "bill", "1");
    assert!(open.ask(ONE, pay.clone()).await["context"]["approval_id"].is_null());
    pay["options"] = json!({"charge": true});
    let asked = open.ask(ONE, pay).await;
    assert_eq!(asked["context"]["approval_id"].as_str().unwrap().len(), 36, "{asked}");
}

#[test]
fn the_binary_serves_it_where_it_is_told_to_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("b.yaml"), BUNDLE).unwrap();
    let mut serving = Serving::start(folder.path(), &["b.yaml", "--http", "127.0.0.1:0"]);
    let address = serving.http.unwrap();
    let body = evaluation("alice@example.com", "read", "document", "1").to_string();
    let post = |address, path: &str| {
        exchange(address, format!("POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes())
    };
    let reply = post(address, ONE);
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains(r#""decision":true"#), "{reply}");
    let reply = exchange(address, b"GET /.well-known/authzen-configuration HTTP/1.1\r\nhost: pdp.example:81\r\nconnection: close\r\n\r\n");
    let (_, body) = reply.split_once("\r\n\r\n").unwrap();
    let metadata: Value = serde_json::from_str(body).unwrap();
    assert_eq!(metadata["policy_decision_point"], "http://pdp.example:81");
    assert_eq!(metadata["access_evaluations_endpoint"], "http://pdp.example:81/access/v1/evaluations");
    assert!(metadata.get("search_subject_endpoint").is_none());
    for (address, path) in
        [(address, "/metrics"), (address, "/status"), (address, "/"), (serving.metrics, ONE)]
    {
        let reply = post(address, path);
        assert!(reply.starts_with("HTTP/1.1 404"), "{path}: {reply}");
    }
    let taken = run(
        folder.path(),
        &["serve", "b.yaml", "--grpc", "127.0.0.1:0", "--metrics", "none", "--http", &address.to_string()],
    );
    assert_eq!(taken.code, 3, "{taken:?}");
    assert!(taken.stderr.contains("the http address cannot be listened on"), "{taken:?}");
    serving.signal("TERM");
    assert_eq!(serving.wait().code(), Some(0));
}
