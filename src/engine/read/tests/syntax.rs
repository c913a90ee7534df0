//! The tree: what YAML and JSON say, and what they must not.

use super::{HEAD, only_finding, read_as};
use crate::model::Place;
use crate::read::tree::{self, Content, Node};
use crate::read::{Bounds, Findings, SourceFile};

fn tree_of(name: &str, bytes: &[u8]) -> (Option<Node>, Vec<String>) {
    let mut found = Findings::new(vec![name.into()]);
    let limits = Bounds::default().tree();
    let node = tree::parse(&SourceFile { name, bytes }, 0, &limits, &mut tree::Used::default(), &mut found);
    (node, found.into_sorted().iter().map(super::told).collect())
}

fn json_of(name: &str, text: &str) -> String {
    let (node, findings) = tree_of(name, text.as_bytes());
    assert_eq!(findings, Vec::<String>::new(), "{text}");
    node.unwrap().content.to_const().to_json().to_string()
}

#[test]
fn yaml_says_what_the_core_schema_says() {
    for (text, want) in [
        ("a: no", r#"{"a":"no"}"#),
        ("a: yes", r#"{"a":"yes"}"#),
        ("a: true", r#"{"a":true}"#),
        ("a: 'true'", r#"{"a":"true"}"#),
        ("a:", r#"{"a":null}"#),
        ("a: ~", r#"{"a":null}"#),
        ("a: \"\"", r#"{"a":""}"#),
        ("a: 0x1F", r#"{"a":31}"#),
        ("a: 012", r#"{"a":12}"#),
        ("a: 1.4.0", r#"{"a":"1.4.0"}"#),
        ("a: |\n  x\n  y\n", r#"{"a":"x\ny\n"}"#),
        ("a: >\n  x\n  y\n", r#"{"a":"x y\n"}"#),
        ("? a\n: b", r#"{"a":"b"}"#),
        ("a: [1, [2], {b: c}]", r#"{"a":[1,[2],{"b":"c"}]}"#),
        ("\u{feff}a: 1", r#"{"a":1}"#),
        ("a: 1\r\nb: 2\r\n", r#"{"a":1,"b":2}"#),
        ("# only\n--- # start\na: 1\n...\n", r#"{"a":1}"#),
        ("a: &x [1, 2]\nb: *x", r#"{"a":[1,2],"b":[1,2]}"#),
        ("a: &x 1\nb: &x 2\nc: *x", r#"{"a":1,"b":2,"c":2}"#),
        ("{a: b, 'c': d}", r#"{"a":"b","c":"d"}"#),
        ("a: \"\\ud83d\\ude00 \\x41\"", r#"{"a":"😀 A"}"#),
        ("'<<': 1", r#"{"<<":1}"#),
        ("\"1\": x", r#"{"1":"x"}"#),
    ] {
        assert_eq!(json_of("b.yaml", text), want, "{text}");
    }
}

#[test]
fn json_is_read_by_its_own_grammar() {
    let long = format!(r#"{{"{}":1}}"#, "k".repeat(2_000));
    for (text, want) in [
        (r#"{"a":"\ud83d\ude00"}"#, r#"{"a":"😀"}"#),
        (r#"{"a":"\/\b\f\n\r\t\"\\\u00e9"}"#, "{\"a\":\"/\\b\\f\\n\\r\\t\\\"\\\\é\"}"),
        ("{\t\"a\"\t:\t1\t}", r#"{"a":1}"#),
        ("{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t]\n}", r#"{"a":[1,2]}"#),
        ("{\"a\"\n:\n1}", r#"{"a":1}"#),
        (r#"{"a":-0.5e+3,"b":1E2,"c":null,"d":true}"#, r#"{"a":-500,"b":100,"c":null,"d":true}"#),
        (r#"{"":[],"x":{}}"#, r#"{"":[],"x":{}}"#),
        (long.as_str(), long.as_str()),
    ] {
        assert_eq!(json_of("b.json", text), want, "{text}");
        assert_eq!(json_of("no-extension", text), want, "{text}");
    }
}

#[test]
fn what_is_no_json_says_why() {
    for (text, want) in [
        ("{\"a\": 1,}", "syntax 1:9 `}` stands where JSON wants a key; quote keys"),
        ("{\"a\" 1}", "syntax 1:6 a colon is missing behind the key; write `\"key\": value`"),
        (
            "{\"a\": 1 \"b\": 2}",
            "syntax 1:9 `\"b\":` stands where JSON wants a comma; separate the parts with `,`",
        ),
        ("{a: 1}", "syntax 1:2 `a:` stands where JSON wants a key; quote keys"),
        ("[1, nul]", "syntax 1:5 `nul]` stands where JSON wants a value; quote text"),
        ("[01]", "syntax 1:2 `01]` stands where JSON wants a value; quote text"),
        ("[1]\n2", "syntax 2:1 `2` stands behind the end of the document; remove it"),
        ("[\"a", "syntax 1:2 the quote is never closed; close it"),
        ("[1", "syntax 1:3 the file ends too early; close what is open"),
        ("", "syntax 1:1 the file ends too early; close what is open"),
        (
            "[\"é\", \"\\x\"]",
            "syntax 1:7 `\"\\x\"` is no text of JSON; write `\\\\` for a backslash, `\\n` for a line break",
        ),
        (
            "[\"\\ud83d\"]",
            "syntax 1:2 `\"\\ud83d\"` is no text of JSON; write `\\\\` for a backslash, `\\n` for a line break",
        ),
        (
            "[1e999]",
            "bad-value 1:2 `1e999` is beyond what numbers hold exactly, ±2^53; write a smaller number, or quote it to make it text",
        ),
        ("{\"a\": 1,\n \"a\": 2}", "syntax 2:2 the key `a` stands already at line 1; keep one of them"),
    ] {
        assert_eq!(tree_of("b.json", text.as_bytes()).1, [want], "{text}");
    }
}

#[test]
fn a_flow_mapping_that_is_no_json_is_yaml() {
    assert_eq!(json_of("b.yaml", "{\"a\": 1, b: no, \"c\": [x,],}"), r#"{"a":1,"b":"no","c":["x"]}"#);
    let (_, findings) = tree_of("b.yaml", b"{\"a\": 1, \"a\": 2, b: 3}");
    assert_eq!(findings, ["syntax 1:10 the key `a` stands already at line 1; keep one of them"]);
}

#[test]
fn what_yaml_allows_and_a_bundle_does_not() {
    for (lines, start, also) in [
        ("data: {a: 1, a: 2}", "syntax 3:14 the key `a` stands already", "line 3; keep one"),
        ("data: {<<: {a: 1}}", "syntax 3:8 `<<` would merge", "write the keys out"),
        ("data: {a: !!str 5}", "syntax 3:11 the tag `!!str`", "remove it"),
        ("data: {a: !x y}", "syntax 3:11 the tag `!x`", "quote a text that starts with `!`"),
        ("data: {1: a}", "syntax 3:8 the key `1` is a number", "quote it"),
        ("data: {true: a}", "syntax 3:8 the key `true` is a boolean", "quote it"),
        ("data: {~: a}", "syntax 3:8 the key `~` is null", "quote it"),
        ("data: {: a}", "syntax 3:8 the key `` is null", "write a key before"),
        ("data: {[a]: b}", "syntax 3:8 a list or a map as a key", "write text"),
        ("data: {? {a: b} : c}", "syntax 3:10 a list or a map as a key", "write text"),
        ("data: {a: &x b, *x : c}", "syntax 3:17 an alias as a key", "write the key out"),
        ("data: {a: .nan}", "bad-value 3:11 `.nan` is not a finite number", "quote it"),
        ("data: {a: -.inf}", "bad-value 3:11 `-.inf` is not a finite", "quote it"),
        ("data: {a: 9007199254740993}", "bad-value 3:11 `9007199254740993` is beyond", "2^53"),
        ("data: {a: 1e400}", "bad-value 3:11 `1e400` is beyond", "smaller number"),
        ("data: {a: *x}", "syntax 3:11 no anchor `x` stands before it", "define it above"),
        ("data: {a: &x [*x]}", "syntax 3:15 the alias stands inside what it names", "write the value out"),
        ("---\ndata: {}", "syntax 3:1 a second document in one file", "its own file"),
        ("data: {a: b", "syntax 3:7 the bracket is never closed", "close it with `]` or `}`"),
        ("data: {a: b]", "syntax 3:7 the `{` here is closed by `]`", "its partner"),
        ("data: \"x", "syntax 4:1 a quoted text goes on here without indentation", "close its quote"),
        ("data: a: b", "syntax 3:8 a `key: value` cannot stand here", "quote a text that holds `: `"),
        ("data:\n\ta: b", "syntax 4:2 a tab where YAML wants spaces", "indent with spaces"),
        ("data: \"\\q\"", "syntax 3:7 no escape of a quoted text", "`\\\\`"),
        ("data: \"\\ud83d\"", "syntax 3:7 half of a surrogate pair", "both halves"),
        ("data: @x", "syntax 3:7 `@` cannot stand here in YAML", "quote a text"),
        ("data: 'a' b", "syntax 3:11 text behind the closing quote", "into the quotes"),
        ("data:\n  - a\n b: c", "syntax 5:2 ", "; "),
    ] {
        only_finding(&format!("{HEAD}{lines}\n"), start, also);
    }
}

#[test]
fn bytes_that_are_no_text_say_where() {
    for (bytes, want) in [
        (
            &b"a: 1\nb: \xC3\xA9\xFF"[..],
            "syntax 2:5 byte 10 of the file is not valid UTF-8; save it as UTF-8",
        ),
        (b"\xEF\xBB\xBFa: \xFF", "syntax 1:4 byte 6 of the file is not valid UTF-8; save it as UTF-8"),
        (b"\xFF\xFEa\0", "syntax 1:1 the file is UTF-16; save it as UTF-8"),
        (b"\xFE\xFF\0a", "syntax 1:1 the file is UTF-16; save it as UTF-8"),
        (b"a\0:\0", "syntax 1:1 the file is UTF-16; save it as UTF-8"),
        (b"a: b\nc: \0", "syntax 2:4 a NUL byte; remove it"),
        (b"a: \x1b[31m", "syntax 1:4 the control character 0x1b; remove it, or write `\"\\u001b\"`"),
        (
            b"a: 1\rb: 2",
            "syntax 1:5 a carriage return without a line feed; end lines with a line feed, with or without a carriage return before it",
        ),
        (
            b"a: 1\r\nb: 2\r",
            "syntax 2:5 a carriage return without a line feed; end lines with a line feed, with or without a carriage return before it",
        ),
    ] {
        let (node, findings) = tree_of("b.yaml", bytes);
        assert!(node.is_none());
        assert_eq!(findings, [want]);
    }
}

#[test]
fn places_are_lines_columns_and_lengths_in_characters() {
    let (node, _) = tree_of("b.yaml", "é: 'ü x'\nlist:\n  - |\n    one\n    two\n  - {k: v}\n".as_bytes());
    let node = node.unwrap();
    let place = |line, column, length| Place { file: 0, line, column, length };
    let entries = node.entries().unwrap();
    assert_eq!(entries[0].place, place(1, 1, 1));
    assert_eq!(entries[0].node.place, place(1, 4, 5));
    assert_eq!(entries[1].place, place(2, 1, 4));
    let list = entries[1].node.elements().unwrap();
    // a block text starts behind its sign
    assert_eq!(list[0].place, place(4, 5, 3));
    assert_eq!(list[1].place, place(6, 5, 1));
    assert_eq!(list[1].get("k").unwrap().place, place(6, 9, 1));

    let (node, _) = tree_of("b.json", "{\"é\": [1,\n  \"ü\", 12.5]}".as_bytes());
    let list = node.unwrap().entries().unwrap()[0].node.clone();
    let places: Vec<Place> = list.elements().unwrap().iter().map(|n| n.place).collect();
    assert_eq!(places, [place(1, 8, 1), place(2, 3, 3), place(2, 8, 4)]);
}

#[test]
fn an_alias_stands_where_it_is_used() {
    let (node, _) = tree_of("b.yaml", b"a: &x {k: v}\nb: *x\n");
    let b = node.unwrap().get("b").unwrap().clone();
    assert_eq!((b.place.line, b.place.column, b.place.length), (2, 4, 2));
    assert_eq!(b.get("k").map(|n| n.place.line), Some(1));
    assert!(matches!(b.content, Content::Map(_)));
}

#[test]
fn a_file_without_content_says_so() {
    for text in ["", "\n\n", "# nothing\n", "---\n", "~", "\u{feff}"] {
        let told: Vec<String> = read_as("b.yaml", text).findings.iter().map(super::told).collect();
        assert_eq!(
            told,
            ["missing-field 1:1 the bundle is empty; write `format`, `version` and `rules`"],
            "{text:?}"
        );
    }
}
