//! Suites against a small bundle.

use super::{Coverage, Missing, Reading, Verdict, read, run};
use crate::compile::{self, Compiled};
use crate::read::{Bounds, SourceFile, bundle};

const BUNDLE: &str = r"
format: tollgate/v1
version: 1.0.0
rules:
  - {id: allow-low, action: pay, conditions: {amount: {'<': 10}, ok: true}, effect: allow, reason: Small amounts}
  - {id: deny-all-else, action: refund, effect: deny, disposition: drop, reason: No refunds at all}
  - {id: never-asked, action: other, conditions: {x: 1}, effect: deny, reason: Nobody asks for it}
  - {id: switched-off, action: other, effect: deny, reason: Nobody asks for it, enabled: false}
";

fn compiled() -> Compiled {
    let reading = bundle(&[SourceFile { name: "b.yaml", bytes: BUNDLE.as_bytes() }], &Bounds::default());
    let bundle = reading.bundle.unwrap_or_else(|| panic!("{:?}", reading.findings));
    compile::bundle(bundle).unwrap()
}

fn suite(text: &str) -> Reading {
    read(&SourceFile { name: "b.test.yaml", bytes: text.as_bytes() }, &Bounds::default())
}

/// Each case with what came of it: `name: passed`, `name: failed effect`.
fn outcomes(text: &str) -> Vec<String> {
    let reading = suite(text);
    let suite = reading.suite.unwrap_or_else(|| panic!("{:?}", reading.findings));
    let result = run(&suite, &compiled(), &mut Coverage::default());
    let outcome = |verdict: &Verdict| match verdict {
        Verdict::Passed => "passed".into(),
        Verdict::Skipped(_) => "skipped".into(),
        Verdict::Failed(failure) => {
            let paths: Vec<_> = failure.mismatches.iter().map(|mismatch| mismatch.path.clone()).collect();
            format!("failed {}", paths.join(" "))
        }
    };
    result.cases.iter().map(|case| format!("{}: {}", case.name, outcome(&case.verdict))).collect()
}

#[test]
fn rows_fill_in_values_of_every_type_and_win_over_the_case() {
    let got = outcomes(
        r"
cases:
  - name: amounts
    request: {action: {name: $name}, context: {amount: $amount, ok: true, text: $$amount, price: $5}}
    each:
      - {name: pay, amount: 9, expect: {effect: ALLOW}}
      - {name: pay, amount: '9', expect: {effect: DENY}}
      - {name: pay, amount: .nan, expect: {effect: ALLOW}}
      - {name: refund, amount: null, expect: {disposition: RAISE}}
    expect: {reason_code: [rule, default_deny]}
",
    );
    let want = [
        "amounts[name=pay, amount=9]: passed",
        "amounts[name=pay, amount=\"9\"]: passed",
        "amounts[name=pay, amount=NaN]: failed effect",
        "amounts[name=refund, amount=null]: failed disposition",
    ];
    assert_eq!(got, want);
}

#[test]
fn a_refused_request_is_an_answer_too() {
    let got = outcomes(
        r"
cases:
  - {name: refused, request: {action: {name: ''}}, expect: {error: INVALID_ARGUMENT}}
  - {name: taken, request: {action: {name: pay}}, expect: {error: INVALID_ARGUMENT}}
  - {name: not taken, request: {action: {name: 5}}, expect: {effect: DENY}}
  - {name: no error, request: {action: {name: pay}}, expect: {error: null, effect: DENY}}
",
    );
    assert_eq!(
        got,
        ["refused: passed", "taken: failed error", "not taken: failed effect", "no error: passed"]
    );
}

#[test]
fn the_clock_and_the_environment_are_those_of_the_case() {
    let got = outcomes(
        r"
cases:
  - {name: epoch, request: {action: {name: a}}, expect: {decided_at: '1970-01-01T00:00:00Z', bundle: {environment: default}}}
  - name: set
    now: 2026-11-21T10:30:00+01:00
    environment: production
    request: {action: {name: a}, request_id: r1}
    expect: {decided_at: '2026-11-21T09:30:00Z', bundle: {environment: production}, request_id: r1}
",
    );
    assert_eq!(got, ["epoch: passed", "set: passed"]);
}

