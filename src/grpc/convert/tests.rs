//! What becomes of requests at the edge.

use prost_types::Duration;
use serde_json::json;
use tollgate_engine::model::{ActionKind, Phase};
use tollgate_engine::value::View;
use tonic_types::StatusExt as _;

use super::*;
use crate::pb;

fn object(json: serde_json::Value) -> pb::Struct {
    let serde_json::Value::Object(map) = json else { panic!("an object") };
    map.into()
}

fn named(name: &str) -> pb::AuthorizeRequest {
    let action = pb::Action { name: name.into(), ..Default::default() };
    pb::AuthorizeRequest { action: Some(action), ..Default::default() }
}

fn with_context(json: serde_json::Value) -> pb::AuthorizeRequest {
    pb::AuthorizeRequest { context: Some(object(json)), ..named("send") }
}

fn nested(levels: usize) -> serde_json::Value {
    (1..levels).fold(json!(1), |inner, _| json!({ "a": inner }))
}

fn seconds(seconds: i64, nanos: i32) -> Option<Duration> {
    Some(Duration { seconds, nanos })
}

fn complaint(sent: pb::AuthorizeRequest) -> String {
    Checked::new(sent, &Limits::default()).map_or_else(|wrong| wrong.to_string(), |_| String::new())
}

#[test]
fn each_bound_names_the_field_and_the_remedy() {
    let long = "x".repeat(257);
    let change = |change: fn(&mut pb::AuthorizeRequest)| {
        let mut sent = named("send");
        change(&mut sent);
        sent
    };
    let estimate = |estimate| pb::AuthorizeRequest { estimate: Some(estimate), ..named("send") };
    let cost = |cost| estimate(pb::Estimate { cost: Some(cost), ..Default::default() });
    let lasts = |duration| estimate(pb::Estimate { duration, ..Default::default() });
    for (sent, want) in [
        (pb::AuthorizeRequest::default(), "`action.name` is required; name what is to be done"),
        (named(""), "`action.name` is required; name what is to be done"),
        (named(&long), "`action.name` is a text of 257 bytes; at most 256 are taken"),
        (
            change(|r| r.action.as_mut().unwrap().kind = 8),
            "`action.kind` is 8, which is no kind; send 0 to 7",
        ),
        (change(|r| r.phase = -1), "`phase` is -1, which is no phase; send 0 to 2"),
        (
            change(|r| r.action.as_mut().unwrap().tags = vec![String::new(), "t".repeat(300)]),
            "`action.tags[1]` is a text of 300 bytes; at most 256 are taken",
        ),
        (change(|r| r.grants = vec![String::new(); 9]), "`grants` has 9 elements; at most 8 are taken"),
        (cost(f64::NAN), "`estimate.cost` is NaN; send a number from 0 to 1000000000"),
        (cost(-0.01), "`estimate.cost` is -0.01; send a number from 0 to 1000000000"),
        (cost(f64::INFINITY), "`estimate.cost` is inf; send a number from 0 to 1000000000"),
        (
            estimate(pb::Estimate { tokens: Some(-1), ..Default::default() }),
            "`estimate.tokens` is -1; send 0 or more",
        ),
        (
            lasts(seconds(-1, 0)),
            "`estimate.duration` is -1 s and 0 ns; \
             send 0 to 1000000000 s and 0 to 999999999 ns",
        ),
        (
            lasts(seconds(0, 1_000_000_000)),
            "`estimate.duration` is 0 s and 1000000000 ns; \
             send 0 to 1000000000 s and 0 to 999999999 ns",
        ),
        (
            with_context(json!({ "a": { "b c": ["x", "y".repeat(65_537)] } })),
            "`context.a.b c[1]` is a text of 65537 bytes; at most 65536 are taken",
        ),
        (
            with_context(json!({ long: 1 })),
            "`context.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` has a name of 257 bytes; \
             at most 256 are taken",
        ),
        (
            with_context(json!({ "a": nested(9) })),
            "`context.a.a.a.a.a.a.a.a.a` is nested more than 8 levels deep; send it flatter",
        ),
        (
            with_context(json!({ "a": vec![1; 256] })),
            "`context` holds more than 256 values in all; send fewer",
        ),
    ] {
        assert_eq!(complaint(sent), want);
    }
}

#[test]
fn what_is_within_the_bounds_passes() {
    for sent in [
        named(&"x".repeat(256)),
        with_context(json!({ "a": nested(8) })),
        with_context(json!({ "a": vec![1; 255] })),
        with_context(json!({ "": "\0", "\u{feff}": "y".repeat(65_536) })),
        pb::AuthorizeRequest { time_left: seconds(i64::MAX, 0), ..named("a") },
        pb::AuthorizeRequest { time_left: seconds(-1, 0), ..named("a") },
    ] {
        assert_eq!(complaint(sent), "");
    }
}

#[test]
fn what_is_no_duration_by_the_rules_of_protobuf_is_refused_everywhere() {
    for (seconds, nanos) in [(1, -1), (-1, 1), (0, 1_000_000_000), (0, -1_000_000_000), (i64::MIN, i32::MIN)]
    {
        let bad = Some(prost_types::Duration { seconds, nanos });
        let said = |place: &str, complaint: String| {
            assert!(
                complaint.contains(&format!("`{place}` is {seconds} s and {nanos} ns")),
                "{place}: {complaint}"
            );
        };
        said("time_left", complaint(pb::AuthorizeRequest { time_left: bad, ..named("a") }));
        let estimate = Some(pb::Estimate { duration: bad, ..Default::default() });
        said("estimate.duration", complaint(pb::AuthorizeRequest { estimate, ..named("a") }));
        let id = "01a1fdfa-85bb-719f-a4c7-c719ba5cf1f4".to_owned();
        let report = pb::ReportRequest { decision_id: id, status: 1, duration: bad, ..Default::default() };
        said("duration", super::report::report(&report, &Limits::default()).unwrap_err().to_string());
        let error = |retry_after| pb::ActionError { kind: 1, retry_after, ..Default::default() };
        let asked = |error, time_left| {
            let asked = pb::RetryDecisionRequest { error: Some(error), time_left, ..Default::default() };
            super::report::attempt(&asked, &Limits::default()).unwrap_err().to_string()
        };
        said("error.retry_after", asked(error(bad), None));
        said("time_left", asked(error(None), bad));
    }
}

