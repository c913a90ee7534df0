//! Beyond this machine nobody listens in the clear by accident.

use super::authority::{Authority, TLS, folder};
use crate::binary::{Serving, run};
use std::fs;

const REFUSED: &str = "would listen in the clear on";

#[test]
fn cleartext_beyond_loopback_is_refused_with_three_ways_out() {
    let folder = folder(&Authority::new("Test Root"));
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = run(folder.path(), &["serve", "b.yaml", "--grpc", address]);
        assert_eq!(refused.code, 2, "{refused:?}");
        let ways =
            ["`tls_cert`, `tls_key`", "loopback or a Unix socket (`uds`)", "`insecure_listen_in_cleartext`"];
        for want in [&format!("--grpc: `grpc` {REFUSED} `{address}`")[..], ways[0], ways[1], ways[2]] {
            assert!(refused.stderr.contains(want), "{want}: {refused:?}");
        }
        let checked = run(folder.path(), &["config", "check", "--grpc", address]);
        assert_eq!(
            (checked.code, checked.stdout.contains(REFUSED) || checked.stderr.contains(REFUSED)),
            (1, true),
            "{checked:?}"
        );
    }
}

#[test]
fn a_certificate_or_the_flag_allow_it() {
    let folder = folder(&Authority::new("Test Root"));
    let all = "0.0.0.0:0";
    let insecure = Serving::start_at(folder.path(), all, &["b.yaml", "--insecure-listen-in-cleartext"]);
    let warned = insecure.log.iter().any(|line| line.to_string().contains("anybody on the network"));
    assert!(warned, "{:?}", insecure.log);
    let secure = Serving::start_at(folder.path(), all, &[&["b.yaml"], &TLS[..]].concat());
    assert!(
        secure.log.iter().all(|line| !line.to_string().contains("anybody on the network")),
        "{:?}",
        secure.log
    );
}

#[test]
fn what_a_collector_is_told_in_secret_needs_tls_beyond_loopback() {
    let folder = folder(&Authority::new("Test Root"));
    fs::write(folder.path().join("headers"), "authorization: Bearer x").unwrap();
    let check = |endpoint: &str| {
        let to = ["--otlp-endpoint", endpoint, "--otlp-headers-file", "headers"];
        run(folder.path(), &[&["config", "check"], &to[..]].concat())
    };
    let refused = check("http://collector.example:4317");
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert_eq!((refused.code, said.contains("unencrypted to `collector.example`")), (1, true), "{said}");
    for endpoint in ["http://127.0.0.1:4317", "http://[::1]:4317", "https://collector.example:4317"] {
        assert_eq!(check(endpoint).code, 0, "{endpoint}");
    }
}

#[test]
fn the_admin_token_needs_tls_beyond_loopback() {
    let folder = folder(&Authority::new("Test Root"));
    fs::write(folder.path().join("token"), "correct-horse-battery-staple").unwrap();
    let open = ["b.yaml", "--admin-token-file", "token"];
    let insecure = ["--grpc", "0.0.0.0:0", "--insecure-listen-in-cleartext"];
    let refused = run(folder.path(), &[&["serve"], &open[..], &insecure[..]].concat());
    assert_eq!(refused.code, 2, "{refused:?}");
    let want = "`insecure_listen_in_cleartext` does not help here";
    assert!(
        refused.stderr.contains("would travel unencrypted") && refused.stderr.contains(want),
        "{refused:?}"
    );
    let serving = Serving::start_at(folder.path(), "0.0.0.0:0", &[&open[..], &TLS[..]].concat());
    let address = format!("https://localhost:{}", serving.grpc.port());
    let list = ["stop", "list", "--admin-token-file", "token", "--address", &address, "--tls-ca", "ca.crt"];
    let listed = run(folder.path(), &list);
    assert_eq!(listed.code, 0, "{listed:?}");
}
