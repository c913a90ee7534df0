//! The filter `ratelimit`: limits, and the headers that tell of them.

use super::edge::Edge;

/// What is left by the header of the draft, of the limit over 90 seconds.
fn left(told: &str) -> u64 {
    let rest = told.strip_prefix("\"address-per-90-seconds\";r=").unwrap_or_else(|| panic!("{told}"));
    rest.split(';').next().unwrap().parse().unwrap()
}

#[test]
fn a_limit_is_told_and_held_and_a_refusal_charges_nothing() {
    let edge = Edge::start();
    let get = |run: &str, path: &str| edge.get(path, &[("x-run-id", run)]);
    for used in 1..=3 {
        let reply = get("one", "/tools/sql");
        assert_eq!(reply.status, 200, "{reply:?}");
        let limits = r#"3, 3;w=60;name="sql-per-run", 100;w=60;name="sql-at-all""#;
        assert_eq!(reply.header("x-ratelimit-limit"), Some(limits), "{reply:?}");
        let remaining = (3 - used).to_string();
        assert_eq!(reply.header("x-ratelimit-remaining"), Some(remaining.as_str()), "{reply:?}");
        let reset: u64 = reply.header("x-ratelimit-reset").unwrap().parse().unwrap();
        assert!(reset <= 60, "{reply:?}");
        // A window that Envoy has no word for is told by headers of our own.
        assert_eq!(left(reply.header("ratelimit").unwrap()), 40 - used, "{reply:?}");
        assert_eq!(
            reply.header("ratelimit-policy"),
            Some("\"address-per-90-seconds\";q=40;w=90"),
            "{reply:?}"
        );
    }
    for number in 0..3 {
        let path = format!("/tools/sql?{number}");
        let reply = get("one", &path);
        assert_eq!((reply.status, reply.header("x-envoy-ratelimited")), (429, Some("true")), "{reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
        assert_eq!(reply.json()["reason_code"], "rate_limited", "{reply:?}");
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{reply:?}");
        assert_eq!(reply.header("x-ratelimit-remaining"), Some("0"), "{reply:?}");
        assert_eq!(left(reply.header("ratelimit").unwrap()), 37, "{reply:?}");
        let logged = edge.logged(&path);
        assert_eq!(logged["limit"]["guardrail"], "sql-per-run", "{logged}");
        assert_eq!(logged["limit"]["effect"], "THROTTLE", "{logged}");
    }
    assert_eq!(get("two", "/tools/sql").status, 200);
    // Without the header only the longer descriptor is missing.
    let reply = edge.get("/tools/sql", &[]);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("x-ratelimit-limit"), Some("100, 100;w=60;name=\"sql-at-all\""), "{reply:?}");
    // What has no descriptors is not asked about.
    assert_eq!(edge.get("/public/a", &[]).header("x-ratelimit-limit"), None);
}
