//! From bytes to the model, with every finding at its place.
//!
//! YAML and JSON become one tree ([`tree`]); maps with known fields are read from it as a
//! [`form`], so that every mistake is reported and not only the first.

mod build;
mod canon;
mod declared;
mod document;
mod effect;
mod findings;
pub mod form;
mod guardrail;
mod guardrail_rules;
mod guardrail_shapes;
mod inside;
mod json;
mod key;
mod nearest;
mod operator;
mod path;
mod patterns;
pub mod request;
mod rule;
mod scalar;
mod selector;
mod source;
mod spelling;
pub mod take;
pub mod tree;
mod yaml;
mod yaml_errors;

pub use findings::{Findings, shown};
pub use inside::locate;
pub use nearest::{listed, nearest};
pub use selector::{SELECTOR_BYTES, selector};

#[cfg(test)]
mod tests;

use crate::model::{Bundle, Code, Draft, Finding, Place};

/// One file of a document.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Its path, as findings show it.
    pub name: &'a str,
    /// What it holds.
    pub bytes: &'a [u8],
}

/// What came of reading a bundle.
#[derive(Debug)]
pub struct Reading {
    /// The bundle; `None` when a finding is a format error.
    pub bundle: Option<Bundle>,
    /// Where there is no bundle, the expressions that were read all the same.
    pub draft: Option<Draft>,
    /// All that was found, in the order of the source.
    pub findings: Vec<Finding>,
    /// The names of the files; the places of findings point into this.
    pub files: Vec<Box<str>>,
}

/// The bounds of design 1.8.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Bytes of a bundle, all files together: 16 MiB.
    pub bytes: usize,
    /// Nesting: 32.
    pub depth: usize,
    /// Rules: 100,000.
    pub rules: usize,
    /// Guardrails: 10,000.
    pub guardrails: usize,
    /// Nodes: 5 million.
    pub nodes: usize,
    /// Of these by aliases: 50,000.
    pub alias_nodes: usize,
    /// Bytes of a string: 64 KiB.
    pub string_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 32,
            rules: 100_000,
            guardrails: 10_000,
            nodes: 5_000_000,
            alias_nodes: 50_000,
            string_bytes: 64 << 10,
        }
    }
}

impl Bounds {
    /// What a tree of such a document may hold.
    #[must_use]
    pub const fn tree(&self) -> tree::Limits {
        tree::Limits {
            bytes: self.bytes,
            depth: self.depth,
            nodes: self.nodes,
            alias_nodes: self.alias_nodes,
            string_bytes: self.string_bytes,
            non_finite: false,
        }
    }
}

/// The most files of one bundle.
const MOST_FILES: usize = 10_000;

/// Whether a file of a folder is part of its bundle: YAML or JSON, neither hidden nor tests.
#[must_use]
pub fn is_bundle_file(path: &str) -> bool {
    let hidden = path.split('/').any(|part| part.starts_with('.') && part != "." && part != "..");
    let name = path.to_ascii_lowercase();
    let stem = [".yaml", ".yml", ".json"].iter().find_map(|end| name.strip_suffix(end));
    !hidden && stem.is_some_and(|stem| !stem.ends_with(".test"))
}

/// Reads a bundle from one file, or from the files of a folder in the order of their paths.
#[must_use]
pub fn bundle(files: &[SourceFile<'_>], bounds: &Bounds) -> Reading {
    let mut sorted: Vec<&SourceFile<'_>> = files.iter().collect();
    sorted.sort_by_key(|file| file.name);
    let names: Vec<Box<str>> = sorted.iter().map(|file| file.name.into()).collect();
    let mut found = Findings::new(names.clone());
    let Some(trees) = trees(&sorted, bounds, &mut found) else {
        return Reading { bundle: None, draft: None, findings: found.into_sorted(), files: names };
    };
    let read = document::bundle(&trees, bounds, &mut found);
    let mut findings = found.into_sorted();
    if !trees.are_all {
        // what a name stands for may be in a file that cannot be read
        findings.retain(|finding| finding.code != Code::UnknownReference);
    }
    let (bundle, draft) = match read {
        Some(Ok(bundle)) => (Some(bundle), None),
        Some(Err(draft)) => (None, Some(draft)),
        None => (None, None),
    };
    Reading { bundle, draft, findings, files: names }
}

/// What the files hold.
struct Trees {
    /// One for each file that can be read and is not empty.
    nodes: Vec<tree::Node>,
    /// Whether every file can be read.
    are_all: bool,
}

/// The trees of all files; `None` where there is nothing in them.
fn trees(files: &[&SourceFile<'_>], bounds: &Bounds, found: &mut Findings) -> Option<Trees> {
    let start = Place { line: 1, column: 1, length: 1, ..Place::default() };
    if files.is_empty() {
        let remedy = "add a file with `format`, `version` and `rules`";
        found.error_with(Code::MissingField, start, "there is no file to read", remedy);
        return None;
    }
    let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
    if files.len() > MOST_FILES || bytes > bounds.bytes {
        let (most, most_bytes) = (MOST_FILES, bounds.bytes);
        let message = format!(
            "{} files of {bytes} bytes; at most {most} files of {most_bytes} bytes are read",
            files.len()
        );
        found.error_with(Code::OutOfBounds, start, message, "split it, or raise the bound");
        return None;
    }
    let limits = bounds.tree();
    let mut used = tree::Used::default();
    let mut nodes = Vec::with_capacity(files.len());
    let mut are_all = true;
    for (index, file) in files.iter().enumerate() {
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        match tree::parse(file, index, &limits, &mut used, found) {
            // a file without content adds nothing to its folder
            Some(node) if node.content == tree::Content::Null => {}
            Some(node) => nodes.push(node),
            None => are_all = false,
        }
    }
    if nodes.is_empty() && are_all {
        let remedy = "write `format`, `version` and `rules`";
        found.error_with(Code::MissingField, start, "the bundle is empty", remedy);
    }
    (!nodes.is_empty()).then_some(Trees { nodes, are_all })
}
