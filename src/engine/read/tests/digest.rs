//! The digest: the same for all spellings of one document, another for each other document.

use super::{HEAD, read, read_as};
use crate::id::Digest;
use crate::model::Severity;
use crate::read::{document, form::Form};

fn digest(text: &str) -> Digest {
    let reading = read(text);
    let errors: Vec<_> = reading.findings.iter().filter(|f| f.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{text}\n{errors:#?}");
    reading.bundle.unwrap().digest
}

fn of_rule(lines: &str) -> Digest {
    digest(&super::with_rule(lines))
}

#[test]
fn spellings_share_a_digest() {
    for group in [
        &[
            "conditions: {risk: {'>=': 85}}",
            "conditions: {'>=risk': 85}",
            "conditions: {'risk>=': 85.0}",
            "conditions: {risk: '>= 85'}",
        ][..],
        &[
            "conditions: {risk: 85}",
            "conditions: {risk: {eq: 85}}",
            "conditions: {risk: '== 85'}",
            "conditions: {context.risk: {'==': 0x55}}",
        ],
        &["conditions: {risk: 'a|b'}", "conditions: {risk: {in: [a, b]}}", "conditions: {risk: 'a | b'}"],
        &[
            "conditions: {risk: {'>': 1, '<': 9}}",
            "conditions: {'>risk': 1, 'risk<': 9}",
            "conditions: {risk: {'<': 9, '>': 1}}",
        ],
        &["conditions: {a: 1, b: 2}", "conditions: {b: 2, a: 1}"],
        &["agent: a", "agent: [a]", "agent: {eq: a}", "agent: [{eq: a}]"],
        &["target: {environment: prod}", "target: {environments: [prod]}", "target: {environments: prod}"],
        &["target: {application: x}", "target: {apps: [x]}"],
        &["target: {stageHandlerNames: a}", "target: {stage_handler_names: [a]}"],
        &["scope: {application: x}", "scope: {app: x}", "scope: {app: {eq: x}}"],
        &["phase: enqueue", "target: {phases: [enqueue]}", "target: {phases: enqueue}"],
        &["phase: any\ntarget: {tools: a}", "target: {phases: any, tools: [a]}"],
        &["onUnavailable: deny", "on_unavailable: deny"],
        &["metadata: {a: 1.0, b: [x]}", "metadata: {b: [x], a: 1}", "metadata: {\"a\": 1e0, \"b\": [\"x\"]}"],
    ] {
        let digests: Vec<Digest> = group.iter().map(|lines| of_rule(lines)).collect();
        assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{group:?} {digests:?}");
    }
    let with = |effect: &str| {
        digest(&format!("{HEAD}rules: [{{id: abc, effect: {effect}, reason: Because it is so}}]"))
    };
    assert_eq!(with("needs_approval"), with("require_approval"));
    let binding = |bind: &str| with(&format!("require_approval, approval: {{bind: [{bind}, z]}}"));
    assert_eq!(binding("a.b"), binding("context.a.b"));
    assert_ne!(binding("a.b"), binding("context.context.a.b"));
    let declaring =
        |path: &str| digest(&format!("{HEAD}fields: {{z: {{type: list}}, {path}: {{type: map}}}}"));
    assert_eq!(declaring("a.b"), declaring("context.a.b"));
    let keyed = |key: &str| {
        let rules = format!("{{limit: 1, window_seconds: 1, key_by: {key}}}");
        digest(&format!("{HEAD}guardrails: [{{name: g, type: rate_limit, rules: {rules}}}]"))
    };
    assert_eq!(keyed("application"), keyed("[app]"));
}

#[test]
fn different_documents_have_different_digests() {
    let rules = [
        "tags: []",
        "conditions: {}",
        "conditions: {risk: 85}",
        "conditions: {risk: '85'}",
        "conditions: {risk: {'>=': 85}}",
        "conditions: {risk: {in: [85]}}",
        "conditions: {'==risk': '>= 85'}",
        "conditions: {request.agent: x}",
        "conditions: {context.agent: x}",
        "conditions: {agent: x}",
        "agent: 'a*'",
        "agent: {eq: 'a*'}",
        "agent: '*'",
        "agent: [a, b]",
        "agent: [b, a]",
        "phase: any",
        "phase: enqueue",
        "phase: enqueue\ntarget: {tools: a}",
        "target: {}",
        "metadata: {sourceId: 1}",
        "metadata: {source_id: 1}",
        // what is said outright is another document than its default left out
        "priority: 50",
        "enabled: true",
    ];
    let digests: Vec<Digest> = rules.iter().map(|lines| of_rule(lines)).collect();
    for (i, a) in digests.iter().enumerate() {
        for (j, b) in digests.iter().enumerate().skip(i + 1) {
            assert_ne!(a, b, "{} {}", rules[i], rules[j]);
        }
    }
}

#[test]
fn comments_order_and_language_do_not_matter() {
    let yaml = "# c\nversion: 1.0.0\nformat: tollgate/v1\ndata: {b: 1, a: \"x\\ty\"}\n";
    let json =
        "{\"format\": \"tollgate/v1\", \"version\": \"1.0.0\", \"data\": {\"a\": \"x\\u0009y\", \"b\": 1.0}}";
    let bom = format!("\u{feff}{}", yaml.replace('\n', "\r\n"));
    let from_json = read_as("b.json", json).bundle.unwrap().digest;
    assert_eq!(digest(yaml), from_json);
    assert_eq!(digest(&bom), from_json);
}

#[test]
fn the_canonical_form_is_that_of_rfc_8785() {
    let text = format!(
        "{HEAD}minEngine: 0.1.0\ndata: {{\"\\U0001F600\": 1, \"\\uFB33\": -0.0, é: 1e21, e: 0.000001, x: \"</\\e\\\"\\\\é\"}}\nrules: [{{id: abc, effect: needs_approval, reason: Because it is so, agent: a, conditions: {{'>=b': 1, a: 'x|y', c: {{eq: '> 1'}}}}}}]\n"
    );
    let mut found = crate::read::Findings::new(vec!["b.yaml".into()]);
    let file = crate::read::SourceFile { name: "b.yaml", bytes: text.as_bytes() };
    let limits = crate::read::Bounds::default().tree();
    let node = crate::read::tree::parse(&file, 0, &limits, &mut Default::default(), &mut found).unwrap();
    let field = crate::read::form::Field::document("the document", &node);
    let form = Form::open(field, &document::BUNDLE, &mut found).unwrap();
    let bundle = read(&text).bundle.unwrap();
    let canonical = crate::read::canon::canonical(&[form], &bundle.rules);
    let want = concat!(
        "{\"data\":{\"e\":0.000001,\"x\":\"</\\u001b\\\"\\\\é\",\"é\":1e+21,\"😀\":1,\"\u{fb33}\":0},",
        "\"format\":\"tollgate/v1\",\"min_engine\":\"0.1.0\",",
        "\"rules\":[{\"agent\":[\"a\"],\"conditions\":{\"a\":{\"in\":[\"x\",\"y\"]},\"b\":{\">=\":1},\"c\":{\"==\":\"> 1\"}},",
        "\"effect\":\"require_approval\",\"id\":\"abc\",\"reason\":\"Because it is so\"}],\"version\":\"1.0.0\"}",
    );
    assert_eq!(String::from_utf8(canonical).unwrap(), want);
    let again: serde_json::Value = serde_json::from_str(want).unwrap();
    assert_eq!(serde_json_canonicalizer::to_string(&again).unwrap(), want);
    assert_eq!(bundle.digest, Digest::of(want.as_bytes()));
}