#[test]
fn a_value_without_a_kind_is_refused() {
    for value in [None, Some(pb::Value { kind: None })] {
        let context = pb::Struct { fields: vec![pb::Entry { key: "a".into(), value }] };
        let sent = pb::AuthorizeRequest { context: Some(context), ..named("send") };
        let want = "`context.a` holds a value without a kind; set one, `null_value` for null";
        assert_eq!(complaint(sent), want);
    }
}

#[test]
fn the_whole_request_has_a_bound_too() {
    let text = "y".repeat(60_000);
    let texts = |n: usize| with_context((0..n).map(|i| (i.to_string(), json!(text))).collect());
    assert_eq!(complaint(texts(17)), "");
    let complaint = complaint(texts(18));
    assert!(complaint.starts_with("`request` has 1080"), "{complaint}");
    assert!(complaint.ends_with(" bytes; at most 1048576 are taken"), "{complaint}");
}

#[test]
fn all_that_is_wrong_is_told_in_the_details_as_far_as_a_header_holds_it() {
    let mut sent = with_context((0..20).map(|i| (i.to_string(), json!("y".repeat(70_000)))).collect());
    sent.phase = 9;
    let wrong = Checked::new(sent, &Limits::default()).unwrap_err();
    let status = tonic::Status::from(wrong);
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    let message = "`context.0` is a text of 70000 bytes; at most 65536 are taken (and 21 more fields)";
    assert_eq!(status.message(), message);
    let told = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(told.len(), 8);
    assert_eq!(told[1].field, "context.1");
    assert_eq!(told[1].description, "is a text of 70000 bytes; at most 65536 are taken");
    assert!(status.details().len() < 4_096);
}

#[test]
fn every_field_reaches_the_engine() {
    let text = |text: &str| text.to_owned();
    let sent = pb::AuthorizeRequest {
        subject: Some(pb::Subject {
            agent: text("agent"),
            user: text("user"),
            tenant: text("tenant"),
            app: text("app"),
            workflow: text("workflow"),
            run: text("run"),
            roles: vec![text("role")],
        }),
        action: Some(pb::Action {
            name: text("name"),
            kind: pb::ActionKind::WaitSignal.into(),
            tool: text("tool"),
            provider: text("provider"),
            model: text("model"),
            pipeline: text("pipeline"),
            stage: text("stage"),
            handler: text("handler"),
            tags: vec![text("tag")],
        }),
        context: Some(object(json!({ "z": 1, "a": { "b": [true, null] } }))),
        environment: text("environment"),
        mode: text("mode"),
        phase: pb::Phase::Enqueue.into(),
        priority: Some(-3),
        estimate: Some(pb::Estimate {
            cost: Some(0.25),
            tokens: Some(7),
            compute: Some(8),
            duration: seconds(1, 500_000_000),
        }),
        batch_id: text("batch"),
        request_id: text("request"),
        attempt: 4,
        grants: vec![text("grant")],
        dry_run: true,
        time_left: seconds(9, 0),
    };
    let checked = Checked::new(sent, &Limits::default()).unwrap();
    let request = checked.request();
    let (subject, action) = (request.subject, request.action);
    let texts = [
        subject.agent,
        subject.user,
        subject.tenant,
        subject.app,
        subject.workflow,
        subject.run,
        action.name,
        action.tool,
        action.provider,
        action.model,
        action.pipeline,
        action.stage,
        action.handler,
        request.environment,
        request.mode,
        request.batch_id,
        request.request_id,
    ];
    let want = [
        "agent",
        "user",
        "tenant",
        "app",
        "workflow",
        "run",
        "name",
        "tool",
        "provider",
        "model",
        "pipeline",
        "stage",
        "handler",
        "environment",
        "mode",
        "batch",
        "request",
    ];
    assert_eq!(texts, want);
    assert!(matches!(subject.roles.at(0), Some(View::Str("role"))));
    assert!(matches!(action.tags.at(0), Some(View::Str("tag"))));
    assert_eq!((action.kind, request.phase), (Some(ActionKind::WaitSignal), Phase::Enqueue));
    assert_eq!((request.priority, request.attempt), (Some(-3), 4));
    let estimate = request.estimate;
    assert_eq!(estimate.cost.map(tollgate_engine::unit::Money::units), Some(0.25));
    assert_eq!((estimate.tokens, estimate.compute), (Some(7), Some(8)));
    assert_eq!(estimate.duration.map(tollgate_engine::unit::Span::seconds), Some(1.5));
    assert_eq!(request.time_left.map(tollgate_engine::unit::Span::seconds), Some(9.0));
    assert!(!request.grants.is_empty() && request.dry_run);
    let Some(View::Map(inner)) = request.context.field("a") else { panic!("a map") };
    let Some(View::List(list)) = inner.field("b") else { panic!("a list") };
    assert!(matches!((list.at(0), list.at(1)), (Some(View::Bool(true)), Some(View::Null))));
    assert!(matches!(request.context.field("z"), Some(View::Number(1.0))));
}
