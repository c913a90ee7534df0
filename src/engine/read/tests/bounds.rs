//! Whatever comes in is answered in bounded time and memory.

use super::{Bounds, HEAD, SourceFile, read, told, with_rule};
use crate::read::{Reading, bundle};

fn read_within(text: &str, bounds: &Bounds) -> Reading {
    bundle(&[SourceFile { name: "b.yaml", bytes: text.as_bytes() }], bounds)
}

#[track_caller]
fn only(reading: &Reading, want: &str) {
    let told: Vec<String> = reading.findings.iter().map(told).collect();
    assert_eq!(told, [want]);
    assert!(reading.bundle.is_none());
}

#[test]
fn the_size_is_checked_before_anything_is_read() {
    let files = [SourceFile { name: "a", bytes: b"\xFF\xFF" }, SourceFile { name: "b", bytes: b"\xFF" }];
    let reading = bundle(&files, &Bounds { bytes: 2, ..Bounds::default() });
    only(
        &reading,
        "out-of-bounds 1:1 2 files of 3 bytes; at most 10000 files of 2 bytes are read; split it, or raise the bound",
    );
}

#[test]
fn nesting_ends_at_its_bound_in_both_languages() {
    let nested = |n: usize| format!("{HEAD}data: {{a: {}{}}}", "[".repeat(n), "]".repeat(n));
    assert!(read(&nested(30)).bundle.is_some());
    let at = "out-of-bounds 3:41 lists and maps are nested deeper than 32; flatten them";
    only(&read(&nested(31)), at);
    for text in ["[".repeat(1 << 20), "- ".repeat(1 << 20), "{\"a\":".repeat(1 << 20), "{a: ".repeat(1 << 20)]
    {
        let reading = read(&text);
        assert!(told(&reading.findings[0]).contains("nested deeper than 32"), "{:?}", reading.findings);
    }
}

#[test]
fn aliases_are_counted_before_they_are_followed() {
    let bomb: String = (1..20)
        .map(|i| format!("  a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", ")))
        .collect();
    let reading = read(&format!("{HEAD}data:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{bomb}"));
    only(
        &reading,
        "out-of-bounds 8:27 aliases stand for more than 50000 nodes; write the values out, or use `data`",
    );
    let long = "x".repeat(60_000);
    let reading = read(&format!("{HEAD}data:\n  a: &a {long}\n  b: [{}1]", "*a, ".repeat(1_000)));
    assert!(told(&reading.findings[0]).contains("aliases stand for more than 16777216 bytes"));
    let deep = format!("{HEAD}data:\n  a: &a {}{}\n  b: [[[*a]]]", "[".repeat(28), "]".repeat(28));
    assert!(told(&read(&deep).findings[0]).contains("nested deeper"));
    let fits = format!("{HEAD}data:\n  a: &a [1, 2]\n  b: [{}1]", "*a, ".repeat(10_000));
    assert!(read(&fits).bundle.is_some());
}

#[test]
fn nodes_texts_rules_and_guardrails_have_bounds() {
    let small = Bounds { nodes: 10, rules: 1, guardrails: 1, string_bytes: 16, ..Bounds::default() };
    let nodes = format!("{HEAD}data: [1, 2, 3, 4, 5, 6, 7, 8, 9]");
    assert!(told(&read_within(&nodes, &small).findings[0]).contains("more than 10 nodes"));
    let long = format!("{HEAD}notes: {}", "x".repeat(17));
    only(
        &read_within(&long, &small),
        "out-of-bounds 3:8 a text of 17 bytes; at most 16 are read; shorten it",
    );
    let rules = format!("{HEAD}rules: [1, 2]");
    only(
        &read_within(&rules, &small),
        "out-of-bounds 3:1 the bundle has more than 1 rules; split it into several bundles",
    );
    let guardrails = format!("{HEAD}guardrails: [1, 2]");
    assert!(told(&read_within(&guardrails, &small).findings[0]).contains("more than 1 guardrails"));
}

#[test]
fn expressions_and_globs_have_bounds() {
    let when = with_rule(&format!("when: '{}'", "x".repeat(4_097)));
    only(&read(&when), "out-of-bounds 7:11 `when` has 4097 bytes, and at most 4096 are read; split the rule");
    let braces = with_rule(&format!("agent: '{}'", "{a,b}".repeat(9)));
    assert!(told(&read(&braces).findings[0]).contains("more than 256 alternatives"));
    let glob = "'{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}', ".repeat(6_000);
    let reading = read(&with_rule(&format!("agent: [{glob}x]")));
    let told: Vec<String> = reading.findings.iter().map(told).collect();
    let [only] = told.as_slice() else { panic!("{told:?}") };
    assert!(only.contains("spell out more than 10000000 characters in all"), "{only}");
}

#[test]
fn a_million_mistakes_are_counted_and_the_first_are_shown() {
    let text = format!("{HEAD}{}", (0..20_000).map(|i| format!("field{i}: 1\n")).collect::<String>());
    let reading = read(&text);
    assert_eq!(reading.findings.len(), 10_001);
    assert_eq!(told(&reading.findings[10_000]), "out-of-bounds 0:0 and 10000 more errors; -");
    assert!(reading.bundle.is_none());
    let hints: String = (0..10_050).map(|i| format!("'>=f{i}': 1, ")).collect();
    let reading = read(&with_rule(&format!("conditions: {{{hints}}}\npriority: x")));
    assert_eq!(reading.findings.len(), 10_002);
    assert!(reading.findings.iter().any(|f| f.message.contains("`priority` is text")));
    assert_eq!(told(&reading.findings[10_001]), "out-of-bounds 0:0 and 50 more warnings and hints; -");
}

#[test]
fn messages_repeat_little_and_no_control_characters() {
    let text = format!("{HEAD}\"\\e[31m{}\": 1", "x".repeat(1_000));
    let told = told(&read(&text).findings[0]);
    assert!(told.chars().count() < 300 && told.contains("`\\u{1b}[31m"), "{told}");
}
