//! An error is kept apart from a denial: the operator's failure mode decides it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::edge::Edge;

const OPEN: (&str, &str) = ("failure_mode_allow: false", "failure_mode_allow: true");

/// Status of a page that is denied by default, and of one that is allowed.
fn both(edge: &Edge) -> (u16, u16) {
    (edge.get("/elsewhere", &[]).status, edge.get("/public/a", &[]).status)
}

#[test]
fn when_nobody_answers_the_failure_mode_decides_and_never_before() {
    for (changes, killed) in [(&[][..], 503), (&[OPEN][..], 200)] {
        let mut edge = Edge::with(changes, &[]);
        assert_eq!(both(&edge), (403, 200));
        assert_eq!(edge.logged("/elsewhere")["details"], "ext_authz_denied");
        drop(edge.serving.take());
        assert_eq!(both(&edge), (killed, killed));
        if killed == 503 {
            let last = edge.get("/late", &[]);
            assert_eq!((last.status, last.body.as_str()), (503, ""));
            assert_eq!(edge.logged("/late")["details"], "ext_authz_error");
        }
    }
}

#[test]
fn before_the_first_bundle_the_failure_mode_decides() {
    let edge = Edge::with(&[], &[("format: tollgate/v1", "format: none")]);
    assert_eq!(both(&edge), (503, 503));
    let edge = Edge::with(&[OPEN], &[("format: tollgate/v1", "format: none")]);
    assert_eq!(both(&edge), (200, 200));
}

#[test]
fn a_mistake_of_the_operators_is_an_error() {
    let action = "context_extensions: {action: payment";
    for wrong in ["kind: nonsense", "\"action.from\": header:x", "\"user.from\": nowhere", "priority: high"] {
        let edge = Edge::with(&[(action, &format!("{action}, {wrong}"))], &[]);
        assert_eq!(edge.get("/payments", &[]).status, 503, "{wrong}");
        assert_eq!(edge.get("/public/a", &[]).status, 200, "{wrong}");
    }
}

#[test]
fn who_does_not_answer_in_time_is_not_waited_for() {
    // It listens, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let timeout = ("0.2s}\n                      # Nobody", "0.3s}\n                      # Nobody");
    let edge = Edge::asking(silent.local_addr().unwrap(), None, folder, &[timeout]);
    let begin = Instant::now();
    assert_eq!(edge.get("/public/a", &[]).status, 503);
    assert!(begin.elapsed() < Duration::from_secs(15), "{:?}", begin.elapsed());
}
