//! New certificates while the server is hammered, and bad ones.

use super::authority::{Authority, MUTUAL, Post, Valid, handshakes, reloads, replace};
use crate::binary::eventually;
use crate::served::request;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Who hammers.
const CLIENTS: usize = 8;

const STALE: &str = "tollgate_tls_stale";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_certificates_change() {
    let post = Arc::new(Post::new(&MUTUAL));
    let own = Arc::new(post.authority.issue(&["a.example"], Valid::Now));
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (post, own, stop, asked) = (post.clone(), own.clone(), stop.clone(), asked.clone());
            tokio::spawn(async move {
                let mut client = post.client(Some(&own)).await;
                while !stop.load(Ordering::Relaxed) {
                    // One connection lasts all the time; the others come and go.
                    if number > 0 && asked.load(Ordering::Relaxed) % 50 == 0 {
                        client = post.client(Some(&own)).await;
                    }
                    client.authorize(request("send", json!({}))).await.unwrap();
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut lasting = post.client(Some(&own)).await;
    for swap in 1..=5 {
        let before = asked.load(Ordering::Relaxed);
        let issued = post.authority.issue(&["localhost"], Valid::Now);
        let waiting = Arc::clone(&post);
        tokio::task::spawn_blocking(move || {
            issued.write(waiting.path(), "server");
            waiting.counts(&reloads("applied"), swap);
        })
        .await
        .unwrap();
        while asked.load(Ordering::Relaxed) < before + 100 {
            assert!(clients.iter().all(|client| !client.is_finished()), "a request failed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        lasting.authorize(request("send", json!({}))).await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    let (_, page) = post.serving.get("/metrics");
    let decisions = page.lines().filter(|line| line.starts_with("tollgate_decisions_total{"));
    let sum: u64 = decisions.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, asked.load(Ordering::Relaxed) + 5, "{page}");
}

#[tokio::test]
async fn a_bad_certificate_leaves_the_old_one_serving() {
    let post = Post::new(&MUTUAL);
    let other = Authority::new("Other Root");
    let own = post.authority.issue(&["a.example"], Valid::Now);
    let shown = async || {
        let stream = post.shake(Some(&own)).await;
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    let at = |name: &str| post.path().join(name);
    let good =
        ["server.crt", "server.key", "ca.crt"].map(|name| (name, fs::read_to_string(at(name)).unwrap()));
    let past = post.authority.issue(&["localhost"], Valid::Past);
    let future = post.authority.issue(&["localhost"], Valid::Future);
    let stranger = other.issue(&["localhost"], Valid::Now);
    for (number, (file, text, want)) in [
        ("server.key", &*stranger.key, "server.key: the private key does not fit the first certificate of"),
        ("server.crt", &past.cert, "server.crt: the certificate expired at 2021-01-01T00:00:00Z"),
        ("server.crt", &future.cert, "server.crt: the certificate is not valid before 2119-01-01T00:00:00Z"),
        ("server.crt", "nonsense", "server.crt: holds no certificate"),
        ("ca.crt", "", "ca.crt: holds no certificate; it is empty"),
    ]
    .into_iter()
    .enumerate()
    {
        replace(&at(file), text);
        post.counts(&reloads("rejected"), number as u64 + 1);
        post.serving.logs(&["the new files of TLS are refused", want]);
        let error = post.status()["tls"]["last_error"]["error"].to_string();
        assert!(error.contains(want), "{want}: {error}");
        assert_eq!((shown().await, post.metric(STALE)), (first.clone(), 1), "{want}");
        for (name, text) in &good {
            replace(&at(name), text);
        }
        eventually("the old ones are back", || post.status()["tls"]["last_error"].is_null().then_some(()));
        assert_eq!(post.metric(STALE), 0, "{want}");
    }
    fs::remove_file(at("server.crt")).unwrap();
    post.counts(&reloads("rejected"), 6);
    assert_eq!((shown().await, post.metric(&reloads("applied"))), (first.clone(), 0));
    post.authority.issue(&["localhost"], Valid::Now).write(post.path(), "server");
    post.counts(&reloads("applied"), 1);
    assert_ne!(shown().await, first);
}

#[tokio::test]
async fn roots_of_callers_change_too() {
    let post = Post::new(&MUTUAL);
    let (old, new) = (&post.authority, Authority::new("New Root"));
    let (of_old, of_new) = (old.issue(&["a.example"], Valid::Now), new.issue(&["a.example"], Valid::Now));
    let mut lasting = post.client(Some(&of_old)).await;
    lasting.authorize(request("send", json!({}))).await.unwrap();
    replace(&post.path().join("ca.crt"), &new.pem());
    post.counts(&reloads("applied"), 1);
    lasting.authorize(request("send", json!({}))).await.unwrap();
    post.client(Some(&of_new)).await.authorize(request("send", json!({}))).await.unwrap();
    // The alert comes when it has connected or when it asks.
    if let Ok(mut late) = post.try_client(Some(&of_old)).await {
        late.authorize(request("send", json!({}))).await.unwrap_err();
    }
    post.counts(&handshakes("bad_certificate"), 1);
}

#[test]
fn a_signal_reads_the_files_again_and_says_what_came_of_it() {
    let post = Post::new(&[]);
    for count in 1..=2 {
        post.serving.signal("HUP");
        post.counts(&reloads("unchanged"), count);
    }
}

/// As the kubelet does: files are links through `..data`, which is a link that is renamed.
#[tokio::test]
async fn a_mounted_secret_is_followed() {
    let authority = Authority::new("Test Root");
    let folder = super::authority::folder(&authority);
    let publish = |name: &str| {
        let secret = folder.path().join("secret");
        fs::create_dir_all(secret.join(name)).unwrap();
        authority.issue(&["localhost"], Valid::Now).write(&secret.join(name), "tls");
        let link = |to: &str, from: &Path| symlink(to, from).unwrap();
        link(name, &secret.join("..tmp"));
        fs::rename(secret.join("..tmp"), secret.join("..data")).unwrap();
        for file in ["tls.crt", "tls.key"] {
            if !secret.join(file).exists() {
                link(&format!("..data/{file}"), &secret.join(file));
            }
        }
    };
    publish("..1");
    let args = ["b.yaml", "--tls-cert", "secret/tls.crt", "--tls-key", "secret/tls.key"];
    let serving = crate::binary::Serving::start(folder.path(), &args);
    let post = Post { folder: tempfile::tempdir().unwrap(), authority: Authority::new("Unused"), serving };
    for count in 1..=2 {
        publish(&format!("..{}", count + 1));
        post.counts(&reloads("applied"), count);
    }
}
