//! Requests as documents.

use super::{SourceFile, told};
use crate::model::{ActionKind, Phase};
use crate::read::request::{Reading, RequestBounds, RequestDocument, read};
use crate::unit::{Money, Span};
use crate::value::Const;

fn reading(text: &str) -> Reading {
    read(&SourceFile { name: "r.yaml", bytes: text.as_bytes() }, &RequestBounds::default())
}

#[track_caller]
fn request(text: &str) -> RequestDocument {
    let reading = reading(text);
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    reading.request.unwrap()
}

#[test]
fn every_field_is_read_in_both_spellings() {
    let snake = "{subject: {agent: a, user: u, tenant: t, app: p, workflow: w, run: r, roles: [x]}, action: {name: n, kind: TASK, tool: t, provider: p, model: m, pipeline: l, stage: s, handler: h, tags: [y]}, context: {risk_score: 90, nested: {a: [1]}}, environment: e, mode: auto, phase: ENQUEUE, priority: -3, estimate: {cost: 0.1, tokens: 4000, compute: 2, duration: 90s}, batch_id: b, request_id: q, attempt: 2, grants: [g], dry_run: true, time_left: 1.5}";
    let camel = snake.replace("batch_id", "batchId").replace("request_id", "requestId");
    let camel = camel.replace("dry_run", "dryRun").replace("time_left", "timeLeft");
    for text in [snake, &camel] {
        let document = request(text);
        let r = document.request();
        assert_eq!((r.subject.agent, r.subject.run, r.subject.roles.len()), ("a", "r", 1));
        assert_eq!((r.action.name, r.action.kind, r.action.handler), ("n", Some(ActionKind::Task), "h"));
        assert_eq!((r.action.tags.len(), r.context.len(), r.environment, r.mode), (1, 2, "e", "auto"));
        assert_eq!((r.phase, r.priority, r.attempt, r.dry_run), (Phase::Enqueue, Some(-3), 2, true));
        assert_eq!((r.estimate.cost, r.estimate.tokens), (Money::from_units(0.1), Some(4000)));
        assert_eq!(r.estimate.duration, Some(Span::from_nanos(90_000_000_000)));
        assert_eq!((r.batch_id, r.request_id, r.grants.len()), ("b", "q", 1));
        assert_eq!(r.time_left, Some(Span::from_nanos(1_500_000_000)));
    }
}

#[test]
fn null_and_nothing_are_absence_but_in_the_context() {
    let document = request(
        "{action: {name: n, kind: null}, subject: null, context: {a: null}, priority: ~, estimate: {}}",
    );
    assert_eq!((document.priority, document.action.kind), (None, None));
    assert_eq!(document.context.get("a"), Some(&Const::Null));
}

#[test]
fn enums_are_read_in_either_case_with_or_without_prefix() {
    for (text, want) in [
        ("WAIT_SIGNAL", Some(ActionKind::WaitSignal)),
        ("llm", Some(ActionKind::Llm)),
        ("ACTION_KIND_TOOL", Some(ActionKind::Tool)),
        ("action_kind_other", Some(ActionKind::Other)),
        ("ACTION_KIND_UNSPECIFIED", None),
    ] {
        assert_eq!(request(&format!("{{action: {{name: n, kind: {text}}}}}")).action.kind, want, "{text}");
    }
    for text in ["DISPATCH", "PHASE_DISPATCH", "PHASE_UNSPECIFIED", "dispatch"] {
        assert_eq!(
            request(&format!("{{action: {{name: n}}, phase: {text}}}")).phase,
            Phase::Dispatch,
            "{text}"
        );
    }
}

