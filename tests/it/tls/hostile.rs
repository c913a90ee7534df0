//! Who harms nobody: those who speak no TLS, an old one, or nothing at all.

use super::authority::{Post, handshakes};
use crate::served::request;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// The longest that a handshake may take, and then some for a busy machine.
const AT_MOST: Duration = Duration::from_secs(40);

fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(AT_MOST)).unwrap();
    let (mut all, mut part) = (Vec::new(), [0; 256]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return all,
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return all,
            Err(error) => panic!("it is not closed: {error}"),
        }
    }
}

/// A greeting of TLS 1.1, without any extension.
fn greeting_of_tls_1_1() -> Vec<u8> {
    let hello = [&[3, 2][..], &[7; 32], &[0], &[0, 4, 0xc0, 0x13, 0, 0x2f], &[1, 0]].concat();
    let length = |count: usize| u16::try_from(count).unwrap().to_be_bytes();
    let handshake = [&[1, 0][..], &length(hello.len()), &hello].concat();
    [&[22, 3, 1][..], &length(handshake.len()), &handshake].concat()
}

#[test]
fn what_is_no_tls_or_too_old_is_hung_up_on() {
    let post = Post::new(&[]);
    let record_without_end = [&[22, 3, 1, 0x40, 0][..], &[1; 0x100]].concat();
    for (name, bytes, alert) in [
        ("TLS 1.1", greeting_of_tls_1_1(), true),
        ("HTTP/2 in the clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), true),
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), true),
        ("noise", vec![0xff; 1000], true),
        ("a record that never ends", record_without_end, false),
    ] {
        let mut stream = TcpStream::connect(post.serving.grpc).unwrap();
        stream.write_all(&bytes).unwrap();
        let answer = until_closed(&mut stream);
        // The type of an alert of TLS is 21.
        assert_eq!(answer.first() == Some(&21), alert, "{name}: {answer:?}");
    }
    post.counts(&handshakes("protocol"), 4);
    post.counts(&handshakes("timeout"), 1);
    assert_eq!(post.ask_trusting(&[]).code, 0);
}

#[tokio::test]
async fn who_says_nothing_is_let_go_and_holds_up_nobody() {
    let post = Post::new(&[]);
    let mut client = post.client(None).await;
    let begin = Instant::now();
    let mut silent: Vec<TcpStream> =
        (0..100).map(|_| TcpStream::connect(post.serving.grpc).unwrap()).collect();
    for _ in 0..20 {
        client.authorize(request("send", json!({}))).await.unwrap();
        post.client(None).await.authorize(request("send", json!({}))).await.unwrap();
    }
    assert!(begin.elapsed() < AT_MOST, "others waited");
    let closed =
        tokio::task::spawn_blocking(move || silent.iter_mut().map(until_closed).all(|said| said.is_empty()));
    assert!(closed.await.unwrap());
    post.counts(&handshakes("timeout"), 100);
    post.serving.logs(&["it took longer than 5 s", "127.0.0.1:"]);
}

/// More than there are places: then those who say nothing get a second and no more.
#[tokio::test]
async fn many_who_say_nothing_are_shed() {
    let post = Post::new(&["--uds", "own.sock"]);
    let mut lasting = post.client(None).await;
    let _silent: Vec<TcpStream> = (0..700).map(|_| TcpStream::connect(post.serving.grpc).unwrap()).collect();
    lasting.authorize(request("send", json!({}))).await.unwrap();
    // Who comes by the socket does not wait for them at all, who comes by TLS for a second or two.
    assert_eq!(post.ask("unix:own.sock", &[]).code, 0);
    post.client(None).await.authorize(request("send", json!({}))).await.unwrap();
    assert!(post.metric(&handshakes("shed")) > 100, "{}", post.serving.get("/metrics").1);
}

#[test]
fn a_probe_that_connects_and_leaves_is_no_failure_to_warn_of() {
    let post = Post::new(&[]);
    for _ in 0..3 {
        drop(TcpStream::connect(post.serving.grpc).unwrap());
    }
    post.counts(&handshakes("closed"), 3);
}

#[test]
fn who_shakes_hands_does_not_hold_up_the_end() {
    let mut post = Post::new(&[]);
    let _silent: Vec<TcpStream> = (0..5).map(|_| TcpStream::connect(post.serving.grpc).unwrap()).collect();
    assert_eq!(post.ask_trusting(&[]).code, 0);
    post.serving.signal("TERM");
    assert!(post.serving.wait().success());
}
