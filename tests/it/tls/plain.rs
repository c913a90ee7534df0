//! A certificate of the server, and callers without any.

use super::authority::{Authority, Post, Valid, handshakes};
use crate::binary::run;
use crate::served::request;
use std::fs;

#[test]
fn callers_who_trust_the_certificate_are_served() {
    let post = Post::new(&[]);
    for args in [&[][..], &["--tls-server-name", "127.0.0.1"]] {
        let answer = post.ask_trusting(args);
        assert_eq!((answer.code, answer.stdout.contains("ALLOW")), (0, true), "{answer:?}");
    }
    // The flags say TLS as well as the address does.
    let bare = post.ask(&format!("localhost:{}", post.serving.grpc.port()), &["--tls-ca", "ca.crt"]);
    assert_eq!(bare.code, 0, "{bare:?}");
    post.counts(&handshakes("accepted"), 3);
    let tls = &post.status()["tls"];
    assert_eq!(tls["certificate"]["names"], serde_json::json!(["localhost", "127.0.0.1"]), "{tls}");
    assert_eq!(tls["certificate"]["expires_at"], "2120-01-01T00:00:00Z", "{tls}");
    assert_eq!(post.metric("tollgate_tls_certificate_expiry_timestamp_seconds"), 4_733_510_400);
    let status = run(post.path(), &["status", "--address", &post.serving.metrics.to_string()]);
    assert!(status.stdout.contains("2120-01-01T00:00:00Z"), "{status:?}");
}

#[test]
fn who_cannot_be_served_is_told_what_to_do() {
    let post = Post::new(&[]);
    fs::write(post.path().join("other.crt"), Authority::new("Other Root").pem()).unwrap();
    let port = post.serving.grpc.port();
    let (https, http) = (post.address(), format!("http://localhost:{port}"));
    for (address, args, code, want) in [
        (&https, &["--tls-ca", "other.crt"][..], 3, "not trusted here; name its root with `--tls-ca FILE`"),
        (
            &https,
            &["--tls-ca", "ca.crt", "--tls-server-name", "a.example"],
            3,
            "is not for `a.example` but for ",
        ),
        (&https, &["--tls-ca", "none.crt"], 3, "none.crt: cannot be read; `--tls-ca` names it"),
        (&https, &["--tls-ca", "server.key"], 3, "server.key: holds no certificate"),
        (&https, &["--tls-cert", "server.crt"], 2, "--tls-key"),
        (&http, &["--tls-ca", "ca.crt"], 3, "write `https://`, or leave the flags of TLS out"),
        (&http, &[], 3, "does it speak TLS? then write `https://`"),
    ] {
        let refused = post.ask(address, args);
        assert_eq!((refused.code, refused.stderr.contains(want)), (code, true), "{args:?}: {refused:?}");
    }
    // The last one sent HTTP/2 in the clear; the other alerts come from clients that hang up.
    post.counts(&handshakes("protocol"), 1);
    post.counts(&handshakes("refused_by_client"), 2);
    post.serving.logs(&["a TLS handshake failed", "no TLS", "127.0.0.1:"]);
}

#[test]
fn a_server_without_tls_is_told_apart() {
    let post = Post::new(&["--uds", "own.sock"]);
    let plain = crate::binary::Serving::start(post.path(), &["b.yaml"]);
    let refused = post.ask(&format!("https://{}", plain.grpc), &["--tls-ca", "ca.crt"]);
    assert!(refused.stderr.contains("speaks no TLS; write `http://`"), "{refused:?}");
    // A Unix socket never speaks it.
    let own = post.ask("unix:own.sock", &[]);
    assert_eq!(own.code, 0, "{own:?}");
}

#[test]
fn a_certificate_that_ended_while_it_served_is_told_of_by_the_client() {
    // The server refuses to start with one, so this one answers with TLS of its own.
    let authority = Authority::new("Test Root");
    let folder = super::authority::folder(&authority);
    let issued = authority.issue(&["localhost"], Valid::Past);
    let address = super::start::serve_anything(&issued);
    let address = format!("https://localhost:{}", address.port());
    let args = ["authorize", "--action", "send", "--address", &address, "--tls-ca", "ca.crt"];
    let refused = run(folder.path(), &args);
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("the server's certificate has expired"), "{refused:?}");
}

#[tokio::test]
async fn other_clients_are_served_and_speak_http_2() {
    let post = Post::new(&[]);
    let mut client = post.client(None).await;
    let answer = client.authorize(request("send", serde_json::json!({}))).await.unwrap();
    assert_eq!(answer.into_inner().effect(), tollgate::pb::Effect::Allow);
    let stream = post.shake(None).await;
    // Nothing was offered, so nothing was chosen, and HTTP/2 is spoken all the same.
    assert_eq!(stream.get_ref().1.alpn_protocol(), None);
}

#[test]
fn a_load_goes_over_tls_too() {
    let post = Post::new(&[]);
    let bench = |address: &str, args: &[&str]| {
        let short = ["bench", "--duration", "200ms", "--warm-up", "0", "-o", "json", "--address", address];
        run(post.path(), &[&short, args].concat())
    };
    let trusted = bench(&post.address(), &["--tls-ca", "ca.crt"]);
    assert_eq!(trusted.code, 0, "{trusted:?}");
    let results = trusted.json();
    assert!(results["answered"].as_u64() > Some(0) && results["errors"]["total"] == 0, "{results}");
    let strange = bench(&post.address(), &[]);
    assert_eq!((strange.code, strange.stderr.contains("`--tls-ca FILE`")), (3, true), "{strange:?}");
    let clear = bench(&format!("127.0.0.1:{}", post.serving.grpc.port()), &[]);
    assert_eq!((clear.code, clear.stderr.contains("does not speak gRPC")), (3, true), "{clear:?}");
}
