//! The data plane without any edge.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tollgate_engine::decide::{Action, Estimate, Grant, Question, Request, Subject};
use tollgate_engine::model::{Phase, ReasonCode};
use tollgate_engine::time::WallTime;
use tollgate_engine::value::{Const, ConstMap, Fields, View};

use super::{DataPlane, Offer, Options, Outcome, State, lock};
use crate::clock::Clock;
use crate::telemetry::metrics::AtScrape as _;
use crate::telemetry::page::{Format, Page};

mod approving;
mod counting;
mod guarding;
mod happened;
mod operating;
mod restart;

static NOTHING: &[&str] = &[];

pub(super) fn constant(json: serde_json::Value) -> Const {
    use serde_json::Value as Json;
    match json {
        Json::Null => Const::Null,
        Json::Bool(b) => Const::Bool(b),
        Json::Number(n) => Const::Number(n.as_f64().unwrap()),
        Json::String(text) => Const::Str(text.into()),
        Json::Array(items) => Const::List(items.into_iter().map(constant).collect()),
        Json::Object(map) => Const::Map(map.into_iter().map(|(k, v)| (k.into(), constant(v))).collect()),
    }
}

pub(super) fn context(json: serde_json::Value) -> ConstMap {
    let Const::Map(map) = constant(json) else { panic!("an object") };
    map
}

pub(super) fn request(context: &ConstMap) -> Request<'_> {
    Request {
        subject: Subject {
            agent: "inbox",
            user: "",
            tenant: "",
            app: "",
            workflow: "",
            run: "",
            roles: &NOTHING,
        },
        action: Action {
            name: "send",
            kind: None,
            tool: "",
            provider: "",
            model: "",
            pipeline: "",
            stage: "",
            handler: "",
            tags: &NOTHING,
        },
        context,
        environment: "",
        mode: "",
        phase: Phase::Dispatch,
        priority: None,
        estimate: Estimate::default(),
        request_id: "",
        batch_id: "",
        attempt: 0,
        grants: &NOTHING,
        grant: Grant::None,
        dry_run: false,
        time_left: None,
        question: Question::MayRun,
    }
}

const RULES: &str = "
format: tollgate/v1
version: 1.0.0
rules:
  - {id: allow-send, agent: inbox, action: send, conditions: {ok: true}, effect: allow, reason: It may be sent}
";

fn plane(options: Options) -> Arc<DataPlane> {
    DataPlane::new(options, Clock::manual(WallTime::from_nanos(1_700_000_000_000_000_000))).unwrap()
}

fn in_dir(dir: &Path) -> Options {
    Options { state_dir: Some(dir.to_owned()), ..Options::default() }
}

fn offer(text: &str) -> Offer {
    Offer { name: "a.yaml".into(), files: vec![("a.yaml".into(), text.into())] }
}

fn install(plane: &DataPlane, text: &str) {
    let outcome = plane.offer(&offer(text));
    assert!(matches!(outcome, Outcome::Applied), "{outcome:?}");
}

fn rejected(plane: &DataPlane, text: &str) -> String {
    match plane.offer(&offer(text)) {
        Outcome::Rejected(refusal) => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

fn ask(plane: &DataPlane) -> (&'static str, ReasonCode, Option<bool>) {
    let context = context(json!({"ok": true}));
    plane.authorize(&request(&context), |answer| {
        let stale = answer.bundle.map(|bundle| bundle.stale);
        (answer.effect_name(), answer.decision.reason_code, stale)
    })
}

#[test]
fn a_refused_update_changes_the_state_and_nothing_else() {
    let plane = plane(Options::default());
    assert_eq!(ask(&plane), ("DENY", ReasonCode::NoBundle, None));
    let error = rejected(&plane, "format: tollgate/v1\nversion: 1\n");
    assert!(error.starts_with("a.yaml:2:"), "{error}");
    assert_eq!((plane.status().state, plane.is_ready()), (State::NotReady, false));

    install(&plane, RULES);
    assert_eq!(ask(&plane), ("ALLOW", ReasonCode::Rule, Some(false)));
    rejected(&plane, "");
    assert_eq!(ask(&plane), ("ALLOW", ReasonCode::Rule, Some(true)));
    let status = plane.status();
    assert_eq!((status.state, status.ready, status.stale), (State::ReadyLkg, true, true));
    assert_eq!(status.last_error.unwrap().at, "2023-11-14T22:13:20Z");

    assert!(matches!(plane.offer(&offer(RULES)), Outcome::Unchanged));
    assert_eq!(ask(&plane), ("ALLOW", ReasonCode::Rule, Some(false)));
    let status = plane.status();
    let updates = status.updates;
    assert_eq!((updates.applied, updates.unchanged, updates.rejected), (1, 1, 2));
    assert!(status.last_error.is_none());
    assert_eq!(status.decisions, 4);
}

#[test]
fn the_status_is_json_that_a_program_reads() {
    let plane = plane(Options::default());
    install(&plane, RULES);
    plane.clock().advance(1_500_000_000);
    let mut status = serde_json::to_value(plane.status()).unwrap();
    let digest = status["bundle"]["digest"].take();
    assert!(digest.as_str().unwrap().starts_with("sha256:"));
    let instance = status["instance"].take();
    let want = json!({
        "state": "READY", "ready": true, "stale": false, "environment": "default",
        "instance": null, "engine": env!("CARGO_PKG_VERSION"), "state_file": null,
        "bundle": {
            "version": "1.0.0", "digest": null, "arm": "STABLE", "source": "a.yaml",
            "loaded_at": "2023-11-14T22:13:20Z", "age_seconds": 1.5,
            "rules": 1, "guardrails": 0,
        },
        "last_error": null,
        "updates": {"applied": 1, "unchanged": 0, "rejected": 0},
        "decisions": 0, "open_decisions": 0,
    });
    assert_eq!(status, want);
    rejected(&plane, "version: 1.0.0");
    let status = serde_json::to_value(plane.status()).unwrap();
    assert_eq!(status["instance"], instance);
    assert_eq!(status["last_error"]["source"], json!("a.yaml"));
    assert!(status["last_error"]["findings"][0].is_string(), "{status}");
}

#[test]
fn the_last_good_bundle_serves_after_a_restart_until_a_source_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let first = plane(in_dir(dir.path()));
    install(&first, RULES);
    rejected(&first, "nonsense");
    drop(first);
    let second = plane(in_dir(dir.path()));
    assert!(second.is_ready());
    assert_eq!(second.status().state, State::ReadyLkg);
    assert_eq!(ask(&second), ("ALLOW", ReasonCode::Rule, Some(true)));
    assert!(matches!(second.offer(&offer(RULES)), Outcome::Unchanged));
    assert_eq!(ask(&second), ("ALLOW", ReasonCode::Rule, Some(false)));
}

#[test]
fn an_instance_outlives_a_clean_end_only() {
    let dir = tempfile::tempdir().unwrap();
    let instance = || {
        let plane = plane(in_dir(dir.path()));
        let instance = plane.status().instance;
        (plane, instance)
    };
    let (first, one) = instance();
    first.close();
    drop(first);
    let (second, two) = instance();
    assert_eq!(one, two);
    drop(second);
    let (_, three) = instance();
    assert_ne!(two, three, "it ended without `close`");
}

#[derive(Debug)]
struct Panics;

impl Fields for Panics {
    fn len(&self) -> usize {
        1
    }
    fn field(&self, _: &str) -> Option<View<'_>> {
        panic!("on purpose")
    }
    fn each<'a>(&'a self, _: &mut dyn FnMut(&'a str, View<'a>)) {}
}