#[test]
fn steps_are_read_and_never_pass_in_silence() {
    let got = outcomes(
        "cases: [{name: s, sequence: [{at: 1.5s, authorize: {action: {name: a}}, as: x, repeat: 3}]}]",
    );
    assert_eq!(got, ["s: skipped"]);
}

#[test]
fn a_mistake_in_a_table_is_reported_once() {
    let text = "cases: [{name: t, request: {action: {name: $a}}, nwo: x, each: [{a: b, expect: {effect: DENY}}, {a: c, expect: {effect: DENY}}]}]";
    let findings = suite(text).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].suggestion.as_deref(), Some("write `now`"));
}

#[test]
fn a_variable_without_a_value_is_no_text() {
    let case = |lines: &str| format!("cases: [{{name: t, expect: {{effect: DENY}}, {lines}}}]");
    for (lines, message, remedy) in [
        ("request: {action: {name: $a}}", "nothing gives `$a` a value", "`$$a` for the text itself"),
        ("request: {action: {name: b}, context: {x: [$a]}}", "nothing gives `$a` a value", "by `each`"),
        ("request: {action: {name: $a}}, each: [{a: $b}]", "nothing gives `$b` a value", "`$$b`"),
        ("request: {action: {name: $a}}, each: [{a: x}, {}]", "has no `a`", "add it to the row"),
        (
            "request: {action: {name: $a}}, each: [{a: x, expect: {rule_id: $aa}}]",
            "has no `aa`",
            "write `$a`",
        ),
    ] {
        let findings = suite(&case(lines)).findings;
        let [finding] = findings.as_slice() else { panic!("{lines}: {findings:#?}") };
        let suggestion = finding.suggestion.as_deref().unwrap_or_default();
        assert!(finding.message.contains(message) && suggestion.contains(remedy), "{lines}: {finding:?}");
    }
    let sequence = "cases: [{name: s, sequence: [{at: 1s, authorize: {action: {name: $a}}}]}]";
    assert_eq!(suite(sequence).findings.len(), 1);
    let escaped = "request: {action: {name: $$a}}, each: null";
    assert!(suite(&case(escaped)).findings.is_empty());
}

#[test]
fn coverage_names_what_no_case_shows() {
    let cases = "cases:
  - {name: a, request: {action: {name: pay}, context: {amount: 5, ok: true}}, expect: {effect: ALLOW}}
  - {name: b, request: {action: {name: pay}, context: {amount: 50, ok: true}}, expect: {effect: DENY}}
";
    let (bundle, mut coverage) = (compiled(), Coverage::default());
    let _ = run(&suite(cases).suite.unwrap(), &bundle, &mut coverage);
    let gaps = coverage.gaps(&bundle);
    assert_eq!((gaps.rules, gaps.conditions), (3, 3));
    let never: Vec<&str> = gaps.never_decided.iter().map(|rule| &**rule).collect();
    assert_eq!(never, ["deny-all-else", "never-asked"]);
    let sides: Vec<(&str, &str, Missing)> =
        gaps.one_sided.iter().map(|one| (&*one.rule, &*one.condition, one.missing)).collect();
    assert_eq!(
        sides,
        [("allow-low", "ok == true", Missing::Fails), ("never-asked", "x == 1", Missing::Both)]
    );
}

#[test]
fn whatever_the_file_holds_there_is_an_answer() {
    for bytes in [
        &b""[..],
        b"\0",
        b"[]",
        b"cases: {}",
        b"cases: [1, [], null]",
        b"cases: [{name: x, each: [[]], request: 5, expect: 5}]",
    ] {
        let reading = read(&SourceFile { name: "t.test.yaml", bytes }, &Bounds::default());
        assert!(reading.suite.is_none() && !reading.findings.is_empty(), "{bytes:?}: {reading:?}");
    }
}
