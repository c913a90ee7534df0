//! What a server does not start with.

use super::authority::{Authority, Issued, TLS, Valid, folder, replace};
use crate::binary::{Serving, ended, run, tollgate};
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, crypto::aws_lc_rs};

#[test]
fn a_file_that_cannot_be_used_ends_the_start_with_its_name_and_the_remedy() {
    let authority = Authority::new("Test Root");
    let folder = folder(&authority);
    let at = |name: &str| folder.path().join(name);
    let good =
        ["server.crt", "server.key", "ca.crt"].map(|name| (name, fs::read_to_string(at(name)).unwrap()));
    let past = authority.issue(&["localhost"], Valid::Past);
    let future = authority.issue(&["localhost"], Valid::Future);
    let other = authority.issue(&["localhost"], Valid::Now);
    for (file, text, want) in [
        ("server.crt", &*past.cert, "the certificate expired at 2021-01-01T00:00:00Z; renew it"),
        ("server.crt", &future.cert, "wait, or set this machine's clock right"),
        ("server.crt", &other.key, "holds no certificate; it holds a private key"),
        ("server.key", &other.key, "the private key does not fit the first certificate of"),
        ("server.key", "", "holds no private key; it is empty; `tls_key` takes PEM"),
        ("ca.crt", "", "holds no certificate; it is empty; `tls_client_ca` takes PEM"),
    ] {
        replace(&at(file), text);
        let refused =
            run(folder.path(), &[&["serve", "b.yaml", "--tls-client-ca", "ca.crt"], &TLS[..]].concat());
        assert_eq!(refused.code, 3, "{refused:?}");
        assert!(refused.stderr.contains(&format!("{file}: ")), "{file}: {refused:?}");
        assert!(refused.stderr.contains(want), "{want}: {refused:?}");
        for (name, text) in &good {
            replace(&at(name), text);
        }
    }
    for (args, want) in [
        (&["--tls-cert", "server.crt"][..], "`tls_cert` is set and `tls_key` is not"),
        (&["--tls-key", "server.key"], "`tls_key` is set and `tls_cert` is not"),
        (&["--tls-client-ca", "ca.crt"], "`tls_client_ca` is set and `tls_cert` is not"),
        (&["--tls-cert", "a", "--tls-key", "b", "--tls-client-names", "x"], "`tls_client_ca` is not"),
        (&["--tls-client-names", "a.[x"], "in `a.[x` `[` has no partner"),
    ] {
        let refused = run(folder.path(), &[&["serve", "b.yaml"], args].concat());
        assert_eq!((refused.code, refused.stderr.contains(want)), (2, true), "{refused:?}");
    }
}

#[test]
fn a_key_that_others_may_read_is_warned_of() {
    let folder = folder(&Authority::new("Test Root"));
    fs::set_permissions(folder.path().join("server.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let serving = Serving::start(folder.path(), &[&["b.yaml"], &TLS[..]].concat());
    let warned = serving.log.iter().any(|line| line.to_string().contains("run `chmod 600 server.key`"));
    assert!(warned, "{:?}", serving.log);
}

#[test]
fn patterns_may_stand_as_a_list() {
    let folder = folder(&Authority::new("Test Root"));
    let file = "tls_client_names: ['spiffe://prod/**', '*.example']\ntls_client_ca: ca.crt\n";
    fs::write(folder.path().join("c.yaml"), format!("{file}tls_cert: server.crt\ntls_key: server.key\n"))
        .unwrap();
    let shown = run(folder.path(), &["config", "show", "--config", "c.yaml"]);
    assert!(shown.stdout.contains("spiffe://prod/** *.example"), "{shown:?}");
}

#[test]
fn a_list_of_no_names_does_not_let_in_everybody() {
    let folder = folder(&Authority::new("Test Root"));
    let file = "tls_client_ca: ca.crt\ntls_cert: server.crt\ntls_key: server.key\n";
    for names in ["[]", "", "''", "' , '"] {
        fs::write(folder.path().join("c.yaml"), format!("{file}tls_client_names: {names}\n")).unwrap();
        let refused = run(folder.path(), &["config", "check", "--config", "c.yaml"]);
        assert_ne!(refused.code, 0, "{names}: {refused:?}");
        assert!(
            [&refused.stdout, &refused.stderr].iter().any(|text| text.contains("names nobody")),
            "{refused:?}"
        );
    }
    fs::write(folder.path().join("c.yaml"), format!("{file}tls_client_names: ann@example.com\n")).unwrap();
    for names in ["", " ", ","] {
        let mut command = tollgate(folder.path(), &["serve", "b.yaml", "--config", "c.yaml"]);
        let refused = ended(command.env("TOLLGATE_TLS_CLIENT_NAMES", names));
        let want = "TOLLGATE_TLS_CLIENT_NAMES: `tls_client_names` is set and names nobody";
        assert_eq!((refused.code, refused.stderr.contains(want)), (2, true), "`{names}`: {refused:?}");
    }
}

#[test]
fn a_certificate_that_nobody_would_be_shown_is_refused() {
    let folder = folder(&Authority::new("Test Root"));
    let socket = &["--grpc", "none", "--uds", "grpc.sock"][..];
    let refused = run(folder.path(), &[&["serve", "b.yaml"], socket, &TLS[..]].concat());
    let want = "--tls-cert: `tls_cert` is set and nothing that speaks TLS listens";
    assert_eq!((refused.code, refused.stderr.contains(want)), (2, true), "{refused:?}");
    let http = ["--http", "127.0.0.1:0"];
    let checked = run(folder.path(), &[&["config", "check"], socket, &TLS[..], &http].concat());
    assert_eq!(checked.code, 0, "{checked:?}");
}

/// Somebody who speaks TLS with this certificate, whatever it is.
pub fn serve_anything(issued: &Issued) -> SocketAddr {
    let chain = vec![CertificateDer::from_pem_slice(issued.cert.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        while connection.complete_io(&mut stream).is_ok() && connection.is_handshaking() {}
    });
    address
}
