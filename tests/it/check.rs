//! What is told of documents that are wrong, to people and to programs.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::binary::{ended, run, tollgate};
use crate::cli::{BUNDLE, folder};

#[test]
fn check_shows_every_error_with_its_line() {
    let broken = BUNDLE.replace("effect: allow", "efect: allow").replace("\">=risk\"", "\"=>risk\"");
    let folder = folder(&[("good.yaml", BUNDLE), ("bad.yaml", &broken)]);
    let good = run(folder.path(), &["check", "good.yaml"]);
    assert_eq!((good.code, good.stdout.contains("can be served")), (0, true), "{good:?}");
    let bad = run(folder.path(), &["check", "bad.yaml", "good.yaml"]);
    assert_eq!(bad.code, 1);
    for want in [
        "error[bad-operator]",
        "bad.yaml:7:18",
        "7 |     conditions: {\"=>risk\": 85}",
        "error[unknown-field]",
        "= help: write `effect`",
    ] {
        assert!(bad.stdout.contains(want), "{want}: {}", bad.stdout);
    }
    let found = run(folder.path(), &["check", "bad.yaml", "-o", "json"]).json();
    assert_eq!(found["passed"], false);
    assert_eq!(found["summary"]["errors"], found["errors"].as_array().unwrap().len());
    let operator =
        found["errors"].as_array().unwrap().iter().find(|error| error["code"] == "bad-operator").unwrap();
    for (field, want) in [
        ("rule_id", json!("quarantine-high")),
        ("severity", json!("error")),
        ("file", json!("bad.yaml")),
        ("line", json!(7)),
        ("column", json!(18)),
    ] {
        assert_eq!(operator[field], want, "{field}: {operator}");
    }
    assert_eq!(run(folder.path(), &["check", "absent.yaml"]).code, 3);
    let absent = run(folder.path(), &["check", "good.yaml", "absent.yaml", "-o", "json"]);
    let found = absent.json();
    assert_eq!((absent.code, &found["passed"], &found["summary"]["errors"]), (3, &json!(false), &json!(1)));
    let error = &found["errors"][0];
    assert_eq!((&error["code"], &error["file"]), (&json!("syntax"), &json!("absent.yaml")), "{error}");
    assert!(error["suggestion"].is_string(), "{error}");
    fs::File::create(folder.path().join("large.yaml")).unwrap().set_len((16 << 20) + 1).unwrap();
    let large = run(folder.path(), &["check", "large.yaml", "-o", "json"]);
    let found = large.json();
    assert_eq!((large.code, &found["passed"]), (1, &json!(false)));
    assert_eq!(found["errors"][0]["code"], "out-of-bounds", "{found}");
}

