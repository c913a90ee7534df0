//! Bodies and requests that nobody should send.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::{ONE, Open, SEVERAL, evaluation, raw};

#[tokio::test]
async fn what_cannot_be_read_is_400_and_says_why() {
    let open = Open::start().await;
    let good = evaluation("alice@example.com", "read", "document", "1");
    let with = |name: &str, value: serde_json::Value| {
        let mut one = good.clone();
        one[name] = value;
        one.to_string().into_bytes()
    };
    let deep = format!(r#"{{"context": {}{}}}"#, "[".repeat(50_000), "]".repeat(50_000)).into_bytes();
    let nested = (0..12).fold(json!(1), |inner, _| json!([inner]));
    let text = |text: &str| text.as_bytes().to_vec();
    for (what, path, body, part) in [
        ("nothing", ONE, text(""), "EOF"),
        ("no JSON", ONE, text("subject=ann"), "expected value"),
        ("no object", ONE, text("[]"), "no JSON object"),
        ("cut off", ONE, text(r#"{"subject": {"#), "EOF"),
        ("more behind", ONE, [good.to_string().as_bytes(), b"x"].concat(), "trailing"),
        ("twice", ONE, text(r#"{"subject": {}, "subject": {}}"#), "`subject` comes twice"),
        ("twice inside", ONE, text(r#"{"context": {"a": {"b": 1, "b": 2}}}"#), "`b` comes twice"),
        ("no number", ONE, text(r#"{"context": {"a": NaN}}"#), "expected value"),
        ("no finite number", ONE, text(r#"{"context": {"a": 1e999}}"#), "out of range"),
        ("no UTF-8", ONE, [&b"{\"a\": \""[..], &[0xff, 0xfe], b"\"}"].concat(), "unicode"),
        ("UTF-16", ONE, "{}".encode_utf16().flat_map(u16::to_le_bytes).collect(), "key must be"),
        ("deep", ONE, deep, "recursion"),
        ("too deep for a rule", ONE, with("context", json!({"a": nested})), "levels deep"),
        ("no subject", ONE, text(r#"{"action": {"name": "a"}}"#), "`subject` is required"),
        ("a null", ONE, with("action", json!(null)), "`action` is no object"),
        ("no type", ONE, with("subject", json!({"id": "a"})), "`subject.type` is required"),
        (
            "a number for an id",
            ONE,
            with("resource", json!({"type": "a", "id": 1})),
            "`resource.id` is no text",
        ),
        ("a text for a context", ONE, with("context", json!("x")), "`context` is no object"),
        (
            "no kind",
            ONE,
            with("action", json!({"name": "a", "properties": {"kind": "x"}})),
            "`kind` is no kind",
        ),
        ("options", ONE, with("options", json!(1)), "`options` is no object"),
        ("a charge", ONE, with("options", json!({"charge": "yes"})), "`options.charge`"),
        ("evaluations", SEVERAL, with("evaluations", json!({})), "`evaluations` is no list"),
        (
            "a semantic",
            SEVERAL,
            json!({"evaluations": [good], "options": {"evaluations_semantic": "any"}})
                .to_string()
                .into_bytes(),
            "execute_all",
        ),
        (
            "a default",
            SEVERAL,
            json!({"subject": 1, "evaluations": [good]}).to_string().into_bytes(),
            "`subject` is no object",
        ),
        (
            "too many",
            SEVERAL,
            json!({"evaluations": vec![json!({}); 1_001]}).to_string().into_bytes(),
            "at most 1000",
        ),
        ("too many values", ONE, format!(r#"{{"x": [{}0]}}"#, "0,".repeat(100_000)).into_bytes(), "values"),
        (
            "defaults times a thousand",
            SEVERAL,
            json!({"context": {"a": "x".repeat(60_000)}, "evaluations": vec![json!({}); 1_000]})
                .to_string()
                .into_bytes(),
            "defaults",
        ),
    ] {
        let (status, head, answer) = open.post(path, body).await;
        assert_eq!(status, 400, "{what}: {answer}");
        assert!(answer.contains(part), "{what}: {answer}");
        assert!(head.contains("x-request-id: bfe9eb29-ab87"), "{what}: {head}");
    }
}

#[tokio::test]
async fn the_protocol_is_kept() {
    let open = Open::start().await;
    let body = evaluation("alice@example.com", "read", "document", "1").to_string();
    let ask = |line: &str, kind: &str| {
        let head = format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nX-Request-ID: a b\r\n");
        let kind = if kind.is_empty() { String::new() } else { format!("content-type: {kind}\r\n") };
        let request = format!("{head}{kind}content-length: {}\r\n\r\n{body}", body.len());
        raw(open.address, request.into_bytes())
    };
    for (line, kind, want) in [
        (format!("POST {ONE}"), "application/json", 200),
        (format!("POST {ONE}"), "Application/JSON; charset=utf-8", 200),
        (format!("POST {ONE}"), "text/plain", 400),
        (format!("POST {ONE}"), "application/x-www-form-urlencoded", 400),
        (format!("POST {ONE}"), "", 400),
        (format!("PUT {ONE}"), "application/json", 405),
        (format!("GET {SEVERAL}"), "", 405),
        ("POST /.well-known/authzen-configuration".into(), "application/json", 405),
        ("POST /access/v1/search/subject".into(), "application/json", 404),
    ] {
        let (status, head, answer) = ask(&line, kind).await;
        assert_eq!(status, want, "{line} {kind}: {answer}");
        assert!(head.contains("x-request-id: a b"), "{line}: {head}");
    }
    let (status, _, answer) = open.post(ONE, vec![b' '; (1 << 20) + 1]).await;
    assert_eq!(status, 413, "{answer}");
    let headers = "a: b\r\n".repeat(1_000);
    let (status, ..) =
        raw(open.address, format!("GET / HTTP/1.1\r\nhost: x\r\n{headers}\r\n").into_bytes()).await;
    assert_eq!(status, 431);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_nothing_harms_nobody() {
    let open = Open::start().await;
    let silent: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(open.address).unwrap();
            let head = format!(
                "POST {ONE} HTTP/1.1\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{{"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    let asked = evaluation("alice@example.com", "read", "document", "1");
    for _ in 0..20 {
        assert_eq!(open.ask(ONE, asked.clone()).await["decision"], true);
    }
    // A request after the other on one connection.
    let mut stream = TcpStream::connect(open.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    for _ in 0..3 {
        let body = asked.to_string();
        let request = format!(
            "POST {ONE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let answered = tokio::task::block_in_place(|| {
            let mut got = Vec::new();
            while !String::from_utf8_lossy(&got).contains("\"decision\":true") {
                let mut part = [0; 1024];
                let read = stream.read(&mut part).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&got));
                got.extend_from_slice(&part[..read]);
            }
            got
        });
        assert!(answered.starts_with(b"HTTP/1.1 200"));
    }
    drop(silent);
}
