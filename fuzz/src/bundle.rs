//! Bundles: read, compiled, asked. An input is a file; a line of `%%%%` begins the next one of a folder.

use tollgate_engine::compile::{self, Compiled};
use tollgate_engine::decide::{Decision, RuleOutcome, Scratch, Tools, authorize, explain};
use tollgate_engine::model::RuleEffect;
use tollgate_engine::read::{self, Bounds, SourceFile};
use tollgate_engine::simulate::World;

use crate::requests::{self, NOW};
use crate::{places, text};

/// The server's environment.
const HERE: &str = "default";
/// An input has a few files; a folder of thousands says nothing more.
const MOST_FILES: usize = 8;

pub(crate) fn run(input: &[u8]) {
    let names: Vec<String> = (0..MOST_FILES).map(|n| format!("{n}.yaml")).collect();
    let files: Vec<SourceFile<'_>> =
        names.iter().zip(text::parts(input)).map(|(name, bytes)| SourceFile { name, bytes }).collect();
    let reading = read::bundle(&files, &Bounds::default());
    places::check(&reading.findings, &files);
    let is_refused = reading.findings.iter().any(|finding| finding.is_format_error());
    assert_eq!(reading.bundle.is_none(), is_refused, "a bundle is read, or there is a reason why not");
    if let Some(draft) = &reading.draft {
        let mut more = compile::findings(draft);
        read::locate(&mut more, &files);
        places::check(&more, &files);
    }
    let Some(bundle) = reading.bundle else { return };
    if let [file] = files[..] {
        other_spellings(file.bytes, &bundle.digest.to_string());
    }
    match compile::bundle(bundle) {
        Ok(compiled) => ask(&compiled),
        Err(mut findings) => {
            assert!(!findings.is_empty(), "a bundle is compiled, or there is a reason why not");
            read::locate(&mut findings, &files);
            places::check(&findings, &files);
        }
    }
}

/// The digest is that of the meaning: lines that end otherwise, and JSON read as YAML, have the same.
fn other_spellings(bytes: &[u8], digest: &str) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let other = |text: &str| {
        let file = SourceFile { name: "other.yaml", bytes: text.as_bytes() };
        read::bundle(&[file], &Bounds::default()).bundle.map(|bundle| bundle.digest.to_string())
    };
    if !text.contains('\r') {
        let windows = other(&text.replace('\n', "\r\n"));
        assert_eq!(windows.as_deref(), Some(digest), "with lines that end as those of Windows");
    }
    // YAML forgives and refuses other things than JSON; what both take means the same.
    if let Some(as_yaml) =
        text.trim_start().starts_with('{').then(|| other(&format!("# YAML\n{text}"))).flatten()
    {
        assert_eq!(as_yaml, digest, "JSON that is read as YAML");
    }
}

/// Asks the rules with the index and without, and the whole with its guardrails.
fn ask(bundle: &Compiled) {
    let mut scratch = Scratch::default();
    let world = World::new(bundle, HERE, NOW);
    let mut tools = Tools::seeded(1);
    for document in requests::all() {
        let request = document.request();
        let decision = authorize(bundle, &request, HERE, NOW, None, &mut scratch);
        let told = explain(bundle, &request, HERE, NOW, None, &mut Scratch::default());
        assert_eq!(summary(&decision), summary(&told.decision), "the account is of another decision");
        let is_modify = |id: &str| {
            let rule = bundle.source().rules.iter().find(|rule| rule.id.as_str() == id);
            rule.is_some_and(|rule| matches!(rule.effect, RuleEffect::Modify(_)))
        };
        let holds = |outcome| matches!(outcome, RuleOutcome::Decided | RuleOutcome::Outranked);
        let first = told.rules.iter().find(|rule| holds(rule.outcome) && !is_modify(rule.rule.as_str()));
        let by_scan = first.map(|rule| rule.rule.as_str());
        assert_eq!(decision.rule.map(|id| id.as_str()), by_scan, "the index finds another rule than a scan");
        for _ in 0..2 {
            let _ = world.decide(&request, &mut tools);
        }
        let _ = world.explain(&request, &mut tools);
    }
}

fn summary(decision: &Decision<'_>) -> String {
    format!("{:?} {} {} {:?}", decision.answer, decision.reason_code.name(), decision.reason, decision.rule)
}