#[test]
fn durations_are_seconds_or_say_their_unit() {
    for (text, nanos) in [
        ("1.5", 1_500_000_000),
        ("1.5s", 1_500_000_000),
        ("300ms", 300_000_000),
        ("4999ms", 4_999_000_000),
        ("2m", 120_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("0s", 0),
        ("10us", 10_000),
        ("7ns", 7),
    ] {
        let left = request(&format!("{{action: {{name: n}}, time_left: {text}}}")).time_left;
        assert_eq!(left, Some(Span::from_nanos(nanos)), "{text}");
    }
    for text in ["-1s", "s", "1", "1x", "1s2", "''", "1..2s", "2000000000s", "١s"] {
        let reading = reading(&format!("{{action: {{name: n}}, time_left: '{text}'}}"));
        assert!(told(&reading.findings[0]).contains("no span of time"), "{text}");
        assert!(reading.request.is_none());
    }
}

#[test]
fn a_context_may_hold_what_a_struct_can() {
    let context = request("{action: {name: n}, context: {a: .nan, b: -.inf, c: 1e300}}").context;
    assert!(matches!(context.get("a"), Some(Const::Number(n)) if n.is_nan()));
    assert_eq!(context.get("b"), Some(&Const::Number(f64::NEG_INFINITY)));
}

#[test]
fn what_is_wrong_says_where_and_what_to_write() {
    let long = "x".repeat(257);
    let context = |inside: &str| format!("{{action: {{name: n}}, context: {inside}}}");
    let deep = |n: usize| context(&format!("{{a: {}1{}}}", "[".repeat(n), "]".repeat(n)));
    for (text, start, also) in [
        ("{}".to_owned(), "missing-field 1:1 a request needs `action`", "add"),
        ("{action: {}}".into(), "missing-field 1:10 `action` needs `name`", "name what"),
        ("{action: {name: ''}}".into(), "missing-field 1:10 `action` needs `name`", "name what"),
        ("{action: {name: 5}}".into(), "wrong-type 1:17 `name` is a number", "quotes"),
        (
            "{action: {name: n}, contxt: {}}".into(),
            "unknown-field 1:21 `contxt` is no field of a request",
            "write `context`",
        ),
        ("{action: {name: n, kind: tol}}".into(), "bad-value 1:26 `kind` cannot be `tol`", "write `TOOL`"),
        (
            "{action: {name: n}, phase: any}".into(),
            "bad-value 1:28 `phase` cannot be `any`",
            "`dispatch`, `enqueue`",
        ),
        ("{action: {name: n}, priority: 0.5}".into(), "bad-value 1:31 `priority` is 0.5", "whole"),
        ("{action: {name: n}, attempt: -1}".into(), "bad-value 1:30 `attempt` is -1", "from 0"),
        ("{action: {name: n}, estimate: {cost: .nan}}".into(), "bad-value 1:38 `cost` is NaN", "from 0"),
        ("{action: {name: n}, estimate: {tokens: 1.5}}".into(), "bad-value 1:40 `tokens` is 1.5", "whole"),
        (
            "{action: {name: n}, subject: {roles: admin}}".into(),
            "wrong-type 1:38 `roles` is text",
            "write a list",
        ),
        ("{action: {name: n}, context: [1]}".into(), "wrong-type 1:30 `context` is a list", "write a map"),
        (
            format!("{{action: {{name: {long}}}}}"),
            "out-of-bounds 1:17 `name` is a text of 257 bytes; at most 256",
            "send less",
        ),
        (context(&format!("{{{long}: 1}}")), "out-of-bounds 1:290 `xxx", "is a name of 257 bytes"),
        (
            context(&format!("{{a: [{}1]}}", "1, ".repeat(255))),
            "out-of-bounds 1:800 `context` holds more than 256",
            "send less",
        ),
        (deep(8), "out-of-bounds 1:42 `a` is nested more than 8 levels", "send less"),
        (deep(30), "out-of-bounds 1:44 lists and maps are nested deeper than 11", "flatten"),
        (
            format!("{{action: {{name: n}}, grants: [{}g]}}", "g, ".repeat(8)),
            "out-of-bounds 1:29 `grants` has 9 elements",
            "at most 8",
        ),
        (" ".repeat((1 << 20) + 1), "out-of-bounds 0:0 the file has 1048577 bytes", "at most 1048576"),
    ] {
        let reading = reading(&text);
        let told: Vec<String> = reading.findings.iter().map(told).collect();
        let [only] = told.as_slice() else { panic!("{text}\n{told:?}") };
        assert!(only.starts_with(start) && only.contains(also), "{only}\nwant {start} .. {also}");
        assert!(reading.request.is_none());
    }
    request(&deep(7));
    request(&context(&format!("{{a: [{}1]}}", "1, ".repeat(254))));
}

#[test]
fn all_that_is_wrong_is_reported() {
    let reading = reading("{action: {kind: x}, phase: y, priority: z, subject: {agent: [], usr: 1}}");
    assert_eq!(reading.findings.len(), 6, "{:#?}", reading.findings);
}
