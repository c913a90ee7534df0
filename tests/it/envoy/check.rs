//! `ext_authz`: what of an answer reaches client, service and access log.

use tollgate::pb::policy_decision_service_client::PolicyDecisionServiceClient;
use tonic::Code;
use tonic::transport::Endpoint;

use super::edge::{Edge, Reply};
use crate::binary::exchange;
use crate::served::request;

/// The filter that puts down what jwt_authn would.
const CLAIMS: (&str, &str) = (
    "http_filters:\n",
    r#"http_filters:
                  - name: envoy.filters.http.set_metadata
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.set_metadata.v3.Config
                      metadata:
                        - metadata_namespace: envoy.filters.http.jwt_authn
                          value: {jwt: {sub: ann, tenant: acme, roles: [reader, writer]}}
"#,
);

#[test]
fn each_effect_reaches_client_service_and_log() {
    let edge = Edge::start();
    let long = "r".repeat(300);
    let forged =
        [("x-tollgate-effect", "FORGED"), ("x-tollgate-mode", "FORGED"), ("X-Tollgate-Own", "FORGED")];
    let run = |run| ("x-run-id", run);
    for (path, headers, status, effect, code, rule) in [
        ("/public/a?b=c", &forged[..], 200, "ALLOW", "rule", Some("public-pages")),
        ("/public/admin?b=c", &[], 403, "DENY", "rule", Some("no-admin-from-outside")),
        ("/public/%61dmin/x", &[], 403, "DENY", "rule", Some("no-admin-from-outside")),
        ("/elsewhere", &[], 403, "DENY", "default_deny", None),
        ("/payments/1", &[], 403, "REQUIRE_APPROVAL", "approval_required", Some("payments-need-people")),
        ("/tools/export/1", &[run("one")], 200, "ALLOW", "rule", Some("tools")),
        ("/tools/export/2", &[run("one")], 200, "ALLOW", "rule", Some("tools")),
        ("/tools/export/3", &[run("one")], 429, "THROTTLE", "rate_limited", None),
        ("/tools/export/4", &[run("two")], 200, "ALLOW", "rule", Some("tools")),
        // What a client can bring about is a denial and no error: an error may let it pass.
        ("/tools/export/5", &[run(&long)], 403, "DENY", "invalid_request", None),
    ] {
        let reply = edge.get(path, headers);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        let told = |name: &str| if status == 200 { reply.upstream(name) } else { reply.header(name) };
        assert_eq!(told("x-tollgate-effect"), Some(effect), "{path}: {reply:?}");
        assert_eq!(told("x-tollgate-reason-code"), Some(code), "{path}: {reply:?}");
        let id = told("x-tollgate-decision-id").unwrap().to_owned();
        assert!(!reply.body.contains("FORGED"), "{path}: {reply:?}");
        if status != 200 {
            let body = reply.json();
            assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
            assert_eq!(
                (&body["decision_id"], &body["effect"]),
                (&id.as_str().into(), &effect.into()),
                "{path}"
            );
            assert!(!body["reason"].as_str().unwrap().is_empty(), "{path}");
        }
        let logged = edge.logged(if path.contains("%61") { "/public/admin/x" } else { path });
        let decision = &logged["decision"];
        assert_eq!(decision["decision_id"], id, "{path}: {logged}");
        assert_eq!(decision["effect"], effect, "{path}: {logged}");
        assert_eq!(decision["reason_code"], code, "{path}: {logged}");
        assert_eq!(decision["rule_id"].as_str(), rule, "{path}: {logged}");
        assert_eq!(
            (&decision["bundle_version"], &decision["arm"]),
            (&"1.0.0".into(), &"STABLE".into()),
            "{path}"
        );
    }
}

#[test]
fn obligations_and_waits_are_headers() {
    let edge = Edge::start();
    let reply =
        edge.get("/tools/sql", &[("x-run-id", "r"), ("x-tollgate-mode", "auto"), ("x-tollgate-grant", "g")]);
    for (name, want) in [
        ("x-tollgate-mode", Some("draft")),
        ("x-tollgate-timeout-seconds", Some("1.5")),
        ("x-tollgate-max-tool-calls", Some("5")),
        ("x-tollgate-max-cost", Some("0.5")),
        ("x-tollgate-rule", Some("tools")),
        ("x-tollgate-bundle-version", Some("1.0.0")),
        ("x-tollgate-max-compute", None),
        ("x-tollgate-grant", None),
        ("x-run-id", Some("r")),
    ] {
        assert_eq!(reply.upstream(name), want, "{name}: {reply:?}");
    }
    for _ in 0..2 {
        assert_eq!(edge.get("/tools/export", &[("x-run-id", "w")]).status, 200);
    }
    let reply = edge.get("/tools/export", &[("x-run-id", "w")]);
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{reply:?}");
    assert!(reply.json()["retry_after_seconds"].as_f64().unwrap() <= wait as f64, "{reply:?}");
    let reply = edge.get("/payments", &[]);
    let approval = reply.header("x-tollgate-approval").unwrap();
    assert_eq!(reply.json()["approval"]["id"], approval, "{reply:?}");
}

