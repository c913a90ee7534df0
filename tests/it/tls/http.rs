//! AuthZEN by TLS: the same certificate, the same callers.

use super::authority::{Issued, MUTUAL, Post, Valid};
use crate::binary::run;
use std::net::TcpStream;

const METADATA: &str = "/.well-known/authzen-configuration";
const HTTP: [&str; 2] = ["--http", "127.0.0.1:0"];

fn handshakes(result: &str) -> String {
    format!("tollgate_tls_handshakes_total{{port=\"http\",result=\"{result}\"}}")
}

fn url(post: &Post) -> String {
    format!("https://localhost:{}{METADATA}", post.serving.http.unwrap().port())
}

/// A client that trusts the server, of HTTP/1.1 alone if `old`.
fn client(post: &Post, own: Option<&Issued>, old: bool) -> reqwest::Client {
    let root = reqwest::Certificate::from_pem(post.authority.pem().as_bytes()).unwrap();
    let builder = reqwest::Client::builder().tls_certs_only([root]);
    let builder = if old { builder.http1_only() } else { builder };
    let builder = match own {
        Some(own) => builder
            .identity(reqwest::Identity::from_pem(format!("{}{}", own.key, own.cert).as_bytes()).unwrap()),
        None => builder,
    };
    builder.build().unwrap()
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_by_tls() {
    let post = Post::new(&HTTP);
    for (old, version) in [(true, reqwest::Version::HTTP_11), (false, reqwest::Version::HTTP_2)] {
        let answer = client(&post, None, old).get(url(&post)).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        let document: serde_json::Value = answer.json().await.unwrap();
        let decides = document["policy_decision_point"].as_str().unwrap();
        assert!(decides.starts_with("https://localhost:"), "{document}");
    }
    post.counts(&handshakes("accepted"), 2);
    let clear = url(&post).replace("https://", "http://");
    client(&post, None, true).get(clear).send().await.unwrap_err();
    post.counts(&handshakes("protocol"), 1);
}

#[tokio::test]
async fn callers_are_looked_at_as_with_grpc() {
    let names = ["--tls-client-names", "*.ops.example"];
    let post = Post::new(&[&HTTP[..], &MUTUAL, &names].concat());
    for (name, status, want) in [
        ("a.ops.example", 200, "policy_decision_point"),
        (
            "a.dev.example",
            403,
            "the client certificate is for `a.dev.example`, which this server does not let in",
        ),
    ] {
        for old in [true, false] {
            let own = post.authority.issue(&[name], Valid::Now);
            let answer = client(&post, Some(&own), old).get(url(&post)).send().await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{name}");
            let text = answer.text().await.unwrap();
            assert!(text.contains(want), "{name}: {text}");
        }
    }
    client(&post, None, false).get(url(&post)).send().await.unwrap_err();
    post.counts(&handshakes("no_certificate"), 1);
    post.counts(&handshakes("name_not_allowed"), 2);
}

#[test]
fn http_beyond_loopback_needs_tls_too() {
    let post = Post::new(&[]);
    let refused = run(post.path(), &["serve", "b.yaml", "--http", "0.0.0.0:0"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    let want = "--http: `http` would listen in the clear on `0.0.0.0:0`, beyond this machine";
    assert!(refused.stderr.contains(want), "{refused:?}");
}

#[test]
fn who_shakes_hands_over_http_does_not_hold_up_the_end() {
    let mut post = Post::new(&HTTP);
    let _silent: Vec<TcpStream> =
        (0..5).map(|_| TcpStream::connect(post.serving.http.unwrap()).unwrap()).collect();
    post.serving.signal("TERM");
    assert!(post.serving.wait().success());
}