#[test]
fn a_panic_leaves_the_thread_fit_for_the_next_request() {
    let plane = plane(Options::default());
    install(&plane, RULES);
    ask(&plane);
    let nothing = ConstMap::new();
    let hostile = Request { context: &Panics, ..request(&nothing) };
    for _ in 0..3 {
        let asked = AssertUnwindSafe(|| plane.authorize(&hostile, |_| ()));
        assert!(catch_unwind(asked).is_err());
        assert_eq!(ask(&plane), ("ALLOW", ReasonCode::Rule, Some(false)));
    }
    assert_eq!(plane.status().decisions, 4);
}

#[test]
fn a_dry_run_is_not_counted_and_answers_the_same() {
    let plane = plane(Options::default());
    install(&plane, RULES);
    let context = context(json!({"ok": true}));
    let dry = Request { dry_run: true, ..request(&context) };
    assert!(plane.authorize(&dry, |answer| answer.is_allowed()));
    assert_eq!(plane.status().decisions, 0);
}

#[test]
fn a_replaced_bundle_is_freed_when_nobody_reads_it() {
    let plane = plane(Options::default());
    install(&plane, RULES);
    ask(&plane);
    install(&plane, &RULES.replace("1.0.0", "1.0.1"));
    assert_eq!(lock(&plane.retired).len(), 1, "this thread still looks at it");
    ask(&plane);
    plane.free_retired();
    assert_eq!(lock(&plane.retired).len(), 0);
}

#[test]
fn every_answer_is_of_one_bundle_while_bundles_are_swapped() {
    let plane = plane(Options::default());
    let bundle =
        |n: usize| RULES.replace("1.0.0", &format!("{n}.0.0")).replace("allow-send", &format!("allow-{n}-x"));
    install(&plane, &bundle(0));
    let context = context(json!({"ok": true}));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = || {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    plane.authorize(&request(&context), |answer| {
                        let version = answer.bundle.unwrap().version;
                        let n: usize = version.strip_suffix(".0.0").unwrap().parse().unwrap();
                        let rule = answer.decision.rule.unwrap().as_str();
                        assert_eq!(rule, format!("allow-{n}-x"));
                        assert!(n >= last, "{n} after {last}");
                        last = n;
                    });
                }
            })
        };
        let threads: Vec<_> = (0..3).map(|_| asking()).collect();
        (1..200).for_each(|n| install(&plane, &bundle(n)));
        done.store(true, Ordering::Relaxed);
        // The end of the scope alone does not wait until threads have dropped what they keep.
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    plane.free_retired();
    assert_eq!(lock(&plane.retired).len(), 0);
}

#[test]
fn metrics_carry_the_bundles_own_names_only() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let plane = plane(Options::default());
    install(&plane, RULES);
    ask(&plane);
    let empty = ConstMap::new();
    let mut stranger = request(&empty);
    stranger.subject.agent = "stranger";
    plane.authorize(&stranger, |_| ());
    let mut page = Page::default();
    metrics::with_local_recorder(&recorder, || plane.hand_over(&mut page));
    let text = handle.render() + &page.render(Format::Text);
    for want in [
        r#"tollgate_decisions_total{arm="STABLE",effect="ALLOW",reason_code="rule",phase="DISPATCH",agent="inbox",action="send"} 1"#,
        r#"tollgate_decisions_total{arm="STABLE",effect="DENY",reason_code="default_deny",phase="DISPATCH",agent="other",action="send"} 1"#,
        "tollgate_bundle_age_seconds 0",
        "tollgate_decision_duration_seconds_count 2",
    ] {
        assert!(text.lines().any(|line| line == want), "{want}\n{text}");
    }
    assert!(text.contains(r#"tollgate_bundle_info{version="1.0.0",digest="sha256:"#), "{text}");
}