#[test]
fn programs_are_told_on_stdout_what_is_refused() {
    let folder =
        folder(&[("good.yaml", BUNDLE), ("bad.yaml", &BUNDLE.replace("effect: allow", "efect: allow"))]);
    for (args, code, found) in [
        (&["eval", "bad.yaml", "--action", "pay", "-o", "json"][..], 1, "unknown-field"),
        (&["eval", "good.yaml", "--request", "{\"acton\": 1}", "-o", "json"], 2, "unknown-field"),
        (&["authorize", "--request", "{\"acton\": 1}", "-o", "json"], 2, "unknown-field"),
        (&["explain", "--request", "{\"acton\": 1}", "-o", "json"], 2, "unknown-field"),
        (&["eval", "absent.yaml", "--action", "pay", "-o", "json"], 3, ""),
        (&["test", "absent.test.yaml", "-o", "json"], 3, ""),
        (&["status", "--address", "127.0.0.1:1", "-o", "json"], 3, ""),
        (&["config", "show", "--config", "absent.yaml", "-o", "json"], 3, ""),
    ] {
        let told = run(folder.path(), args);
        let json = told.json();
        assert_eq!((told.code, json["error"].is_string()), (code, true), "{args:?} {told:?}");
        let codes: Vec<&str> =
            json["findings"].as_array().unwrap().iter().filter_map(|f| f["code"].as_str()).collect();
        assert_eq!(codes.contains(&found), !found.is_empty(), "{args:?} {json}");
        assert!(!told.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn check_shows_errors_of_expressions_and_with_all_what_is_no_error() {
    let bad = "format: tollgate/v1\nversion: 1.0.0\nrules:\n  - {id: one, effect: deny, when: 'context.a +', reason: Nothing of the kind}\n";
    let folder = folder(&[("bad.yaml", bad), ("old.yaml", BUNDLE)]);
    let bad = run(folder.path(), &["check", "bad.yaml"]);
    assert_eq!((bad.code, bad.stdout.contains("bad.yaml:4:")), (1, true), "{bad:?}");
    assert_eq!(run(folder.path(), &["check", "old.yaml", "-o", "json"]).json()["summary"]["total_issues"], 0);
    let all = run(folder.path(), &["check", "old.yaml", "--all", "-o", "json"]).json();
    assert_eq!((&all["passed"], &all["info"][0]["code"]), (&json!(true), &json!("old-spelling")), "{all}");
}

#[test]
fn check_shows_errors_of_expressions_whatever_else_is_wrong() {
    let rules = "rules:
  - id: one
    efect: deny
    reason: Nothing of the kind
    when: >-
      context.a > 1 &&
      contexts.b > 2
  - {id: Two, effect: deny, reason: Nothing of the kind, when: 'data.a > 1 && 1 +'}
  - {id: three, effect: deny, reason: Nothing of the kind, when: 'data.missing > 1'}
";
    let head = "format: tollgate/v1\nversion: 1\ndata: {a: 1}\n";
    let whole = folder(&[("a.yaml", &format!("{head}{rules}"))]);
    let parts = folder(&[("a.yaml", &format!("{head}bad: [")), ("b.yaml", rules)]);
    let found = |folder: &Path| {
        let checked = run(folder, &["check", ".", "-o", "json"]);
        assert_eq!(checked.code, 1, "{checked:?}");
        let errors = checked.json()["errors"].as_array().unwrap().clone();
        let place = |error: &Value| {
            let number = |name| error[name].as_u64().unwrap_or_default();
            (error["code"].as_str().unwrap().to_owned(), number("line"), number("column"))
        };
        errors.iter().map(place).collect::<Vec<_>>()
    };
    let places = |all: &[(&str, u64, u64)]| {
        all.iter().map(|(code, line, column)| ((*code).to_owned(), *line, *column)).collect::<Vec<_>>()
    };
    let all = places(&[
        ("wrong-type", 2, 10),
        ("missing-field", 5, 5),
        ("unknown-field", 6, 5),
        ("unknown-reference", 10, 7),
        ("bad-value", 11, 10),
        ("bad-expression", 11, 81),
        ("unknown-reference", 12, 71),
    ]);
    assert_eq!(found(whole.path()), all);
    // what is unknown may be known in the file that cannot be read
    let sure = places(&[
        ("syntax", 4, 6),
        ("missing-field", 2, 5),
        ("unknown-field", 3, 5),
        ("bad-value", 8, 10),
        ("bad-expression", 8, 81),
    ]);
    assert_eq!(found(parts.path()), sure);
}

#[test]
fn no_document_writes_to_the_terminal() {
    let rules = "format: tollgate/v1\nversion: 1.0.0\nrules:
  - {id: abc, effect: allow, reason: \"Because \\e[2J it \\e[31m is so\", conditions: {\"x\\e[2J\": 1}}
  - {id: abd, effect: deny, reason: \"Because it is so\", conditions: {x: \"a\\e[2J\"}}\n";
    let cases = "cases:
  - name: \"n\\e[2J\"
    request: {action: {name: b}, context: {\"x\\e[2J\": 1, x: \"\\e[3J\"}}
    expect: {effect: DENY, reason: \"\\e[31m\"}\n";
    let wrong = "format: tollgate/v1\nversion: 1.0.0\nrules: [{id: \"a\\e[2J\", efect: deny, reason: Because it is so}]\n";
    let raw = "format: tollgate/v1\nversion: 1.0.0\nnotes: a\u{9b}2J\x1b[2J\n";
    let folder =
        folder(&[("a.yaml", rules), ("a.test.yaml", cases), ("w.yaml", wrong), ("\x1b[2Jr.yaml", raw)]);
    let request = r#"{"action": {"name": "b\u001b[2J"}, "context": {"x\u001b[2J": 1, "x": "\u001b[3J"}}"#;
    for (args, code, shown) in [
        (
            &["eval", "a.yaml", "--explain", "--request", request][..],
            0,
            "Because \\u001b[2J it \\u001b[31m is so",
        ),
        (&["test", ".", "--verbose"], 1, "n\\u001b[2J"),
        (&["test", "\x1b[2Jr.yaml"], 1, "\\u001b[2Jr.yaml"),
        (&["check", "w.yaml"], 1, "a\\u{1b}[2J"),
        (&["check", "\x1b[2Jr.yaml"], 1, "notes: a\u{fffd}2J\u{fffd}[2J"),
        (&["check", "\x1b[2Jabsent"], 3, "\\u001b[2Jabsent"),
    ] {
        let told = ended(tollgate(folder.path(), args).env("CLICOLOR_FORCE", "1"));
        let all = told.stdout.clone() + &told.stderr;
        assert_eq!((told.code, all.contains(shown)), (code, true), "{args:?} {told:?}");
        let plain = without_colours(&all);
        assert!(!plain.contains(|c: char| c.is_control() && c != '\n'), "{args:?} {plain:?}");
        assert!(!all.contains("\x1b[31m is"), "{args:?} {all:?}");
        let json =
            ended(tollgate(folder.path(), &[args, &["-o", "json"]].concat()).env("CLICOLOR_FORCE", "1"));
        assert!(json.json().is_object() && !json.stdout.contains(|c: char| c.is_control() && c != '\n'));
    }
}

/// The text without its colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    let unstyled = |part: &str| match part.split_once('m') {
        Some((style, rest)) if style.chars().all(|c| c.is_ascii_digit() || c == ';') => rest.to_owned(),
        _ => format!("\x1b[{part}"),
    };
    first + &parts.map(unstyled).collect::<String>()
}
