//! Callers with certificates: who is let in, and what the others and the operator hear.

use super::authority::{Authority, Issued, MUTUAL, Post, Valid, handshakes};
use crate::served::request;
use serde_json::json;
use std::time::{Duration, Instant};
use tonic::Code;

const AGENTS: &str = "spiffe://prod/ns/*/sa/agent-*";

fn write(post: &Post, issued: &Issued) -> [&'static str; 4] {
    issued.write(post.path(), "own");
    ["--tls-cert", "own.crt", "--tls-key", "own.key"]
}

#[test]
fn only_certificates_of_the_authority_are_let_in() {
    let post = Post::new(&MUTUAL);
    let other = Authority::new("Other Root");
    let agent = "spiffe://prod/ns/pay/sa/agent-1";
    let own = write(&post, &post.authority.issue(&[agent], Valid::Now));
    let served = post.ask_trusting(&own);
    assert_eq!((served.code, served.stdout.contains("ALLOW")), (0, true), "{served:?}");
    let none = post.ask_trusting(&[]);
    assert!(none.stderr.contains("give it with `--tls-cert FILE --tls-key FILE`"), "{none:?}");
    for (issued, want, logged) in [
        (
            other.issue(&[agent], Valid::Now),
            "does not know the authority of your certificate",
            "signed by nobody",
        ),
        (
            post.authority.issue(&[agent], Valid::Past),
            "has expired, or is not valid yet; renew it",
            "its certificate has expired",
        ),
        (
            post.authority.issue(&[agent], Valid::Future),
            "has expired, or is not valid yet; renew it",
            "is not valid yet",
        ),
    ] {
        let refused = post.ask_trusting(&write(&post, &issued));
        assert_eq!((refused.code, refused.stderr.contains(want)), (3, true), "{want}: {refused:?}");
        // One line of a kind in a second: the first of them says why.
        if want.contains("authority") {
            post.serving.logs(&[logged, "bad_certificate", "127.0.0.1:"]);
        }
    }
    post.counts(&handshakes("no_certificate"), 1);
    post.counts(&handshakes("bad_certificate"), 3);
    post.serving.logs(&["it showed no certificate", "127.0.0.1:", "no_certificate"]);
    assert_eq!(post.status()["tls"]["client_roots"], 1);
}

#[test]
fn only_names_that_fit_are_let_in() {
    let post =
        Post::new(&[&MUTUAL[..], &["--tls-client-names", &format!("{AGENTS} *.ops.example")]].concat());
    for (name, fits) in [
        ("spiffe://prod/ns/pay/sa/agent-1", true),
        ("probe.ops.example", true),
        ("spiffe://prod/ns/pay/sa/other", false),
        ("spiffe://prod/ns/a/b/sa/agent-1", false),
        ("https://x.ops.example", false),
        ("ann@ops.example", false),
    ] {
        let answer = post.ask_trusting(&write(&post, &post.authority.issue(&[name], Valid::Now)));
        if fits {
            assert_eq!(answer.code, 0, "{name}: {answer:?}");
        } else {
            let want = format!("the client certificate is for `{name}`, which this server does not let in");
            assert_eq!((answer.code, answer.stderr.contains(&want)), (2, true), "{name}: {answer:?}");
        }
    }
    post.counts(&handshakes("name_not_allowed"), 4);
    post.counts(&handshakes("accepted"), 2);
    post.serving.logs(&["name_not_allowed", "add a pattern to `tls_client_names`", "127.0.0.1:"]);
}

#[tokio::test]
async fn a_name_that_does_not_fit_is_told_so_in_grpc() {
    let post = Post::new(&[&MUTUAL[..], &["--tls-client-names", AGENTS]].concat());
    let good = post.authority.issue(&["spiffe://prod/ns/pay/sa/agent-1"], Valid::Now);
    let bad = post.authority.issue(&["spiffe://prod/ns/pay/sa/other"], Valid::Now);
    let mut refused = post.client(Some(&bad)).await;
    for _ in 0..3 {
        let status = refused.authorize(request("send", json!({}))).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        assert!(status.message().contains("`spiffe://prod/ns/pay/sa/other`"), "{status}");
    }
    let mut served = post.client(Some(&good)).await;
    served.authorize(request("send", json!({}))).await.unwrap();
}

#[tokio::test]
async fn a_connection_ends_with_the_certificate_of_its_client() {
    const LEFT: u64 = 4;
    let post = Post::new(&MUTUAL);
    let (began, deadline) = (Instant::now(), Duration::from_secs(60));
    let own = post.authority.issue(&["spiffe://prod/ns/pay/sa/agent-1"], Valid::Seconds(LEFT));
    let mut client = post.client(Some(&own)).await;
    let ended = loop {
        match client.authorize(request("send", json!({}))).await {
            Ok(_) => assert!(began.elapsed() < deadline, "it goes on with a certificate that has ended"),
            Err(status) => break status,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    // A certificate holds to the end of its last second, and no call before was lost.
    assert!(began.elapsed() > Duration::from_secs(LEFT - 1), "{ended}");
    while post.metric(&handshakes("bad_certificate")) == 0 {
        assert!(began.elapsed() < deadline, "nobody refuses it: {ended}");
        // What becomes of it is counted.
        let _ = client.authorize(request("send", json!({}))).await;
    }
    let renewed = post.authority.issue(&["spiffe://prod/ns/pay/sa/agent-1"], Valid::Now);
    post.client(Some(&renewed)).await.authorize(request("send", json!({}))).await.unwrap();
}
