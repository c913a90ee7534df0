//! The layer of the configuration file: YAML or JSON, read with the places of everything.

use super::options::{BOUNDS, OPTIONS, Spec};
use super::problem::{Origin, Problem};
use super::settings::Settings;
use std::path::{Path, PathBuf};
use tollgate_engine::model::Place;
use tollgate_engine::read::tree::{self, Content, Entry, Limits, Node, Used};
use tollgate_engine::read::{Findings, SourceFile, nearest};
use tollgate_engine::value::number_to_json;

/// A configuration is small: a file beyond these is some other file.
pub(super) const LIMITS: Limits = Limits {
    bytes: 1 << 20,
    depth: 8,
    nodes: 10_000,
    alias_nodes: 1_000,
    string_bytes: 64 << 10,
    non_finite: false,
};

/// The key under which the options of [`BOUNDS`] stand.
const NESTED: &str = "bounds";

/// Applies what the file holds.
pub(super) fn apply(path: &Path, bytes: &[u8], settings: &mut Settings, problems: &mut Vec<Problem>) {
    let name = path.display().to_string();
    let mut found = Findings::new(vec![name.as_str().into()]);
    let source = SourceFile { name: &name, bytes };
    let root = tree::parse(&source, 0, &LIMITS, &mut Used::default(), &mut found);
    let mut layer = Layer { path, name, settings, problems };
    for finding in found.into_sorted() {
        let origin = layer.at(finding.place);
        layer.problems.push(Problem::new(origin, finding.message).instead(finding.suggestion));
    }
    match root.as_ref().map(|root| (&root.content, root.entries(), root.place)) {
        Some((_, Some(entries), _)) => entries.iter().for_each(|entry| layer.entry(entry)),
        Some((Content::Null, _, _)) | None => {}
        Some((content, _, place)) => {
            let what = format!("a configuration is a map of options, not {}", content.type_name());
            layer.problem(place, what);
        }
    }
}

struct Layer<'a> {
    path: &'a Path,
    name: String,
    settings: &'a mut Settings,
    problems: &'a mut Vec<Problem>,
}

impl Layer<'_> {
    fn at(&self, place: Place) -> Origin {
        Origin::File { name: self.name.clone(), line: place.line, column: place.column }
    }

    fn problem(&mut self, place: Place, what: String) {
        let origin = self.at(place);
        self.problems.push(Problem::new(origin, what));
    }

    fn entry(&mut self, entry: &Entry) {
        match (&*entry.key, entry.node.entries()) {
            (NESTED, Some(entries)) => {
                entries.iter().for_each(|bound| self.option(bound, &format!("{NESTED}.")))
            }
            (NESTED, None) => {
                let what = format!("`{NESTED}` is a map of bounds, not {}", entry.node.content.type_name());
                self.problem(entry.node.place, what);
            }
            _ => self.option(entry, ""),
        }
    }

    fn option(&mut self, entry: &Entry, prefix: &str) {
        let key = format!("{prefix}{}", entry.key);
        let Some(spec) = OPTIONS.iter().find(|spec| spec.key() == key) else {
            return self.unknown(entry, prefix);
        };
        match scalar(&entry.node).or_else(|| list(&entry.node).filter(|_| spec.is_list())) {
            Some(text) => {
                let (text, origin) = (self.at_the_file(spec, text), self.at(entry.node.place));
                self.settings.set(spec, &text, origin, self.problems);
            }
            None => {
                let what = format!("`{key}` is one value, not {}", entry.node.content.type_name());
                self.problem(entry.node.place, what);
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, prefix: &str) {
        let keys: Vec<String> = OPTIONS
            .iter()
            .filter(|spec| (spec.group == BOUNDS) != prefix.is_empty())
            .map(|spec| spec.key().trim_start_matches(prefix).to_string())
            .collect();
        let known = keys.iter().map(String::as_str).chain(prefix.is_empty().then_some(NESTED));
        let nearest = nearest(&entry.key, known).map(String::from);
        let kind = if prefix.is_empty() { "option" } else { "bound" };
        let origin = self.at(entry.place);
        self.problems.push(Problem::unknown(origin, kind, &entry.key, nearest));
    }

    /// A path in a file starts at the file's folder, wherever the process was started.
    fn at_the_file(&self, spec: &Spec, text: String) -> String {
        let is_path = matches!(spec.value, "PATH" | "DIR") && !text.is_empty();
        match self.path.parent().filter(|_| is_path) {
            Some(folder) => folder.join(&text).components().collect::<PathBuf>().display().to_string(),
            None => text,
        }
    }
}

/// A list of texts as it would be written in the environment.
fn list(node: &Node) -> Option<String> {
    let Content::List(items) = &node.content else { return None };
    let texts: Option<Vec<String>> = items.iter().map(scalar).collect();
    texts.map(|texts| texts.join(" "))
}

/// A scalar as it would be written in the environment; null leaves the option unset.
fn scalar(node: &Node) -> Option<String> {
    match &node.content {
        Content::Null => Some(String::new()),
        Content::Bool(value) => Some(value.to_string()),
        Content::Number(number) => Some(number_to_json(*number).to_string()),
        Content::Text(text) => Some(text.to_string()),
        Content::List(_) | Content::Map(_) => None,
    }
}