#[tokio::test]
async fn callers_by_grpc_get_a_status() {
    let route = "/tollgate.v1.PolicyDecisionService/Authorize";
    let public = ("/public*", "/public*|/none");
    let limit = ("targeting: {tools: [report.export]}", "targeting: {tools: [report.export, any]}");
    let limited = format!(
        "- match: {{path: {route}}}\n                          route: {{cluster: service}}\n                          typed_per_filter_config:\n                            envoy.filters.http.ext_authz:\n                              \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n                              check_settings: {{context_extensions: {{action: tool.call, tool: any, run: r}}}}\n                        - match: {{prefix: /}}"
    );
    for (changes, want, metadata) in [
        (vec![], Code::PermissionDenied, None),
        (vec![("- match: {prefix: /}", limited.as_str())], Code::Unavailable, Some("retry-after")),
    ] {
        let edge = tokio::task::spawn_blocking({
            let changes: Vec<(String, String)> =
                changes.iter().map(|(a, b): &(&str, &str)| ((*a).into(), (*b).into())).collect();
            move || {
                let changes: Vec<(&str, &str)> =
                    changes.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
                let none = ("limit: 2,", "limit: 1,");
                Edge::with(&changes, &[limit, none, (public.0, "/public*")])
            }
        })
        .await
        .unwrap();
        let channel = Endpoint::from_shared(format!("http://{}", edge.web)).unwrap().connect().await.unwrap();
        let mut client = PolicyDecisionServiceClient::new(channel);
        let ask = || request("send", serde_json::json!({}));
        let _first = client.authorize(ask()).await;
        let refused = client.authorize(ask()).await.unwrap_err();
        assert_eq!(refused.code(), want, "{refused:?}");
        assert!(refused.message().contains("decision_id"), "{refused:?}");
        assert!(metadata.is_none_or(|name| refused.metadata().contains_key(name)), "{refused:?}");
        tokio::task::spawn_blocking(move || drop(edge)).await.unwrap();
    }
}

#[test]
fn connections_are_decided_without_a_request() {
    let ask = |address| exchange(address, b"GET / HTTP/1.1\r\nhost: any\r\n\r\n");
    let edge = Edge::start();
    assert!(Reply::read(&ask(edge.any)).status == 200);
    let edge = Edge::with(&[], &[(r#"{matches: "127.*"}"#, r#"{matches: "10.*"}"#)]);
    assert_eq!(ask(edge.any), "");
}

#[test]
fn raw_headers_claims_and_bodies_are_read() {
    let route = "context_extensions: {action: payment}";
    let named = "context_extensions: {action: payment, \
                 \"user.from\": \"header:x-user metadata:envoy.filters.http.jwt_authn/jwt/sub\", \
                 \"tenant.from\": \"metadata:envoy.filters.http.jwt_authn/jwt/tenant\", tenant: nobody, \
                 \"roles.from\": \"metadata:envoy.filters.http.jwt_authn/jwt/roles\", own: thing}";
    let rules = r#"
  - id: ann-pays
    action: payment
    priority: 100
    when: >-
      subject.user == "ann" && subject.tenant == "acme" && "writer" in subject.roles
      && context.extensions.own == "thing" && context.http.headers["x-two"] == "a,b"
      && !("authorization" in context.http.headers) && context.http.method == "POST"
      && context.http.body.startsWith("pay 5") && context.source.port > 0.0
      && context.metadata["envoy.filters.http.jwt_authn"].jwt.sub == "ann"
    effect: allow
    reason: Ann may pay whatever she wants
  - id: cut-bodies
    action: payment
    priority: 110
    conditions: {http.partial_body: true}
    effect: deny
    reason: What is not seen is not allowed
rules:"#;
    let body = "validate_mutations: true\n                      with_request_body: {max_request_bytes: 64, \
                allow_partial_message: true, pack_as_bytes: PACK}\n                      encode_raw_headers: RAW";
    let rules = rules.strip_suffix("rules:").unwrap();
    for (raw, pack) in [("true", "true"), ("false", "false")] {
        let body = body.replace("PACK", pack).replace("RAW", raw);
        let changes = [CLAIMS, (route, named), ("validate_mutations: true", &body)];
        let edge = Edge::with(&changes, &[("\nrules:", &format!("\nrules:{rules}"))]);
        let send = |headers: &[(&str, &str)], body| edge.send("POST", "/payments", headers, body);
        let headers = [("x-two", "a"), ("x-two", "b"), ("authorization", "secret")];
        let paid = send(&headers, "pay 5");
        assert_eq!(paid.status, 200, "{raw}: {paid:?}");
        assert_eq!(paid.upstream("x-tollgate-rule"), Some("ann-pays"), "{raw}: {paid:?}");
        let other = send(&[&headers[..], &[("x-user", "bob")]].concat(), "pay 5");
        assert_eq!(other.header("x-tollgate-effect"), Some("REQUIRE_APPROVAL"), "{raw}: {other:?}");
        let cut = send(&headers, &"pay 5".repeat(20));
        assert_eq!((cut.status, cut.header("x-tollgate-effect")), (403, Some("DENY")), "{raw}: {cut:?}");
    }
}
