//! What is wrong with a step is said at its place, with what to write instead.

use crate::read::{Bounds, SourceFile};
use crate::simulate::read;

/// Message and remedy of the only mistake in a step that follows one called `a`.
fn mistake(step: &str) -> String {
    let text = format!(
        "cases:\n  - name: s\n    sequence:\n      - {{at: 2s, authorize: {{action: {{name: x}}}}, as: a, repeat: 2}}\n      - {step}\n"
    );
    let reading = read(&SourceFile { name: "b.test.yaml", bytes: text.as_bytes() }, &Bounds::default());
    assert!(reading.suite.is_none(), "{step} is taken");
    let [finding] = reading.findings.as_slice() else { panic!("{step}: {:#?}", reading.findings) };
    assert_eq!(finding.place.line, 5, "{step}");
    format!("{}; {}", finding.message, finding.suggestion.as_deref().unwrap_or_default())
}

#[test]
fn each_mistake_is_said_with_its_remedy() {
    for (step, wants) in [
        ("{}", ["this one does 0", "write one of `authorize`"]),
        (
            "{at: 1s, authorize: {action: {name: x}}}",
            ["`at` is 1s, and the step before it is at 2s", "in its order"],
        ),
        ("{at: soon, authorize: {action: {name: x}}}", ["`at` is no time", "`4999ms`"]),
        ("{authorize: {action: {name: x}}, as: a}", ["`as` is `a`, as at line 4", "another name"]),
        ("{authorize: {action: {name: x}}, as: 'b#1'}", ["`as` is `b#1`", "without `#`"]),
        ("{budget: {}, as: b}", ["`budget` takes none", "leave it out"]),
        ("{report: {of: b, status: SUCCESS}}", ["no step before this one", "write `a`"]),
        ("{report: {of: 'a#3', status: SUCCESS}}", ["`of` is `a#3`", "`null`"]),
        ("{report: {of: 'a#1#1', status: SUCCESS}}", ["`of` is `a#1#1`", "`null`"]),
        ("{report: {status: SUCCESS}}", ["needs `of`", "add `of`"]),
        ("{report: {of: a, status: SUCESS}}", ["cannot be `SUCESS`", "write `SUCCESS`"]),
        ("{report: {of: a, status: SUCCESS, cost: -1}}", ["`cost` is -1", "from 0"]),
        ("{retry: {action: {name: x}}}", ["`retry` needs `error`", "kind: TRANSIENT"]),
        ("{retry: {action: {name: x}, error: {kind: FATAL}}}", ["cannot be `FATAL`", "`PERMANENT`"]),
        (
            "{retry: {action: {name: x}, dry_run: true, error: {kind: TIMEOUT}}}",
            ["no field of `retry`", "leave it out"],
        ),
        ("{budget: {attempt: 1}}", ["no field of `budget`", "leave it out"]),
        ("{reload: 5}", ["`reload` is a number", "path of a bundle"]),
        ("{operator: {guardrail: g, set: shut}}", ["cannot be `shut`", "`force_open`"]),
        ("{operator: {set: reset}}", ["needs `guardrail`", "add"]),
        (
            "{operator: {guardrail: g, set: reset}, repeat: 2}",
            ["does not go with `operator`", "leave it out"],
        ),
        ("{authorize: {action: {name: x}}, parallel: true}", ["done once", "add `repeat`"]),
        ("{authorize: {action: {name: x}}, repeat: 0}", ["`repeat` is 0", "from 1 to 10000"]),
        (
            "{report: {of: a, status: SUCCESS}, repeat: 10000, expect: {effect: ALLOW}}",
            ["an answer has no `effect`", "`result`"],
        ),
        (
            "{authorize: {action: {name: x}}, expect: {breaker: {b: opened}}}",
            ["is never `opened`", "write `open`"],
        ),
        (
            "{authorize: {action: {name: x}}, expect: {counts: {ALLOWED: 1}}}",
            ["no `ALLOWED`", "write `ALLOW`"],
        ),
        (
            "{authorize_batch: [{action: {name: x}}], expect: {responses: {}}}",
            ["`responses` is a map", "a list"],
        ),
        ("{authorise: {action: {name: x}}, budget: {}}", ["`authorise` is no field", "write `authorize`"]),
    ] {
        let got = mistake(step);
        assert!(wants.iter().all(|want| got.contains(want)), "{step}: {got}");
    }
}

#[test]
fn answers_are_bounded() {
    let items = vec!["{action: {name: x}}"; 20].join(", ");
    let got = mistake(&format!("{{authorize_batch: [{items}], repeat: 10000}}"));
    assert!(got.contains("makes 200000 answers; at most 100000"), "{got}");
}
