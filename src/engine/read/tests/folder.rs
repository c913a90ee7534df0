//! A folder is one bundle.

use super::{Bounds, SourceFile, told};
use crate::read::{Reading, bundle, is_bundle_file};

fn read(files: &[(&str, &str)]) -> Reading {
    let files: Vec<SourceFile<'_>> =
        files.iter().map(|(name, text)| SourceFile { name, bytes: text.as_bytes() }).collect();
    bundle(&files, &Bounds::default())
}

const MAIN: &str = "format: tollgate/v1\nversion: 1.0.0\n";

fn rule(id: &str) -> String {
    format!("rules: [{{id: {id}, effect: deny, reason: Because it is so}}]\n")
}

#[test]
fn the_others_add_rules_guardrails_and_data_in_the_order_of_their_paths() {
    let main = format!("{MAIN}{}data: {{main: 1}}\n", rule("main"));
    let guarded = "guardrails: [{name: g, type: timeout, rules: {timeoutSeconds: 1}}]\nformat: tollgate/v1\n";
    let using = "rules: [{id: uses, effect: deny, reason: Because it is so, conditions: {data.late.x: 1}}]";
    let reading = read(&[
        ("z.yaml", "data: {late: {x: 1}}"),
        ("m.yaml", &main),
        ("b.yaml", &rule("bbb")),
        ("a.json", r#"{"rules":[{"id":"aaa","effect":"deny","reason":"Because it is so"}]}"#),
        ("c.yaml", guarded),
        ("d.yaml", using),
        ("e.yaml", "# nothing yet\n"),
    ]);
    assert!(reading.findings.is_empty(), "{:#?}", reading.findings);
    let bundle = reading.bundle.unwrap();
    let ids: Vec<&str> = bundle.rules.iter().map(|r| r.id.as_str()).collect();
    assert_eq!(ids, ["main", "aaa", "bbb", "uses"]);
    assert_eq!(bundle.guardrails.len(), 1);
    assert_eq!(bundle.data.keys().map(|k| &**k).collect::<Vec<_>>(), ["late", "main"]);
    assert_eq!(bundle.files[usize::from(bundle.rules[1].place.file)], "a.json".into());
}

#[test]
fn a_folder_has_the_digest_of_the_one_file_that_it_stands_for() {
    let apart = read(&[
        ("a.yaml", MAIN),
        ("b.yaml", &rule("bbb")),
        ("c.yaml", &format!("format: tollgate/v1\n{}", rule("ccc"))),
    ]);
    let rules = "rules:\n- {id: bbb, effect: deny, reason: Because it is so}\n- {id: ccc, effect: deny, reason: Because it is so}\n";
    let whole = read(&[("x.yaml", &format!("{MAIN}{rules}"))]);
    assert_eq!(apart.bundle.unwrap().digest, whole.bundle.unwrap().digest);
}

#[test]
fn conflicts_name_both_places() {
    let (one, two) =
        (format!("{MAIN}data: {{x: 1}}\n{}", rule("one")), format!("data: {{x: 2}}\n{}", rule("one")));
    for (files, want) in [
        (
            vec![("a.yaml", one.as_str()), ("b.yaml", two.as_str())],
            vec![
                "bad-value 1:8 `x` of `data` stands already at a.yaml:3:8; keep one of them",
                "duplicate-id 2:14 a rule `one` stands already at a.yaml:4:14; give it another name",
            ],
        ),
        (
            vec![("a.yaml", MAIN), ("b.yaml", MAIN)],
            vec![
                "bad-value 2:1 a `version` stands already at a.yaml:2:1; keep one of them: the files of a folder are one bundle",
            ],
        ),
        (
            vec![("a.yaml", "rules: []"), ("b.yaml", "data: {}")],
            vec![
                "missing-field 1:1 no file of the folder has a `version`; add `version: 1.0.0` beside `format: tollgate/v1`",
            ],
        ),
        (
            vec![("a.yaml", MAIN), ("b.yaml", "notes: more\ndefaults: {effect: allow}")],
            vec![
                "bad-value 1:1 `notes` belongs beside the version, at a.yaml:1:1; move it there; this file may have `format`, `data`, `rules`, `guardrails`",
                "bad-value 2:1 `defaults` belongs beside the version, at a.yaml:1:1; move it there; this file may have `format`, `data`, `rules`, `guardrails`",
            ],
        ),
        (
            vec![("a.yaml", "format: tollgate/v1\nversion: 1.0.0\nnotes: x\n"), ("b.yaml", "notes: y")],
            vec![
                "bad-value 1:1 `notes` stands already at a.yaml:3:1; move it there; this file may have `format`, `data`, `rules`, `guardrails`",
            ],
        ),
        (
            vec![("a.yaml", MAIN), ("b.yaml", "format: tollgate/v2"), ("c.yaml", "- 1")],
            vec![
                "bad-value 1:9 `format` is `tollgate/v2`; write `tollgate/v1`",
                "wrong-type 1:1 `the document` is a list; write a bundle as a map",
            ],
        ),
        (
            vec![("a.yaml", "rules: [{id: one, effect: dney}]"), ("b.yaml", "rule: []")],
            vec![
                "missing-field 1:1 no file of the folder has a `version`; add `version: 1.0.0` beside `format: tollgate/v1`",
                "missing-reason 1:9 the rule has no reason; say in 10 to 256 characters why the rule is there",
                "bad-value 1:27 `effect` cannot be `dney`; write `deny`",
                "unknown-field 1:1 `rule` is no field of a bundle; write `rules`",
            ],
        ),
        (
            vec![
                ("a.yaml", "version: 1.0.0\ndata: {x: 1"),
                ("b.yaml", "noets: x\nrules: [{id: one, effect: dney, conditions: {'>>a': 1, data.x: 1}}]"),
            ],
            vec![
                "syntax 2:7 the bracket is never closed; close it with `]` or `}`",
                "unknown-field 1:1 `noets` is no field of a bundle; write `notes`",
                "missing-reason 2:9 the rule has no reason; say in 10 to 256 characters why the rule is there",
                "bad-value 2:27 `effect` cannot be `dney`; write `deny`",
                "bad-operator 2:46 `>>` is no operator; write `>`",
            ],
        ),
        (
            vec![("a.yaml", "a: ["), ("b.yaml", "b: \"")],
            vec![
                "syntax 1:4 the bracket is never closed; close it with `]` or `}`",
                "syntax 1:4 the quote is never closed; close it",
            ],
        ),
        (
            vec![],
            vec![
                "missing-field 1:1 there is no file to read; add a file with `format`, `version` and `rules`",
            ],
        ),
    ] {
        let reading = read(&files);
        assert_eq!(reading.findings.iter().map(told).collect::<Vec<_>>(), want, "{files:?}");
        assert!(reading.bundle.is_none());
    }
}

#[test]
fn the_expressions_of_a_broken_bundle_are_a_draft() {
    let using = |rest: &str| format!("rules: [{{id: uses, reason: Because it is so, when: 'a >', {rest}}}]");
    let is_one = |reading: &Reading, has_data: bool| {
        let draft = reading.draft.as_ref().unwrap();
        let [only] = draft.expressions.as_slice() else { panic!("{draft:?}") };
        assert_eq!((only.rule.as_deref(), &*only.when.value), (Some("uses"), "a >"));
        assert_eq!(&*reading.files[usize::from(only.when.place.file)], "b.yaml");
        assert_eq!(draft.data.is_some(), has_data);
    };
    for (main, other, has_data) in [
        ("format: tollgate/v1\nversion: 1.2.0\nnote: x\n", "effect: deny", true),
        ("format: tollgate/v1\nversion: one\n", "effect: deny", true),
        ("format: tollgate/v1\n", "effect: deny", true),
        ("format: tollgate/v1\nversion: 1.0.0\n", "efect: deny", true),
        ("format: tollgate/v1\nversion: 1.0.0\ndata: [1]\n", "effect: deny", false),
        ("format: tollgate/v1\nversion: [\n", "effect: deny", false),
    ] {
        let reading = read(&[("a.yaml", main), ("b.yaml", &using(other))]);
        assert!(reading.bundle.is_none() && !reading.findings.is_empty(), "{main}");
        is_one(&reading, has_data);
    }
    let whole = read(&[("a.yaml", MAIN), ("b.yaml", &rule("one"))]);
    assert!(whole.bundle.is_some() && whole.draft.is_none());
    assert!(read(&[("a.yaml", "a: [")]).draft.is_none());
}

#[test]
fn hidden_files_and_tests_are_no_part_of_a_bundle() {
    for (path, want) in [
        ("a.yaml", true),
        ("sub/a.yml", true),
        ("./a.JSON", true),
        ("a.test.yaml", false),
        ("a.test.json", false),
        (".a.yaml", false),
        ("..data/a.yaml", false),
        (".git/a.yaml", false),
        ("README.md", false),
        ("yaml", false),
    ] {
        assert_eq!(is_bundle_file(path), want, "{path}");
    }
}
